"""The interface of an index: the values that cross it, and the two protocols that an implementation provides.

`Index` holds the states of one home, knows which one serves, and takes what a build writes. `State` is one state, pinned
while somebody reads it: later writes and removals do not change it. Retrieval, engine, doctor and evaluation use nothing
else. `embedded/` is the implementation on this disk. `tests/indexing/contract.py` tests any implementation against this page.

Each document and each chunk has a number. Within a chain of successive states, each written on the one before, a number is
never reused for another document or chunk. The chunks of a document are numbered consecutively.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol

from rag.types import Condition, Document

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

# The field that a document is looked up by.
Column = Literal["number", "id", "path", "sha256"]
# Which sides propose chunks: meaning (vectors), words (BM25), or both.
Mode = Literal["hybrid", "dense", "lexical"]
# Called with the stage of a build (`waiting`, `reading` or `embedding`), and how many of how many items are done.
Progress = Callable[[str, int, int], None]

# States that an index keeps: the one that serves and the newest others. They share what is equal in them, so each costs no
# more than what changed.
KEPT = 5


@dataclass(frozen=True, slots=True)
class Maker:
    """The fingerprint of an index: two indexes with equal makers over equal seeds are equal."""

    embedder: str
    embedder_digest: str
    chunking: dict[str, int]


@dataclass(frozen=True, slots=True)
class Manifest:
    """A description of a state.

    `id` has at most 100 ASCII letters, digits and hyphens. `created` is ISO 8601. `segments` are the names of the immutable
    parts that the state is made of, empty where an implementation has no such parts.
    """

    id: str
    created: str
    maker: Maker
    documents: int
    chunks: int
    segments: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Listed:
    """A document of the index without its text. Its chunks have the numbers `first` to `first + count`, exclusive."""

    number: int
    id: str
    path: str
    sha256: str
    media_type: str
    language: str
    date: str
    pages: tuple[int, ...]
    first: int
    count: int


@dataclass(frozen=True, slots=True)
class Piece:
    """A chunk as it is stored: a range of the document's text, and the digest of that text, which names its vector."""

    start: int
    end: int
    digest: bytes


@dataclass(frozen=True, slots=True)
class Unread:
    """A file or folder that a build left out: its path in the seeds, the error's class name, and the error's message."""

    path: str
    kind: str
    detail: str
    is_folder: bool = False


@dataclass(frozen=True, slots=True)
class NewDocument:
    """A document to write, with its chunks: at least one."""

    document: Document
    pieces: Sequence[Piece]


@dataclass(frozen=True, slots=True)
class Candidates:
    """Chunks that may answer a question, ascending by number, each scored by both sides. Arrays have the shape (found,).

    `dense` are cosine similarities with the question. `lexical` are BM25 scores over words and their stems (`rag.text`), 0
    where the chunk has no word of the question. `languages` are those of the chunks' documents. `information` is the BM25 score
    of a chunk of average length that has each word of the question once; a word that no chunk has counts most.
    """

    chunks: "NDArray[np.int64]"
    dense: "NDArray[np.float32]"
    lexical: "NDArray[np.float32]"
    languages: list[str]
    information: float


@dataclass(frozen=True, slots=True)
class Place:
    """Where a chunk stands: its document, and the range of the document's text."""

    document: Listed
    start: int
    end: int


