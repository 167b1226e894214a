"""Small real stand-ins for the models: deterministic across processes, and meaningful enough that ranking can be tested."""

import hashlib
import re
import threading
import time
from collections.abc import Generator, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from rag import stopping
from rag import text as texts
from rag.engine import Engine
from rag.judging.scoring import logistic
from rag.models import Models
from rag.settings import Settings
from rag.stopping import Stopped
from rag.types import Judgement, Span

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


class OverlapJudge:
    """Judges by the share of the question's longer words that the passage has; marks where they stand in its best sentence.

    Evidence supports a claim by the share of the claim's longer words that it has.
    """

    certain = 0.75

    def __init__(self) -> None:
        self.judged: list[str] = []

    def judge(self, question: str, passages: Sequence[str]) -> Iterator[Judgement]:
        for passage in passages:
            self.judged.append(passage)
            yield Judgement(logistic(9 * _share(question, passage) - 5), _marked(question, passage))

    def supports(self, claims: Sequence[tuple[str, str]]) -> list[float]:
        return [_share(claim, evidence) for claim, evidence in claims]


class OverlapReader:
    """Judges by the share of the question's longer words that the passage has; answers with the sentence that has most.

    Keeps no states, but remembers which passages it was to read ahead.
    """

    def __init__(self) -> None:
        self.warmed: list[str] = []

    def is_stored(self, passage: str) -> bool:
        return passage in self.warmed

    def warm(self, passage: str) -> None:
        self.warmed.append(passage)

    def judge(self, question: str, passage: str) -> float:
        return 8 * _share(question, passage) - 3

    def answer(self, question: str, passages: Sequence[str], instruction: str) -> Generator[str, None, bool]:
        for passage in passages:
            best = _best_sentence(question, passage)
            yield from re.findall(r"\S+\s*", passage[best.start : best.end])
        return False

    def rewrite(self, question: str, conversation: str, language: str) -> str:
        """With the names of the conversation after it, as far as a model that knows no grammar can."""
        names = dict.fromkeys(re.findall(r"\b[A-Z]\w{4,}", conversation))
        return f"{question.rstrip('?')} {' '.join(names)}?"


class SlowReader(OverlapReader):
    """Writes on and on, a piece every so often, under a lock that only the thread which took it can give back."""

    most = 100_000

    def __init__(self, pause: float = 0.01) -> None:
        self.pause, self.written, self.left = pause, 0, threading.Event()
        self._lock = threading.RLock()

    def answer(self, question: str, passages: Sequence[str], instruction: str) -> Generator[str, None, bool]:
        with self._lock:
            try:
                while self.written < self.most:
                    self.written += 1
                    yield "kata "
                    time.sleep(self.pause)
                return True
            finally:
                self.left.set()


class StuckReader(OverlapReader):
    """Is within one long step, of judging or of writing, until it is stopped."""

    def __init__(self) -> None:
        self.working, self.left = threading.Event(), threading.Event()

    def judge(self, question: str, passages: Sequence[str]) -> float:
        self._work()
        raise Stopped

    def answer(self, question: str, passages: Sequence[str], instruction: str) -> Generator[str, None, bool]:
        self._work()
        yield from ()
        raise Stopped

    def _work(self) -> None:
        stopped = threading.Event()
        with stopping.current().telling(stopped.set):
            self.working.set()
            assert stopped.wait(120)
        self.left.set()


class ScriptedJudge:
    """Says what a test wants it to say, of every passage or of each."""

    certain = 0.75

    def __init__(self, confidence: dict[str, float] | float, span: Span | None = None) -> None:
        self.confidence, self.span = confidence, span
        self.judged: list[str] = []

    def judge(self, question: str, passages: Sequence[str]) -> Iterator[Judgement]:
        for passage in passages:
            self.judged.append(passage)
            yield Judgement(self.confidence if isinstance(self.confidence, float) else self.confidence[passage], self.span)


class ScriptedReader:
    """Says what a test wants it to say, and whether that is cut."""

    def __init__(self, pieces: Sequence[str] = (), *, log_odds: dict[str, float] | float = 0.0, cut: bool = False) -> None:
        self.log_odds, self.pieces, self.cut = log_odds, pieces, cut
        self.judged: list[str] = []

    def judge(self, question: str, passage: str) -> float:
        self.judged.append(passage)
        return self.log_odds if isinstance(self.log_odds, float) else self.log_odds[passage]

    def answer(self, question: str, passages: Sequence[str], instruction: str) -> Generator[str, None, bool]:
        yield from self.pieces
        return self.cut

    def rewrite(self, question: str, conversation: str, language: str) -> str:
        return "".join(self.pieces)


def drained(pieces: Generator[str, None, bool]) -> tuple[str, bool]:
    """All pieces, and what the generator returns."""
    written = ""
    while True:
        try:
            written += next(pieces)
        except StopIteration as ended:
            return written, ended.value


def _long_words(text: str) -> set[str]:
    return {word for word in _WORD.findall(text.casefold()) if len(word) > 3}


def _share(text: str, other: str) -> float:
    words = _long_words(text)
    return len(words & _long_words(other)) / max(1, len(words))


def _best_sentence(question: str, passage: str) -> Span:
    return max(texts.sentences(passage, "id"), key=lambda span: _share(question, passage[span.start : span.end]))


def _marked(question: str, passage: str) -> Span | None:
    """From the first to the last of the question's longer words in the sentence that has most of them."""
    if not _share(question, passage):
        return None
    words, best = _long_words(question), _best_sentence(question, passage)
    having = [match for match in _WORD.finditer(passage, best.start, best.end) if match[0].casefold() in words]
    return Span(having[0].start(), having[-1].end())


def silent(_stage: str, _done: int, _total: int) -> None:
    """Progress that nobody follows."""


class FakeModels(Models):
    """A bag of words for an embedder, and word overlap for a judge and a reader."""

    embedder = BagEmbedder()  # type: ignore[assignment]
    small_judge = OverlapJudge()  # type: ignore[assignment]
    reader = OverlapReader()
    llm_digest = "overlap-1"

    def require_weights(self) -> None:
        """They need none."""


class FakeEngine(Engine):
    """The engine with these, or with `made`."""

    made: type[Models] = FakeModels

    def __init__(self, settings: Settings, models: Models | None = None) -> None:
        super().__init__(settings, models or self.made(settings))
