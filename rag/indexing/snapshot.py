"""A built index on disk: immutable, checked when it is opened, and switched by replacing one small file.

    index/current                 the id of the snapshot that serves, and a line end
    index/snapshots/ID/manifest.json   what made it and the digest of every file in it (see `Manifest`)
    index/snapshots/ID/corpus.sqlite   documents with their original text, and chunks as ranges of it
    index/snapshots/ID/vectors.faiss   row i is the vector of chunk i

A reader holds open files of one snapshot, so a switch under it changes nothing for it.
"""

import errno
import json
import re
import shutil
import sqlite3
from collections.abc import Iterable, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rag.errors import IndexDamaged, IndexMismatch, IndexMissing
from rag.files import sha256_file, storage_errors, sync, write_atomically
from rag.indexing.dense import DenseIndex
from rag.types import Chunk, Document, Span

FORMAT = 2
_ID = re.compile(r"[0-9A-Za-z-]+")
_MANIFEST, _CORPUS, _VECTORS = "manifest.json", "corpus.sqlite", "vectors.faiss"
_REBUILD = "run `rag index --rebuild`"
# The one that serves and the one before it: a reader that opened the older one is not disturbed, and one can go back by hand.
_KEPT = 2

_SCHEMA = """
create table documents (
    number integer primary key, id text not null unique, path text not null, sha256 text not null,
    media_type text not null, language text not null, date text not null, text text not null, pages text not null);
create table chunks (
    row integer primary key, document integer not null references documents (number),
    start integer not null, stop integer not null);
create index chunks_of_document on chunks (document);
"""


@dataclass(frozen=True, slots=True)
class FileEntry:
    """Size in bytes and SHA-256 of a file of the snapshot."""

    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Maker:
    """What made an index: two indexes with equal makers over equal seeds are equal."""

    embedder: str
    embedder_digest: str
    chunking: dict[str, int]


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a snapshot is. `seeds` maps each document's path to the SHA-256 of its file's bytes."""

    format: int
    id: str
    created: str
    maker: Maker
    documents: int
    chunks: int
    seeds: dict[str, str]
    files: dict[str, FileEntry]

    def to_json(self) -> str:
        """The manifest file's content."""
        return json.dumps(asdict(self), indent=1, ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> "Manifest":
        """Raises IndexMismatch for another format, IndexDamaged for no manifest."""
        try:
            fields = json.loads(text)
            if fields["format"] != FORMAT:
                raise IndexMismatch(f"the index has format {fields['format']}, this rag writes {FORMAT}", _REBUILD)
            files = {name: FileEntry(**entry) for name, entry in fields.pop("files").items()}
            return cls(**{**fields, "maker": Maker(**fields["maker"])}, files=files)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise IndexDamaged(f"the index's manifest cannot be read ({error})", _REBUILD) from error


def current_id(root: Path) -> str | None:
    """The id of the snapshot that serves; None where none was built. Raises IndexDamaged."""
    try:
        name = (root / "current").read_text("utf-8").strip()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError) as error:
        raise IndexDamaged(f"{root / 'current'} cannot be read ({error})", "remove it, then run `rag index`") from error
    if not _ID.fullmatch(name):
        raise IndexDamaged(f"{root / 'current'} names no snapshot", _REBUILD)
    return name


def read_manifest(root: Path) -> Manifest:
    """The manifest of the snapshot that serves. Raises IndexMissing, IndexMismatch or IndexDamaged."""
    name = current_id(root)
    if name is None:
        raise IndexMissing(f"there is no index in {root}", "run `rag index`")
    try:
        text = (_folder(root, name) / _MANIFEST).read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise IndexDamaged(f"the index's manifest cannot be read ({error})", _REBUILD) from error
    return Manifest.from_json(text)


class Snapshot:
    """An open snapshot. Safe to use from several threads."""

    def __init__(self, manifest: Manifest, dense: DenseIndex, corpus: sqlite3.Connection) -> None:
        self.manifest, self.dense, self._corpus = manifest, dense, corpus

    @classmethod
    def open(cls, root: Path) -> "Snapshot":
        """Open and verify the snapshot that serves. Raises IndexMissing, IndexMismatch or IndexDamaged."""
        manifest = read_manifest(root)
        folder = _folder(root, manifest.id)
        verify_files(folder, manifest)
        try:
            # Python's sqlite3 is built in serialised mode, so one connection serves all threads.
            uri = f"{(folder / _CORPUS).absolute().as_uri()}?mode=ro&immutable=1"
            corpus = sqlite3.connect(uri, uri=True, check_same_thread=False)
            return cls(manifest, DenseIndex.open(folder / _VECTORS), corpus)
        except (sqlite3.Error, RuntimeError, OSError) as error:
            raise IndexDamaged(f"the index cannot be opened ({error})", _REBUILD) from error

    def chunks(self, rows: Sequence[int]) -> list[tuple[Chunk, Document]]:
        """The chunks of these rows with their documents, in the order asked."""
        return [self._chunk(row) for row in rows]

    def _chunk(self, row: int) -> tuple[Chunk, Document]:
        query = "select document, start, stop from chunks where row = ?"
        number, start, stop = self._corpus.execute(query, (row,)).fetchone()
        document = self._document("number", number)
        assert document is not None
        return Chunk(document.id, start, stop, document.text[start:stop]), document

    def document(self, document_id: str) -> Document | None:
        """The document with its original text; None where there is none of this id."""
        return self._document("id", document_id)

    def _document(self, column: str, value: str | int) -> Document | None:
        query = f"select id, path, sha256, media_type, language, date, text, pages from documents where {column} = ?"  # noqa: S608 - ours
        row = self._corpus.execute(query, (value,)).fetchone()
        return _as_document(row) if row else None

    def documents(self) -> list[Document]:
        """All documents, by path."""
        rows = self._corpus.execute(
            "select id, path, sha256, media_type, language, date, text, pages from documents order by path"
        )
        return [_as_document(row) for row in rows]

    def languages(self) -> frozenset[str]:
        """The languages of the documents."""
        return frozenset(row[0] for row in self._corpus.execute("select distinct language from documents"))

    def places_of(self, document_id: str) -> list[tuple[int, Span]]:
        """Row and range of each of a document's chunks, in order."""
        query = "select row, start, stop from chunks join documents on number = document where id = ? order by row"
        return [(row, Span(start, stop)) for row, start, stop in self._corpus.execute(query, (document_id,))]

    def close(self) -> None:
        """Let go of the files."""
        self._corpus.close()


