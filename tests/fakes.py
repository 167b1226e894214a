"""Small real stand-ins for the models: deterministic across processes, and meaningful enough that ranking can be tested."""

import hashlib
import re
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from rag import text as texts

DIMENSION = 256
_WORD = re.compile(r"\w+")


class BagEmbedder:
    """A hashed bag of words: texts with common words lie close. A token is a word."""

    name = "bag"
    digest = "bag-1"

    def __init__(self) -> None:
        self.embedded: list[str] = []

    def embed_passages(self, texts_: Sequence[str]) -> NDArray[np.float32]:
        self.embedded += texts_
        return self.embed_queries(texts_)

    def embed_queries(self, texts_: Sequence[str]) -> NDArray[np.float32]:
        return np.stack([self._vector(text) for text in texts_])

    def _vector(self, text: str) -> NDArray[np.float32]:
        vector = np.full(DIMENSION, 1e-3, dtype=np.float32)
        for word in _WORD.findall(text.casefold()):
            vector[int.from_bytes(hashlib.sha256(word.encode()).digest()[:4], "big") % DIMENSION] += 1
        return vector / np.float32(np.linalg.norm(vector))

    def token_starts(self, text: str) -> list[int]:
        return [match.start() for match in _WORD.finditer(text)]


class OverlapReader:
    """Judges by the share of the question's longer words that the passage has; answers with the sentence that has most."""

    def __init__(self) -> None:
        self.judged: list[str] = []

    def judge(self, question: str, passage: str) -> float:
        self.judged.append(passage)
        words = self._words(question)
        return 8 * len(words & self._words(passage)) / max(1, len(words)) - 3

    def answer(self, question: str, passage: str, instruction: str) -> Iterator[str]:
        words = self._words(question)
        spans = texts.sentences(passage, "id")
        best = max(spans, key=lambda span: len(words & self._words(passage[span.start : span.end])))
        yield from re.findall(r"\S+\s*", passage[best.start : best.end])

    def _words(self, text: str) -> set[str]:
        return {word for word in _WORD.findall(text.casefold()) if len(word) > 3}


class ScriptedReader:
    """Says what a test wants it to say."""

    def __init__(self, *, log_odds: dict[str, float] | float, pieces: Sequence[str]) -> None:
        self.log_odds, self.pieces = log_odds, pieces
        self.judged: list[str] = []

    def judge(self, question: str, passage: str) -> float:
        self.judged.append(passage)
        return self.log_odds if isinstance(self.log_odds, float) else self.log_odds[passage]

    def answer(self, question: str, passage: str, instruction: str) -> Iterator[str]:
        yield from self.pieces


class SilentObserver:
    """An index observer that only counts."""

    def __init__(self) -> None:
        self.waits = 0
        self.total = 0

    def waiting(self) -> None:
        self.waits += 1

    def read(self, done: int, total: int) -> None:
        pass

    def embedded(self, done: int, total: int) -> None:
        self.total = total
