"""Entries, snapshots and homes for the tests of the index, in a few words each."""

import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rag.files import sha256_file
from rag.indexing import build, changes
from rag.indexing.build import BuildReport
from rag.indexing.embedded import snapshot
from rag.indexing.embedded.embedded_index import EmbeddedIndex
from rag.indexing.embedded.segment import Entry
from rag.indexing.embedded.snapshot import Snapshot, SnapshotManifest
from rag.indexing.protocol import Maker, NewDocument, Piece
from rag.ingestion.chunking import Chunking
from rag.types import Document
from tests.fakes import BagEmbedder

CHUNKING = Chunking(least=5, most=8)
MAKER = Maker("bag", BagEmbedder.digest, CHUNKING.as_dict())


def document(path: str, text: str, language: str = "id", date: str = "2026-01-01") -> Document:
    return Document(f"id-{path}", path, f"sha-{path}-{text}", "text/plain", language, date, text)


def halves(text: str) -> list[Piece]:
    """Two chunks, or one where there is one character."""
    middle = len(text) // 2
    spans = [(0, middle), (middle, len(text))] if middle else [(0, len(text))]
    return [Piece(start, end, _digest(text[start:end])) for start, end in spans]


def _digest(text: str) -> bytes:
    return changes._text_digest(text)


def entry(number: int, first: int, made: Document) -> Entry:
    pieces = halves(made.text)
    vectors = BagEmbedder().embed_passages([made.text[piece.start : piece.end] for piece in pieces])
    return Entry(number, first, made, pieces, vectors)


def entries(documents: Iterable[Document]) -> list[Entry]:
    """Entries numbered from 0 on."""
    made: list[Entry] = []
    for number, each in enumerate(documents):
        made.append(entry(number, sum(len(e.pieces) for e in made), each))
    return made


def write(
    root: Path, documents: Iterable[Document], *, base: Snapshot | None = None, without: Iterable[str] = ()
) -> SnapshotManifest:
    """Make a snapshot serve: what `base` has, without some paths, and the new documents."""
    gone = set(without)
    stays = {listed.number for listed in base.listed() if listed.path not in gone} if base else set()
    new = [NewDocument(each, halves(each.text)) for each in documents]
    index = EmbeddedIndex(root)
    with index.writing():
        return index.write(base, MAKER, stays=stays, new=new, vectors=vectors_of(new))


def vectors_of(new: Iterable[NewDocument]) -> dict[bytes, NDArray[np.float32]]:
    """The vectors of all chunks by the digest of their text."""
    texts = {piece.digest: each.document.text[piece.start : piece.end] for each in new for piece in each.pieces}
    return dict(zip(texts, BagEmbedder().embed_passages(list(texts.values())), strict=True)) if texts else {}


def grow(root: Path, *documents: Document, without: Iterable[str] = ()) -> SnapshotManifest:
    """Write a snapshot after the one that serves."""
    base = Snapshot.open(root)
    manifest = write(root, documents, base=base, without=without)
    base.close()
    return manifest


def texts(root: Path, name: str | None = None) -> dict[str, str]:
    """The text of every document by path."""
    opened = Snapshot.open(root, name)
    found = {listed.path: segment.with_text(listed).text for segment in opened.segments for listed in segment.listed}
    opened.close()
    return found


def digests(folder: Path) -> dict[str, str]:
    """The digest of every file below the folder."""
    return {str(path.relative_to(folder)): sha256_file(path) for path in sorted(folder.rglob("*")) if path.is_file()}


Chunks = dict[tuple[str, int, int], tuple[str, bytes]]


def chunks(root: Path, name: str | None = None) -> Chunks:
    """Every chunk by path and range: its text and its vector."""
    opened = Snapshot.open(root, name)
    found: Chunks = {}
    for segment in opened.segments:
        for listed in segment.listed:
            stored = segment.entry(listed)
            for piece, vector in zip(stored.pieces, stored.vectors, strict=True):
                key = (listed.path, piece.start, piece.end)
                assert key not in found
                found[key] = (stored.document.text[piece.start : piece.end], np.round(vector, 5).tobytes())
    opened.close()
    return found


class Home:
    """A folder with seeds and an index, built by a bag of words."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.seeds, self.root = folder, folder / "seeds", folder / "index"
        self.index, self.embedder = EmbeddedIndex(self.root), BagEmbedder()
        self.seeds.mkdir(parents=True, exist_ok=True)

    def put(self, path: str, text: str) -> None:
        (self.seeds / path).parent.mkdir(parents=True, exist_ok=True)
        (self.seeds / path).write_text(text, encoding="utf-8")

    def put_all(self, documents: Mapping[str, str]) -> None:
        """Make the seeds exactly these."""
        shutil.rmtree(self.seeds)
        for path, text in documents.items():
            self.put(path, text)

    def drop(self, path: str) -> None:
        (self.seeds / path).unlink()

    def build(self, *, anew: bool = False) -> BuildReport:
        return build.rebuild(
            seeds=self.seeds,
            index=self.index,
            maker=MAKER,
            chunking=CHUNKING,
            open_embedder=lambda: self.embedder,
            anew=anew,
        )

    def open(self) -> Snapshot:
        return Snapshot.open(self.root)

    def is_whole(self) -> bool:
        return list(snapshot.verify(self.root)) == []
