"""A segment: documents with their texts, chunks and vectors, written once and never changed.

    corpus.sqlite    documents, their texts, and chunks as ranges of the texts
    vectors.npy      row i is the vector of the segment's i-th chunk (see `dense`)
    removed.json     numbers of documents that a later build removed; missing if there are none

The numbers of documents and those of their chunks ascend together, so a chunk's row follows from the documents.
"""

import errno
import json
import sqlite3
import weakref
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import cached_property, lru_cache, partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rag.errors import IndexDamaged
from rag.indexing.embedded import dense
from rag.indexing.embedded.dense import DenseIndex
from rag.indexing.protocol import Listed, Piece
from rag.types import Condition, Document

CORPUS, REMOVED = "corpus.sqlite", "removed.json"
# Texts of documents kept in memory: a search reads the same few again for neighbouring chunks and citations.
_TEXTS_KEPT = 16

_SCHEMA = """
pragma page_size = 8192;
create table documents (
    number integer primary key, id text not null unique, path text not null, sha256 text not null, media_type text not null,
    language text not null, date text not null, pages text not null, first integer not null, count integer not null);
create table texts (number integer primary key references documents (number), text text not null);
create table chunks (
    number integer primary key, document integer not null references documents (number),
    start integer not null, stop integer not null, digest blob not null);
create index chunks_by_digest on chunks (digest);
create index documents_by_sha256 on documents (sha256);
"""
_COLUMNS = "number, id, path, sha256, media_type, language, date, pages, first, count"


@dataclass(frozen=True, slots=True)
class Entry:
    """A document to write: its number, its chunks numbered from `first`, and their vectors, (len(pieces), dimension)."""

    number: int
    first: int
    document: Document
    pieces: Sequence[Piece]
    vectors: NDArray[np.float32]