def _as_document(row: tuple[str, ...]) -> Document:
    id_, path, sha256, media_type, language, date, text, pages = row
    return Document(id_, path, sha256, media_type, language, date, text, tuple(json.loads(pages)))


def verify_files(folder: Path, manifest: Manifest) -> None:
    """Hash every file of the snapshot. Raises IndexDamaged."""
    for name, entry in manifest.files.items():
        path = folder / name
        if not path.is_file():
            raise IndexDamaged(f"the index lacks {path}", _REBUILD)
        if path.stat().st_size != entry.size or sha256_file(path) != entry.sha256:
            raise IndexDamaged(f"{path} is not what the manifest says", _REBUILD)


@dataclass(frozen=True, slots=True)
class Entry:
    """A document ready to be written: its chunks, and their vectors of shape (len(chunks), dimension)."""

    document: Document
    chunks: Sequence[Chunk]
    vectors: NDArray[np.float32]


def write(root: Path, maker: Maker, entries: Sequence[Entry]) -> Manifest:
    """Write a snapshot, then make it the one that serves. The caller holds `lock`.

    Until the last step nothing that serves is touched. Raises StorageError.
    """
    with storage_errors(root):
        clear_abandoned(root)
        building = root / "snapshots" / ".building"
        building.mkdir(parents=True)
        _write_corpus(building / _CORPUS, entries)
        DenseIndex.build(np.concatenate([entry.vectors for entry in entries])).write(building / _VECTORS)
        manifest = _seal(building, maker, entries)
        building.rename(_folder(root, manifest.id))
        sync(root / "snapshots")
        write_atomically(root / "current", manifest.id + "\n")
        _prune(root, manifest.id)
    return manifest


def _write_corpus(path: Path, entries: Iterable[Entry]) -> None:
    try:
        with closing(sqlite3.connect(path)) as corpus:
            corpus.executescript(_SCHEMA)
            row = 0
            for number, entry in enumerate(entries):
                d = entry.document
                values = (number, d.id, d.path, d.sha256, d.media_type, d.language, d.date, d.text, json.dumps(d.pages))
                corpus.execute("insert into documents values (?, ?, ?, ?, ?, ?, ?, ?, ?)", values)
                rows = [(row + i, number, chunk.start, chunk.end) for i, chunk in enumerate(entry.chunks)]
                corpus.executemany("insert into chunks values (?, ?, ?, ?)", rows)
                row += len(rows)
            corpus.commit()
    except sqlite3.OperationalError as error:
        raise _as_os_error(error, path) from error


def _as_os_error(error: sqlite3.OperationalError, path: Path) -> OSError:
    """SQLite has its own words for a full disk."""
    number = errno.ENOSPC if "full" in str(error) else errno.EROFS if "readonly" in str(error) else errno.EIO
    return OSError(number, str(error), str(path))


def _seal(building: Path, maker: Maker, entries: Sequence[Entry]) -> Manifest:
    files = {}
    for name in (_CORPUS, _VECTORS):
        sync(building / name)
        files[name] = FileEntry((building / name).stat().st_size, sha256_file(building / name))
    now = datetime.now(UTC)
    manifest = Manifest(
        format=FORMAT,
        id=f"{now:%Y%m%dT%H%M%S}{now.microsecond:06}-{files[_CORPUS].sha256[:8]}",
        created=now.isoformat(timespec="seconds"),
        maker=maker,
        documents=len(entries),
        chunks=sum(len(entry.chunks) for entry in entries),
        seeds={entry.document.path: entry.document.sha256 for entry in entries},
        files=files,
    )
    (building / _MANIFEST).write_text(manifest.to_json(), encoding="utf-8")
    sync(building / _MANIFEST)
    sync(building)
    return manifest


def _folder(root: Path, name: str) -> Path:
    return root / "snapshots" / name


def clear_abandoned(root: Path) -> None:
    """Remove what a killed build left. The caller holds the lock."""
    shutil.rmtree(root / "snapshots" / ".building", ignore_errors=True)


def _prune(root: Path, serving: str) -> None:
    """Keep the snapshot that serves and the newest before it."""
    others = sorted(p for p in (root / "snapshots").iterdir() if p.name != serving and not p.name.startswith("."))
    for path in others[: len(others) - (_KEPT - 1)]:
        shutil.rmtree(path, ignore_errors=True)
