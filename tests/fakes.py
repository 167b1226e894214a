"""Small real stand-ins for the models and the index: deterministic across processes, and meaningful: ranking can be tested."""

import hashlib
import operator
import re
import threading
import time
from collections import Counter
from collections.abc import Callable, Collection, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from math import log1p
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rag import stopping
from rag import text as texts
from rag.engine import Engine
from rag.errors import IndexMissing
from rag.indexing.protocol import (
    KEPT,
    Candidates,
    Column,
    Listed,
    Maker,
    Manifest,
    Mode,
    NewDocument,
    Piece,
    Place,
    State,
    Unread,
)
from rag.judging.scoring import logistic
from rag.models import Models
from rag.settings import Settings
from rag.stopping import Stopped
from rag.types import Condition, Document, Judgement, Span

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


@dataclass(frozen=True, slots=True)
class _Held:
    """A document of a `MemoryState`: vectors (chunks, dimension), and for each chunk its words, and its stems, counted."""

    listed: Listed
    document: Document
    pieces: tuple[Piece, ...]
    vectors: NDArray[np.float32]
    terms: tuple[tuple[Counter[str], Counter[str]], ...]


class MemoryState:
    """A state in memory. Cosines are computed for every chunk, and words are counted in every chunk."""

    # As tantivy has them.
    _K1, _B = 1.2, 0.75

    def __init__(self, manifest: Manifest, held: Sequence[_Held]) -> None:
        self.manifest = manifest
        self._held = sorted(held, key=lambda each: each.listed.number)
        self._chunks = {each.listed.first + i: (each, i) for each in self._held for i in range(each.listed.count)}

    def candidates(
        self,
        question: str,
        language: str,
        query: NDArray[np.float32],
        *,
        depth: int,
        where: Sequence[Condition] = (),
        mode: Mode = "hybrid",
    ) -> Candidates:
        dense = {number: float(each.vectors[i] @ query) for number, (each, i) in self._chunks.items()}
        lexical = {number: self._bm25(number, question, language) for number in self._chunks}
        allowed = [n for n, (each, _) in self._chunks.items() if all(_meets(condition, each.listed) for condition in where)]
        proposed: set[int] = set()
        if mode != "lexical":
            proposed.update(sorted(allowed, key=dense.__getitem__, reverse=True)[:depth])
        if mode != "dense":
            having = [number for number in allowed if lexical[number] > 0]
            proposed.update(sorted(having, key=lexical.__getitem__, reverse=True)[:depth])
        found = sorted(proposed)
        return Candidates(
            chunks=np.array(found, dtype=np.int64),
            dense=np.array([dense[number] for number in found], dtype=np.float32),
            lexical=np.array([lexical[number] for number in found], dtype=np.float32),
            languages=[self._chunks[number][0].listed.language for number in found],
            information=sum(self._weight(word, field) for field in (0, 1) for word in _terms(question, language)[field]),
        )

    def _bm25(self, number: int, question: str, language: str) -> float:
        each, i = self._chunks[number]
        score = 0.0
        for field in (0, 1):
            counts = each.terms[i][field]
            share = counts.total() / max(1e-9, self._average(field))
            for word in _terms(question, language)[field].keys() & counts.keys():
                often = counts[word]
                saturated = often * (self._K1 + 1) / (often + self._K1 * (1 - self._B + self._B * share))
                score += self._weight(word, field) * saturated
        return score

    def _weight(self, word: str, field: int) -> float:
        """The inverse document frequency of the word."""
        having = sum(word in each.terms[i][field] for each, i in self._chunks.values())
        return log1p((len(self._chunks) - having + 0.5) / (having + 0.5))

    def _average(self, field: int) -> float:
        return sum(each.terms[i][field].total() for each, i in self._chunks.values()) / len(self._chunks)

    def place(self, chunk: int) -> Place:
        each, i = self._chunks[chunk]
        return Place(each.listed, each.pieces[i].start, each.pieces[i].end)

    def listed(self) -> Iterator[Listed]:
        return (each.listed for each in self._held)

    def find(self, column: Column, value: str | int) -> Listed | None:
        return next((each.listed for each in self._held if getattr(each.listed, column) == value), None)

    def with_text(self, listed: Listed) -> Document:
        return self._of(listed).document

    def document(self, document_id: str) -> Document | None:
        found = self.find("id", document_id)
        return self.with_text(found) if found else None

    def characters(self, listed: Listed) -> int:
        return len(self.with_text(listed).text)

    def pieces(self, listed: Listed) -> list[Piece]:
        return list(self._of(listed).pieces)

    def _of(self, listed: Listed) -> _Held:
        return next(each for each in self._held if each.listed == listed)

    def chunk_texts(self) -> Iterator[str]:
        for each in reversed(self._held):
            yield from (each.document.text[piece.start : piece.end] for piece in each.pieces)

    def languages(self) -> dict[str, int]:
        return dict(Counter(each.listed.language for each, _ in self._chunks.values()))

    def sample(self, count: int) -> tuple[NDArray[np.float32], list[str]]:
        chunks = [self._chunks[number] for number in sorted(self._chunks)]
        drawn = [chunks[i] for i in sorted(np.random.default_rng(0).permutation(len(chunks))[:count])]
        return np.stack([each.vectors[i] for each, i in drawn]), [each.listed.language for each, _ in drawn]

    def vectors_of(self, digests: Collection[bytes]) -> dict[bytes, NDArray[np.float32]]:
        known = {each.pieces[i].digest: each.vectors[i] for each, i in self._chunks.values()}
        return {digest: known[digest] for digest in digests if digest in known}

    def close(self) -> None:
        """Nothing is open."""


