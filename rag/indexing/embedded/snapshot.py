"""A snapshot: a state of the index as files, immutable, and checked when it is opened.

    index/current                          the id of the snapshot that serves, and a line end
    index/snapshots/ID/manifest.json       what made it, and the digest of every file in it (see `SnapshotManifest`)
    index/snapshots/ID/segments/NAME/      documents, chunks and vectors (see `segment`)
    index/snapshots/ID/lexical/            the words (see `lexical`)

Files that did not change are hard links to those of the snapshot before. So a build writes only what is new, and a snapshot is
removed by removing its folder. A reader holds its files open: neither a switch nor a removal disturbs it.
"""

import hashlib
import json
import math
import re
import sqlite3
from collections.abc import Collection, Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import chain
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rag.errors import IndexDamaged, IndexMismatch, IndexMissing
from rag.files import sha256_file, storage_errors
from rag.indexing.embedded.lexical import LexicalIndex
from rag.indexing.embedded.segment import REBUILD, Segment
from rag.indexing.protocol import Candidates, Column, Listed, Maker, Manifest, Mode, Piece, Place
from rag.types import Condition, Document

FORMAT = 3
MANIFEST, SEGMENTS, LEXICAL = "manifest.json", "segments", "lexical"
# Within the 255 bytes that a file name may have.
_ID = re.compile(r"[0-9A-Za-z-]{1,100}")


@dataclass(frozen=True, slots=True)
class FileEntry:
    """Size in bytes, modification time and SHA-256 of a file of the snapshot."""

    size: int
    mtime_ns: int
    sha256: str


@dataclass(frozen=True, slots=True)
class SnapshotManifest(Manifest):
    """The manifest of a snapshot, as it is stored.

    `next_document` and `next_chunk` are the lowest unused numbers. Keys of `files` are paths relative to the snapshot's folder.
    """

    format: int
    next_document: int
    next_chunk: int
    files: dict[str, FileEntry]

    def to_json(self) -> str:
        """The manifest file's content."""
        return json.dumps(asdict(self), indent=1, ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> "SnapshotManifest":
        """Read `to_json`. Raises IndexMismatch for another format, IndexDamaged if it is no manifest or was altered."""
        try:
            fields = json.loads(text)
            if fields["format"] != FORMAT:
                raise IndexMismatch(f"the index has format {fields['format']}, this rag writes {FORMAT}", REBUILD)
            files = {name: FileEntry(**entry) for name, entry in fields.pop("files").items()}
            fields |= {"maker": Maker(**fields["maker"]), "segments": tuple(fields["segments"])}
            manifest = cls(**fields, files=files)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise IndexDamaged(f"the index's manifest cannot be read ({error})", REBUILD) from error
        if not manifest.id.endswith(manifest.digest()):
            raise IndexDamaged("the index's manifest is not what was written", REBUILD)
        return manifest

    def digest(self) -> str:
        """Eight hexadecimal digits of SHA-256 over all fields but `id`, which ends with them."""
        said = json.dumps({**asdict(self), "id": ""}, sort_keys=True)
        return hashlib.sha256(said.encode()).hexdigest()[:8]


def folder_of(root: Path, name: str) -> Path:
    """The folder of the snapshot with this id."""
    return root / "snapshots" / name


def current_id(root: Path) -> str | None:
    """The id of the snapshot that serves; None if nothing was built yet. Raises IndexDamaged."""
    try:
        name = (root / "current").read_text("utf-8").strip()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError) as error:
        raise IndexDamaged(f"{root / 'current'} cannot be read ({error})", "remove it, then run `rag index`") from error
    if not _ID.fullmatch(name):
        raise IndexDamaged(f"{root / 'current'} names no snapshot", REBUILD)
    return name


def read_manifest(root: Path, name: str | None = None) -> SnapshotManifest:
    """The manifest of the snapshot with the id `name`, by default of the one that serves.

    Raises IndexMissing, IndexMismatch or IndexDamaged.
    """
    name = name or current_id(root)
    if name is None:
        raise IndexMissing(f"there is no index in {root}", "run `rag index`")
    try:
        text = (folder_of(root, name) / MANIFEST).read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise IndexDamaged(f"the index's manifest cannot be read ({error})", REBUILD) from error
    return SnapshotManifest.from_json(text)


