"""What the rest of rag knows of an index: the values it speaks, and the two protocols an implementation has to meet.

`Index` says which state serves and takes what a build writes. `State` is one state, pinned while somebody reads it: later
builds do not change it. Retrieval, the engine, the doctor and the evaluation know nothing else. `embedded/` is the
implementation on this disk, and `tests/indexing/contract.py` holds any implementation to what is said here.

Documents and chunks carry numbers that are never used twice in a line of states. The chunks of a document are consecutive.
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

# What a document is found by.
Column = Literal["number", "id", "path", "sha256"]
# Which sides propose chunks: meaning (vectors), words (BM25), or both.
Mode = Literal["hybrid", "dense", "lexical"]
# Hears how far a build is: the stage (`waiting`, `reading` or `embedding`), and how many of how many are done.
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class Maker:
    """What made an index: two indexes with equal makers over equal seeds are equal."""

    embedder: str
    embedder_digest: str
    chunking: dict[str, int]


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a state is. `created` is ISO 8601, `segments` are the names of the immutable parts it is made of."""

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
    """A chunk as it is stored: the range of the document's text, and the digest of that text, which names its vector."""

    start: int
    end: int
    digest: bytes


@dataclass(frozen=True, slots=True)
class Unread:
    """A file that was left out, or a folder: its path in the seeds, the name of the error, and the line that it is."""

    path: str
    kind: str
    detail: str
    is_folder: bool = False


@dataclass(frozen=True, slots=True)
class NewDocument:
    """A document to be written, and its chunks."""

    document: Document
    pieces: Sequence[Piece]


@dataclass(frozen=True, slots=True)
class Candidates:
    """Chunks that may answer a question, ascending by number, each scored by both sides. Arrays have the shape (found,).

    `dense` are cosine similarities with the question, `lexical` BM25 scores. `information` is what the question's words say
    altogether: the BM25 score of a chunk of average length that has each of them once.
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
    """One state of an index. Safe to use from several threads."""

    @property
    def manifest(self) -> Manifest:
        """What the state is."""

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
        """The chunks that the sides of `mode` propose, `depth` each, of documents that meet `where`; both score each of them.

        `query` is the vector of the question, of shape (dimension,).
        """

    def place(self, chunk: int) -> Place:
        """Where the chunk of this number stands."""

    def listed(self) -> Iterator[Listed]:
        """Every document without its text."""

    def find(self, column: Column, value: str | int) -> Listed | None:
        """The document whose `column` has this value; None where there is none."""

    def with_text(self, listed: Listed) -> Document:
        """The document with its original text."""

    def document(self, document_id: str) -> Document | None:
        """The same by its id; None where there is none."""

    def characters(self, listed: Listed) -> int:
        """The length of a document's text."""

    def pieces(self, listed: Listed) -> list[Piece]:
        """The document's chunks, in order."""

    def chunk_texts(self) -> Iterator[str]:
        """The text of every chunk: of the documents added last first, and of each from its beginning."""

    def languages(self) -> dict[str, int]:
        """Number of chunks in each language of the documents."""

    def sample(self, count: int) -> "tuple[NDArray[np.float32], list[str]]":
        """About `count` chunks, always the same: vectors of shape (sampled, dimension), and their documents' languages."""

    def vectors_of(self, digests: Collection[bytes]) -> "dict[bytes, NDArray[np.float32]]":
        """The vectors of those texts that the state has, by digest; each of shape (dimension,)."""

    def close(self) -> None:
        """Let go of what is open."""


class Index(Protocol):
    """The states of one home, of which one serves. Safe to use from several threads and processes."""

    @property
    def scratch(self) -> Path:
        """A folder of this machine for what a build keeps for the next one: all of it can be made anew."""

    def serving(self) -> str | None:
        """The id of the state that serves; None where there is none. Raises IndexDamaged."""

    def manifest(self) -> Manifest:
        """The manifest of the state that serves. Raises IndexMissing, IndexMismatch or IndexDamaged."""

    def open(self, name: str | None = None) -> State:
        """Open and check the state `name`, else the one that serves.

        Raises IndexMissing, IndexMismatch, IndexDamaged, or StorageError where the system does not let it be opened.
        """

    def stored(self) -> Sequence[Manifest]:
        """The states that can be gone back to, newest first."""

    def writing(self, waiting: Callable[[], None] = lambda: None) -> AbstractContextManager[None]:
        """Within it nobody else changes the index; `waiting` is called where somebody does, and may raise.

        What interrupted builds left is removed first. Raises StorageError.
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
        """Write a state and make it serve: what `stays` of `base` (numbers of documents), and `new` with vectors by digest.

        Within `writing` only. Readers see the old state or the new one, whatever happens on the way. Raises OSError.
        """

    def rollback(self, name: str) -> Manifest:
        """Make an older state serve again, once it was found whole. Within `writing` only. Raises SnapshotError."""

    def prune(self, keep: int) -> list[str]:
        """Remove all but the newest `keep` states and the one that serves. Within `writing` only. Returns the ids removed."""

    def unread(self) -> list[Unread]:
        """The files that the last build could not read; none where that is not known."""

    def note_unread(self, found: Sequence[Unread]) -> None:
        """Note these in place of what was noted before. Within `writing` only. Raises StorageError."""

    def verify(self) -> Iterator[str]:
        """What is wrong with the state that serves, a line each: every byte and record is read. Raises SnapshotError."""

    def described(self) -> str:
        """How the state that serves is stored and searched, for people. Raises SnapshotError."""

    def interrupted(self) -> bool:
        """Whether a build is under way or was killed."""