class MemoryIndex:
    """An index in memory: its states in a list, oldest first. `scratch` is the only folder."""

    def __init__(self, scratch: Path) -> None:
        self.scratch = scratch
        self._lock = threading.Lock()
        self._states: list[MemoryState] = []
        self._serving: MemoryState | None = None
        self._unread: list[Unread] = []
        self._written = self._next_document = self._next_chunk = 0

    def serving(self) -> str | None:
        return self._serving.manifest.id if self._serving else None

    def manifest(self) -> Manifest:
        return self.open().manifest

    def open(self, name: str | None = None) -> MemoryState:
        found = self._serving if name is None else next((each for each in self._states if each.manifest.id == name), None)
        if found is None:
            raise IndexMissing(f"there is no state {name}" if name is not None else "there is no index", "run `rag index`")
        return found

    def stored(self) -> list[Manifest]:
        return [each.manifest for each in reversed(self._states)]

    @contextmanager
    def writing(self, waiting: Callable[[], None] = lambda: None) -> Iterator[None]:
        if not self._lock.acquire(blocking=False):
            waiting()
            self._lock.acquire()
        try:
            self.scratch.mkdir(parents=True, exist_ok=True)
            yield
        finally:
            self._lock.release()

    def write(
        self,
        base: State | None,
        maker: Maker,
        *,
        stays: Collection[int],
        new: Sequence[NewDocument],
        vectors: Mapping[bytes, NDArray[np.float32]],
    ) -> Manifest:
        assert base is None or isinstance(base, MemoryState)
        held = [each for each in base._held if each.listed.number in stays] if base else []
        held += [self._numbered(each, vectors) for each in new]
        self._written += 1
        chunks = sum(each.listed.count for each in held)
        manifest = Manifest(f"memory-{self._written}", "2026-01-01T00:00:00+00:00", maker, len(held), chunks, ())
        self._serving = MemoryState(manifest, held)
        self._states = [*self._states, self._serving]
        self.prune(KEPT)
        return manifest

    def _numbered(self, new: NewDocument, vectors: Mapping[bytes, NDArray[np.float32]]) -> _Held:
        made, pieces = new.document, tuple(new.pieces)
        rows = np.stack([vectors[piece.digest] for piece in pieces])
        terms = tuple(_terms(made.text[piece.start : piece.end], made.language) for piece in pieces)
        number, first = self._next_document, self._next_chunk
        self._next_document, self._next_chunk = number + 1, first + len(pieces)
        about = (made.id, made.path, made.sha256, made.media_type, made.language, made.date, made.pages)
        return _Held(Listed(number, *about, first, len(pieces)), made, pieces, rows, terms)

    def rollback(self, name: str) -> Manifest:
        self._serving = self.open(name)
        return self._serving.manifest

    def prune(self, keep: int) -> list[str]:
        others = [each for each in self._states if each is not self._serving]
        gone = others[: max(0, len(others) - keep + 1)]
        self._states = [each for each in self._states if each not in gone]
        return [each.manifest.id for each in gone]

    def unread(self) -> list[Unread]:
        return list(self._unread)

    def note_unread(self, found: Sequence[Unread]) -> None:
        self._unread = list(found)

    def verify(self) -> Iterator[str]:
        state = self.open()
        if sum(len(each.pieces) for each in state._held) != state.manifest.chunks:
            yield "chunks are counted differently"

    def described(self) -> str:
        return f"{len(self.open()._held)} documents in memory"

    def interrupted(self) -> bool:
        """A state is there as a whole, or not at all."""
        return False


def _terms(text: str, language: str) -> tuple[Counter[str], Counter[str]]:
    """The words of a text, and their stems, with how often they occur. A question's count once each."""
    words = texts.words(texts.normalise(text), language)
    return Counter(words), Counter(texts.stems(words, language))


def _meets(condition: Condition, listed: Listed) -> bool:
    return any(_equals(condition, value, listed) for value in condition.values) != condition.negated


def _equals(condition: Condition, value: str, listed: Listed) -> bool:
    match condition.field:
        case "document":
            pattern = ".*".join(re.escape(part) for part in value.split("*"))
            return re.fullmatch(pattern, listed.path, re.DOTALL) is not None or listed.id == value
        case "folder":
            return listed.path.startswith(value.strip("/") + "/")
        case "language":
            return listed.language == value
        case _:
            compared = {"=": operator.eq, "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}
            return bool(compared[condition.operator](listed.date[: len(value)], value))


class FakeModels(Models):
    """A bag of words for an embedder, and word overlap for a judge and a reader."""

    embedder = BagEmbedder()  # type: ignore[assignment]
    small_judge = OverlapJudge()  # type: ignore[assignment]
    reader = OverlapReader()
    llm_digest = llm_weights = "overlap-1"

    def require_weights(self) -> None:
        """They need none."""


class FakeEngine(Engine):
    """The engine with these, or with `made`."""

    made: type[Models] = FakeModels

    def __init__(self, settings: Settings, models: Models | None = None) -> None:
        super().__init__(settings, models or self.made(settings))