class Snapshot:
    """An open snapshot. Safe to use from several threads."""

    def __init__(self, manifest: SnapshotManifest, segments: Sequence[Segment], lexical: LexicalIndex) -> None:
        self.manifest, self.segments, self.lexical = manifest, tuple(segments), lexical

    @classmethod
    def open(cls, root: Path, name: str | None = None) -> "Snapshot":
        """Open and check the snapshot with the id `name`, by default the one that serves.

        Raises IndexMissing, IndexMismatch or IndexDamaged; StorageError if the system does not allow it to be opened.
        """
        manifest = read_manifest(root, name)
        folder = folder_of(root, manifest.id)
        for problem in changed_files(folder, manifest):
            raise IndexDamaged(problem, REBUILD)
        try:
            # A full disk (`lexical` needs a temporary folder) or too many open files are no damage: no rebuild is needed.
            with storage_errors(folder):
                segments = [Segment.open(folder / SEGMENTS / segment) for segment in manifest.segments]
                return cls(manifest, segments, LexicalIndex.open(folder / LEXICAL))
        except (sqlite3.Error, RuntimeError, OSError, ValueError) as error:
            raise IndexDamaged(f"the index cannot be opened ({error})", REBUILD) from error

    def listed(self) -> Iterator[Listed]:
        """Every document without its text."""
        return chain.from_iterable(segment.listed for segment in self.segments)

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
        """The best `depth` chunks of each side of `mode`, among documents that meet all of `where`; both sides score each."""
        documents = self._matching(where)
        proposed: set[int] = set()
        if mode != "lexical":
            proposed.update(self._nearest(query, depth, documents))
        if mode != "dense":
            allowed = None if documents is None else documents.tolist()
            proposed.update(number for number, _ in self.lexical.search(question, language, depth, allowed))
        chunks = np.array(sorted(proposed), dtype=np.int64)
        return Candidates(
            chunks=chunks,
            dense=self._dense_scores(query, chunks),
            lexical=np.array(self.lexical.scores(question, language, chunks.tolist()), dtype=np.float32),
            languages=self._languages_of(chunks),
            information=self.lexical.information(question, language),
        )

    def _matching(self, conditions: Sequence[Condition]) -> NDArray[np.int64] | None:
        """Numbers of the documents that meet all conditions; None if there are no conditions."""
        if not conditions:
            return None
        return np.array([n for segment in self.segments for n in segment.matching(conditions)], dtype=np.int64)

    def _nearest(self, query: NDArray[np.float32], depth: int, documents: NDArray[np.int64] | None) -> list[int]:
        """Numbers of the `depth` chunks of all segments whose vectors are nearest to the query."""
        found: list[tuple[float, int]] = []
        for segment in self.segments:
            hits = segment.dense.search(query, depth, segment.allowed(documents))
            found += zip(hits.scores.tolist(), segment.numbers[hits.rows].tolist(), strict=True)
        return [number for _, number in sorted(found, reverse=True)[:depth]]

    def _dense_scores(self, query: NDArray[np.float32], chunks: NDArray[np.int64]) -> NDArray[np.float32]:
        """The cosine similarity of each chunk with the query, shape (chunks,)."""
        scores = np.zeros(len(chunks), dtype=np.float32)
        for segment, here, rows in self._by_segment(chunks):
            scores[here] = segment.dense.scores(query, rows)
        return scores

    def _languages_of(self, chunks: NDArray[np.int64]) -> list[str]:
        found = np.full(len(chunks), "", dtype=object)
        for segment, here, rows in self._by_segment(chunks):
            found[here] = segment.languages_of(rows)
        return [str(language) for language in found]

    def _by_segment(self, chunks: NDArray[np.int64]) -> Iterator[tuple[Segment, NDArray[np.bool_], NDArray[np.int64]]]:
        """Each segment, which of the chunks it holds, shape (chunks,), and their rows there."""
        for segment in self.segments:
            rows = segment.rows(chunks)
            yield segment, rows >= 0, rows[rows >= 0]

    def place(self, chunk: int) -> Place:
        """The place of the chunk with this number, which the snapshot has."""
        segment, document = self._holder(chunk)
        listed = segment.find("number", document)
        assert listed is not None
        piece = segment.piece(chunk)
        return Place(listed, piece.start, piece.end)

    def _holder(self, chunk: int) -> tuple[Segment, int]:
        """The segment that holds the chunk, and the number of its document."""
        for segment in self.segments:
            if (document := segment.document_of(chunk)) is not None:
                return segment, document
        raise AssertionError(chunk)

    def find(self, column: Column, value: str | int) -> Listed | None:
        """A document whose `column` has this value; None if there is none."""
        return next((listed for segment in self.segments if (listed := segment.find(column, value))), None)

    def document(self, document_id: str) -> Document | None:
        """The document with this id and its original text; None if there is none."""
        found = self.find("id", document_id)
        return self.with_text(found) if found else None

    def with_text(self, listed: Listed) -> Document:
        """The document with its original text."""
        return self._holder(listed.first)[0].with_text(listed)

    def pieces(self, listed: Listed) -> list[Piece]:
        """The document's chunks, in order."""
        return self._holder(listed.first)[0].pieces(listed)

    def characters(self, listed: Listed) -> int:
        """The length of a document's text in code points. The text is read, and not kept in memory."""
        return self._holder(listed.first)[0].characters(listed)

    def chunk_texts(self) -> Iterator[str]:
        """The text of every chunk: the documents added last come first, the chunks of each document in order."""
        places = sorted(((s, listed) for s in self.segments for listed in s.listed), key=lambda place: -place[1].number)
        for segment, listed in places:
            text = segment.with_text(listed).text
            yield from (text[piece.start : piece.end] for piece in segment.pieces(listed))

    def vectors_of(self, digests: Collection[bytes]) -> dict[bytes, NDArray[np.float32]]:
        """The vectors of those texts that the segments have, by digest; each of shape (dimension,)."""
        found: dict[bytes, NDArray[np.float32]] = {}
        for segment in self.segments:
            found |= segment.vectors_of(set(digests) - found.keys())
        return found

    def languages(self) -> dict[str, int]:
        """Number of chunks in each language, including those of removed documents that segments still hold."""
        totals: dict[str, int] = {}
        for segment in self.segments:
            for language, count in segment.languages.items():
                totals[language] = totals.get(language, 0) + count
        return totals

    def sample(self, count: int) -> tuple[NDArray[np.float32], list[str]]:
        """About `count` chunks, always the same: vectors of shape (sampled, dimension), and their documents' languages."""
        share = min(1.0, count / max(1, sum(len(segment.numbers) for segment in self.segments)))
        random = np.random.default_rng(0)
        drawn, languages = [], []
        for segment in self.segments:
            rows = np.sort(random.permutation(len(segment.numbers))[: math.ceil(share * len(segment.numbers))])
            drawn.append(np.array(segment.dense.vectors[rows]))
            languages += segment.languages_of(rows)
        return np.concatenate(drawn), languages

    def close(self) -> None:
        """Close the files."""
        for segment in self.segments:
            segment.close()


