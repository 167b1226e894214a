"""What a build has to do: the seeds against what the index holds; new documents read, cut into chunks, and given their vectors.

Only files written since the last build are read, each text is embedded once, and none that is known.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rag.errors import SeedError
from rag.indexing.carryover import DIGEST_BYTES, Stamps, Unfinished
from rag.indexing.protocol import Listed, NewDocument, Piece, Progress, State, Unread
from rag.ingestion import seeds_folder
from rag.ingestion.chunking import Chunking, chunk
from rag.types import Embedder

# Chunks embedded between two reports of progress, and two writings of what was made.
_STRIDE = 256


@dataclass(slots=True)
class Plan:
    """What is to become of each path.

    It is `unchanged`; or `kept` as it was, because its file cannot be read now; or `fresh`, under the digest of its bytes.
    `unread` are those that cannot be read.
    """

    unchanged: dict[str, Listed] = field(default_factory=dict)
    kept: dict[str, Listed] = field(default_factory=dict)
    fresh: dict[str, str] = field(default_factory=dict)
    unread: list[Unread] = field(default_factory=list)

    def stays(self) -> set[int]:
        """Numbers of the documents that stay as they are."""
        return {listed.number for listed in (*self.unchanged.values(), *self.kept.values())}


def unread(path: str, error: SeedError, *, is_folder: bool = False) -> Unread:
    """What the error says of the path."""
    return Unread(path, type(error).__name__, str(error), is_folder)


def plan(folder: Path, stamps: Stamps, before: Mapping[str, Listed]) -> Plan:
    """Compare the seeds in `folder` with the documents `before`, by path. Raises SeedError where the folder cannot be read."""
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
    """SHA-256 of the seed's bytes, without reading them where they have not been written since."""
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
    """The new documents with their chunks, in path order. One that cannot be read is among the plan's unread."""
    fresh: list[NewDocument] = []
    for done, (path, sha256) in enumerate(plan.fresh.items()):
        progress("reading", done, len(plan.fresh))
        moved = base.find("sha256", sha256) if base else None
        try:
            # The same bytes under another kind of name say something else: a page's source is no page.
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
    """The same bytes under another path: a renamed or copied file is not parsed or embedded again."""
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
    """The vector of every new chunk by the digest of its text, and how many were made for it: each text once."""
    texts = {piece.digest: f.document.text[piece.start : piece.end] for f in fresh for piece in f.pieces}
    known = {digest: vector for digest, vector in unfinished.load().items() if digest in texts}
    if base:
        known |= base.vectors_of(texts.keys() - known.keys())
    # Texts of like length go together: less padding.
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