class Segment:
    """An open segment. Safe to use from several threads. Its files are closed by `close`, or with the last reference to it."""

    def __init__(self, folder: Path, corpus: sqlite3.Connection, vectors: DenseIndex, removed: frozenset[int]) -> None:
        self.name, self.dense, self.removed, self._corpus = folder.name, vectors, removed, corpus
        # A connection is part of a reference cycle: by itself, it would keep its file open until the next garbage collection.
        self.close = weakref.finalize(self, corpus.close)
        table = np.array(
            corpus.execute("select number, first, count from documents order by number").fetchall(), dtype=np.int64
        )
        self._documents, firsts, counts = table.reshape(-1, 3).T
        self._rows = np.repeat(np.arange(len(counts)), counts)
        before = np.cumsum(counts) - counts
        self.numbers: NDArray[np.int64] = np.repeat(firsts - before, counts) + np.arange(len(self._rows))
        self._alive = ~np.isin(self._documents, list(removed)) if removed else np.ones(len(counts), dtype=np.bool_)
        self.live: int = int(counts[self._alive].sum())
        # Of the connection, not of a method of self: a reference cycle would keep the files of old snapshots open.
        self._text = lru_cache(_TEXTS_KEPT)(partial(_read_text, corpus))
        if len(self.numbers) != len(vectors.vectors):
            raise IndexDamaged(f"{folder} has {len(self.numbers)} chunks and {len(vectors.vectors)} vectors", REBUILD)

    @classmethod
    def open(cls, folder: Path) -> "Segment":
        """Open it read-only. Raises sqlite3.Error, OSError, ValueError, RuntimeError or IndexDamaged if it is damaged."""
        # Python's sqlite3 is built in serialised mode, so all threads may use one connection.
        uri = f"{(folder / CORPUS).absolute().as_uri()}?mode=ro&immutable=1"
        corpus = sqlite3.connect(uri, uri=True, check_same_thread=False)
        removed = folder / REMOVED
        gone = frozenset(json.loads(removed.read_text("utf-8"))) if removed.exists() else frozenset()
        return cls(folder, corpus, DenseIndex.open(folder), gone)

    def rows(self, chunks: NDArray[np.int64]) -> NDArray[np.int64]:
        """The row of each of these chunk numbers, -1 for a chunk of another segment. Shape (chunks,)."""
        if not len(self.numbers):
            return np.full(len(chunks), -1)
        places = np.minimum(np.searchsorted(self.numbers, chunks), len(self.numbers) - 1)
        return np.where(self.numbers[places] == chunks, places, -1)

    def document_of(self, chunk: int) -> int | None:
        """The number of the document with this chunk; None if the chunk is in another segment."""
        row = int(self.numbers.searchsorted(chunk))
        return int(self._documents[self._rows[row]]) if row < len(self.numbers) and self.numbers[row] == chunk else None

    def allowed(self, documents: NDArray[np.int64] | None) -> NDArray[np.bool_] | None:
        """Which rows may be found, shape (rows,): of `documents`, if given, that were not removed. None if all may."""
        if documents is None and self._alive.all():
            return None
        chosen = self._alive if documents is None else self._alive & np.isin(self._documents, documents)
        return np.asarray(chosen[self._rows])

    def documents_of(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """The document number of each row, shape (rows,)."""
        return np.asarray(self._documents[self._rows[rows]])

    def languages_of(self, rows: NDArray[np.int64]) -> list[str]:
        """The language of each row's document."""
        return [self._language[number] for number in self.documents_of(rows).tolist()]

    @cached_property
    def _language(self) -> dict[int, str]:
        return dict(self._corpus.execute("select number, language from documents").fetchall())

    @cached_property
    def listed(self) -> tuple[Listed, ...]:
        """Every document that was not removed, ascending by number."""
        rows = self._corpus.execute(f"select {_COLUMNS} from documents order by number")  # noqa: S608 - ours
        return tuple(_as_listed(row) for row in rows if row[0] not in self.removed)

    def matching(self, conditions: Sequence[Condition]) -> list[int]:
        """Numbers of the documents that meet all conditions and were not removed."""
        clauses, values = zip(*(_clause(condition) for condition in conditions), strict=True)
        query = f"select number from documents where {' and '.join(clauses)}"  # noqa: S608 - clauses are ours, values are bound
        found = self._corpus.execute(query, [value for group in values for value in group])
        return [number for (number,) in found if number not in self.removed]

    @cached_property
    def languages(self) -> dict[str, int]:
        """Number of chunks in each language, including those of removed documents."""
        return dict(self._corpus.execute("select language, sum(count) from documents group by language").fetchall())

    def find(self, column: str, value: str | int) -> Listed | None:
        """A document whose `column` (number, id, path or sha256) has this value; None if there is none."""
        assert column in {"number", "id", "path", "sha256"}
        rows = self._corpus.execute(f"select {_COLUMNS} from documents where {column} = ?", (value,))  # noqa: S608 - one of four
        return next((_as_listed(row) for row in rows if row[0] not in self.removed), None)

    def with_text(self, listed: Listed) -> Document:
        """The document with its original text."""
        li = listed
        text = self._text(li.number)
        return Document(li.id, li.path, li.sha256, li.media_type, li.language, li.date, text, li.pages)

    def characters(self, listed: Listed) -> int:
        """The length of the document's text."""
        return len(_read_text(self._corpus, listed.number))

    def pieces(self, listed: Listed) -> list[Piece]:
        """The document's chunks, in order."""
        query = "select start, stop, digest from chunks where number >= ? and number < ? order by number"
        return [Piece(*row) for row in self._corpus.execute(query, (listed.first, listed.first + listed.count))]

    def piece(self, chunk: int) -> Piece:
        """The chunk with this number, which the segment has."""
        return Piece(*self._corpus.execute("select start, stop, digest from chunks where number = ?", (chunk,)).fetchone())

    def entry(self, listed: Listed) -> Entry:
        """Everything that is stored of a document, to write it into another segment."""
        row = int(self.rows(np.array([listed.first]))[0]) if listed.count else 0
        vectors = np.array(self.dense.vectors[row : row + listed.count])
        return Entry(listed.number, listed.first, self.with_text(listed), self.pieces(listed), vectors)

    def vectors_of(self, digests: Collection[bytes]) -> dict[bytes, NDArray[np.float32]]:
        """The vectors of those texts that the segment has, by digest; each of shape (dimension,)."""
        found: dict[bytes, NDArray[np.float32]] = {}
        for digest in digests:
            row = self._corpus.execute("select number from chunks where digest = ? limit 1", (digest,)).fetchone()
            if row is not None:
                found[digest] = np.array(self.dense.vectors[self.rows(np.array(row))[0]])
        return found

    def check(self) -> Iterator[str]:
        """The defects inside, a line each. Reads everything."""
        (state,) = self._corpus.execute("pragma integrity_check").fetchone()
        if state != "ok":
            yield f"{self.name}: corpus.sqlite: {state}"
        for listed in self.listed:
            length = len(_read_text(self._corpus, listed.number))
            if any(not 0 <= piece.start < piece.end <= length for piece in self.pieces(listed)):
                yield f"{self.name}: a chunk of {listed.path} lies outside its text"
        norms = np.linalg.norm(self.dense.vectors, axis=1)
        if not np.allclose(norms, 1, atol=1e-2):
            yield f"{self.name}: vectors.npy holds vectors that are not of length 1"


REBUILD = "run `rag index --rebuild`"


def write(folder: Path, entries: Iterable[Entry]) -> None:
    """Write a segment of these entries, ascending by number. Raises OSError."""
    folder.mkdir(parents=True)
    try:
        with closing(sqlite3.connect(folder / CORPUS)) as corpus:
            corpus.executescript(_SCHEMA)
            vectors = [_insert(corpus, entry) for entry in entries]
            corpus.commit()
    except sqlite3.OperationalError as error:
        raise _as_os_error(error, folder / CORPUS) from error
    dense.write(folder, np.concatenate(vectors))


def _insert(corpus: sqlite3.Connection, entry: Entry) -> NDArray[np.float32]:
    d, count = entry.document, len(entry.pieces)
    row = (entry.number, d.id, d.path, d.sha256, d.media_type, d.language, d.date, json.dumps(d.pages), entry.first, count)
    corpus.execute("insert into documents values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", row)
    corpus.execute("insert into texts values (?, ?)", (entry.number, d.text))
    rows = [(entry.first + i, entry.number, piece.start, piece.end, piece.digest) for i, piece in enumerate(entry.pieces)]
    corpus.executemany("insert into chunks values (?, ?, ?, ?, ?)", rows)
    return entry.vectors


def _read_text(corpus: sqlite3.Connection, number: int) -> str:
    row = corpus.execute("select text from texts where number = ?", (number,)).fetchone()
    if row is None:
        raise IndexDamaged(f"the index lacks the text of document {number}", REBUILD)
    return str(row[0])


def write_removed(folder: Path, removed: Collection[int]) -> None:
    """Write the numbers of removed documents beside the segment in `folder`, as a new file: the old one may be a hard link."""
    path = folder / REMOVED
    path.unlink(missing_ok=True)
    path.write_text(json.dumps(sorted(removed)), encoding="utf-8")


def _as_listed(row: Sequence[str | int]) -> Listed:
    number, id_, path, sha256, media_type, language, date, pages, first, count = row
    where = tuple(json.loads(str(pages)))
    return Listed(
        int(number), str(id_), str(path), str(sha256), str(media_type), str(language), str(date), where, int(first), int(count)
    )


def _as_os_error(error: sqlite3.OperationalError, path: Path) -> OSError:
    """The error with an errno, which SQLite gives only as text."""
    number = errno.ENOSPC if "full" in str(error) else errno.EROFS if "readonly" in str(error) else errno.EIO
    return OSError(number, str(error), str(path))


def _clause(condition: Condition) -> tuple[str, list[str]]:
    """The condition as SQL over `documents`, with the values to bind."""
    each = [_CLAUSES[condition.field](condition.operator, value) for value in condition.values]
    joined = " or ".join(sql for sql, _ in each)
    return f"{'not ' if condition.negated else ''}({joined})", [text for _, values in each for text in values]


def _document(_: str, value: str) -> tuple[str, list[str]]:
    """By path, in which `*` stands for any characters, or by id."""
    pattern = "".join(f"[{c}]" if c in "[?" else c for c in value)
    return "(path glob ? or id = ?)", [pattern, value]


def _folder(_: str, value: str) -> tuple[str, list[str]]:
    prefix = value.strip("/") + "/"
    return "substr(path, 1, length(?)) = ?", [prefix, prefix]


def _language(_: str, value: str) -> tuple[str, list[str]]:
    return "language = ?", [value]


def _date(operator: str, value: str) -> tuple[str, list[str]]:
    """A year or a month equals all its days."""
    assert operator in {"=", "<", "<=", ">", ">="}
    return f"substr(date, 1, length(?)) {operator} ?", [value, value]


_CLAUSES = {"document": _document, "folder": _folder, "language": _language, "date": _date}