def changed_files(folder: Path, manifest: SnapshotManifest, *, hashing: bool = False) -> Iterator[str]:
    """The files that are missing or changed, a line each.

    A file with the size and modification time of the manifest counts as unchanged, unless `hashing`: then every byte is read.
    """
    for name, entry in manifest.files.items():
        path = folder / name
        try:
            status = path.stat()
            same = status.st_size == entry.size
            if same and (hashing or status.st_mtime_ns != entry.mtime_ns):
                same = sha256_file(path) == entry.sha256
        except OSError as error:
            yield f"the index lacks {path} ({error.strerror})"
            continue
        if not same:
            yield f"{path} is not what the manifest says"


def verify(root: Path, name: str | None = None) -> Iterator[str]:
    """Every defect of the snapshot, a line each; every byte and every record is read. Raises SnapshotError."""
    manifest = read_manifest(root, name)
    problems = list(changed_files(folder_of(root, manifest.id), manifest, hashing=True))
    yield from problems
    if problems:
        return
    opened = Snapshot.open(root, manifest.id)
    yield from chain.from_iterable(segment.check() for segment in opened.segments)
    live = sum(segment.live for segment in opened.segments)
    counts = {"the manifest": manifest.chunks, "the segments": live, "the words": len(opened.lexical)}
    if len(set(counts.values())) > 1:
        yield "chunks are counted differently: " + ", ".join(f"{count} by {who}" for who, count in counts.items())
    opened.close()
