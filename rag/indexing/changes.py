"""The steps of a build: compare the seeds with the index, read and chunk new documents, and get the vectors of their chunks.

Reads only files written since the last build. Embeds each text once, and none whose vector is known.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rag.errors import SeedError
from rag.indexing.build_cache import DIGEST_BYTES, Stamps, Unfinished
from rag.indexing.protocol import Listed, NewDocument, Piece, Progress, State, Unread
from rag.ingestion import seeds_folder
from rag.ingestion.chunking import Chunking, chunk
from rag.types import Embedder

# Chunks embedded between two reports of progress, and between two writes to the cache of unfinished vectors.
_STRIDE = 256


@dataclass(slots=True)
class Plan:
    """The action of a build for each path.

    `unchanged` documents stay; `kept` ones stay because their files cannot be read now; `fresh` ones, with the SHA-256 of their
    bytes, are read. `unread` lists what cannot be read.
    """

    unchanged: dict[str, Listed] = field(default_factory=dict)
    kept: dict[str, Listed] = field(default_factory=dict)
    fresh: dict[str, str] = field(default_factory=dict)
    unread: list[Unread] = field(default_factory=list)

    def stays(self) -> set[int]:
        """Numbers of the documents that stay as they are."""
        return {listed.number for listed in (*self.unchanged.values(), *self.kept.values())}


def unread(path: str, error: SeedError, *, is_folder: bool = False) -> Unread:
    """The error as a note about the path."""
    return Unread(path, type(error).__name__, str(error), is_folder)


def plan(folder: Path, stamps: Stamps, before: Mapping[str, Listed]) -> Plan:
    """Compare the seeds in `folder` with the documents `before`, by path. Raises SeedError if the folder cannot be read."""
    todo = Plan()
    found = seeds_folder.find(folder)
    for closed in found.closed:
        todo.unread.append(unread(closed.path, closed.error, is_folder=True))
        todo.kept |= {path: listed for path, listed in before.items() if path.startswith(closed.path + "/")}
    for path in found.paths:
        try:
            sha256 = _digest(folder, path, stamps)
        except SeedError as error:
            todo.unread.append(unread(path, error))
            if path in before:
                todo.kept[path] = before[path]
            continue
        if path in before and before[path].sha256 == sha256:
            todo.unchanged[path] = before[path]
        else:
            todo.fresh[path] = sha256
    stamps.save()
    return todo


def _digest(folder: Path, path: str, stamps: Stamps) -> str:
    """SHA-256 of the seed's bytes, which are not read if the file was not written since."""
    stamp = seeds_folder.stamp(folder, path)
    known = stamps.digest(path, stamp)
    if known is None:
        known = seeds_folder.read(folder, path).sha256
        stamps.learn(path, stamp, known)
    return known


def read(
    folder: Path,
    plan: Plan,
    base: State | None,
    *,
    chunking: Chunking,
    open_embedder: Callable[[], Embedder],
    progress: Progress,
) -> list[NewDocument]:
    """The fresh documents of `plan` with their chunks, in path order. What cannot be read is added to `plan.unread`."""
    fresh: list[NewDocument] = []
    for done, (path, sha256) in enumerate(plan.fresh.items()):
        progress("reading", done, len(plan.fresh))
        moved = base.find("sha256", sha256) if base else None
        try:
            # The same bytes are read differently under another suffix: `page.txt` is the source of `page.html`.
            if base and moved and seeds_folder.suffix(moved.path) == seeds_folder.suffix(path):
                fresh.append(_moved(base, moved, path))
                continue
            document = seeds_folder.parse(seeds_folder.read(folder, path))
        except SeedError as error:
            plan.unread.append(unread(path, error))
            continue
        chunks = chunk(document, open_embedder().token_starts(document.text), chunking)
        fresh.append(NewDocument(document, [Piece(c.start, c.end, _text_digest(c.text)) for c in chunks]))
    if plan.fresh:
        progress("reading", len(plan.fresh), len(plan.fresh))
    return fresh


def _text_digest(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()[:DIGEST_BYTES]


def _moved(base: State, listed: Listed, path: str) -> NewDocument:
    """A known document under another path: a renamed or copied file is not parsed or embedded again."""
    document = replace(base.with_text(listed), id=seeds_folder.document_id(path), path=path)
    return NewDocument(document, base.pieces(listed))


def vectors(
    fresh: Sequence[NewDocument],
    base: State | None,
    unfinished: Unfinished,
    *,
    open_embedder: Callable[[], Embedder],
    progress: Progress,
) -> tuple[dict[bytes, NDArray[np.float32]], int]:
    """The vector of every new chunk by the digest of its text, and how many of them were computed now."""
    texts = {piece.digest: f.document.text[piece.start : piece.end] for f in fresh for piece in f.pieces}
    known = {digest: vector for digest, vector in unfinished.load().items() if digest in texts}
    if base:
        known |= base.vectors_of(texts.keys() - known.keys())
    # Texts of similar length are embedded together: less padding.
    missing = sorted(texts.keys() - known.keys(), key=lambda digest: (-len(texts[digest]), digest))
    for start in range(0, len(missing), _STRIDE):
        progress("embedding", start, len(missing))
        digests = missing[start : start + _STRIDE]
        made = open_embedder().embed_passages([texts[digest] for digest in digests])
        unfinished.append(digests, made)
        known |= dict(zip(digests, made, strict=True))
    if missing:
        progress("embedding", len(missing), len(missing))
    return known, len(missing)