class State(Protocol):
    """One state of an index, which never changes. Safe to use from several threads.

    Several questions may share it, so `close` may never be called: what is open is also released with the last reference.
    """

    @property
    def manifest(self) -> Manifest:
        """The description of the state."""

    def candidates(
        self,
        question: str,
        language: str,
        query: "NDArray[np.float32]",
        *,
        depth: int,
        where: Sequence[Condition] = (),
        mode: Mode = "hybrid",
    ) -> Candidates:
        """The best `depth` chunks of each side of `mode`, among documents that meet all of `where`; both sides score each.

        `query` is the question's unit vector, of shape (dimension,); `language` decides how the question's words are cut. The
        lexical side proposes only chunks that have a word of the question. A large index may be searched approximately, and
        may search without words that most chunks have; scores are exact in any case.

        A condition on `document` compares the path, in which `*` stands for any characters, or the id. One on `folder` is met
        by documents anywhere below it. A `date` is compared as far as it is given: `2026-01` equals all days of that month.
        """

    def place(self, chunk: int) -> Place:
        """The place of the chunk with this number, which the state has."""

    def listed(self) -> Iterator[Listed]:
        """Every document without its text, in any order."""

    def find(self, column: Column, value: str | int) -> Listed | None:
        """A document whose `column` has this value; None if there is none."""

    def with_text(self, listed: Listed) -> Document:
        """The document with its original text."""

    def document(self, document_id: str) -> Document | None:
        """The document with this id and its original text; None if there is none."""

    def characters(self, listed: Listed) -> int:
        """The length of a document's text in code points."""

    def pieces(self, listed: Listed) -> list[Piece]:
        """The document's chunks, in order."""

    def chunk_texts(self) -> Iterator[str]:
        """The text of every chunk: the documents added last come first, the chunks of each document in order."""

    def languages(self) -> dict[str, int]:
        """Number of chunks in each language. Chunks of documents that were removed may still be counted."""

    def sample(self, count: int) -> "tuple[NDArray[np.float32], list[str]]":
        """About `count` chunks, or all if there are fewer; the same ones in every call.

        Returns their unit vectors, of shape (sampled, dimension), and the languages of their documents.
        """

    def vectors_of(self, digests: Collection[bytes]) -> "dict[bytes, NDArray[np.float32]]":
        """The vectors of those texts that the state has, by digest; each of shape (dimension,).

        Texts of documents that were removed may still be among them.
        """

    def close(self) -> None:
        """Release what is open. The state must not be used afterwards."""


class Index(Protocol):
    """The states of one home, of which one serves. Safe to use from several threads and processes."""

    @property
    def scratch(self) -> Path:
        """A folder on this machine for what a build keeps for the next one. All of it can be made anew.

        It exists within `writing`.
        """

    def serving(self) -> str | None:
        """The id of the state that serves; None if nothing was written yet. Raises IndexDamaged."""

    def manifest(self) -> Manifest:
        """The manifest of the state that serves. Raises IndexMissing, IndexMismatch or IndexDamaged."""

    def open(self, name: str | None = None) -> State:
        """Open and check the state with the id `name`, by default the one that serves.

        Raises IndexMissing, IndexMismatch or IndexDamaged; StorageError if the system does not allow it to be opened.
        """

    def stored(self) -> Sequence[Manifest]:
        """The states that can be opened and rolled back to, newest first."""

    def writing(self, waiting: Callable[[], None] = lambda: None) -> AbstractContextManager[None]:
        """A lock: only one thread of all processes is within it. `write`, `rollback`, `prune` and `note_unread` need it.

        If it is taken, `waiting` is called once before waiting for it; what `waiting` raises is raised. What interrupted writes
        left is removed first. Not reentrant. Raises StorageError.
        """

    def write(
        self,
        base: State | None,
        maker: Maker,
        *,
        stays: Collection[int],
        new: Sequence[NewDocument],
        vectors: "Mapping[bytes, NDArray[np.float32]]",
    ) -> Manifest:
        """Write a state and make it serve: the documents of `base` whose numbers are in `stays`, and `new`.

        `base` is an open state of this index, or None. `vectors` has the unit vector of every new chunk, by digest. Whatever
        interrupts it, readers see the old state or the new one. Afterwards the newest `KEPT` states are kept, as `prune` does.
        Raises StorageError, or OSError where there is no better word for it.
        """

    def rollback(self, name: str) -> Manifest:
        """Check an older state, and make it serve again. Raises IndexMissing, IndexMismatch or IndexDamaged."""

    def prune(self, keep: int) -> list[str]:
        """Keep `keep` states, at least one: the one that serves, and the newest others. Returns the ids of those removed.

        A state that is open can be read on. Raises StorageError.
        """

    def unread(self) -> list[Unread]:
        """The files last saved by `note_unread`; empty if unknown."""

    def note_unread(self, found: Sequence[Unread]) -> None:
        """Save the files that a build could not read; they replace those saved before. Raises StorageError."""

    def verify(self) -> Iterator[str]:
        """Every defect of the state that serves, a line each; all of it is read. Raises SnapshotError."""

    def described(self) -> str:
        """How the state that serves is stored and searched, in words for people. Raises SnapshotError."""

    def interrupted(self) -> bool:
        """Whether a write is under way or was killed. What it left is harmless, and removed by the next `writing`."""
