"""New documents: read, cut into chunks, and given their vectors, each text once and none that is known."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rag.errors import SeedError
from rag.indexing import unread
from rag.indexing.carryover import DIGEST_BYTES, Unfinished
from rag.indexing.embedded.segment import Listed, Piece, Segment
from rag.indexing.embedded.snapshot import Snapshot
from rag.indexing.plan import Plan
from rag.ingestion import seeds
from rag.ingestion.chunking import Chunking, chunk
from rag.types import Document, Embedder

# Chunks embedded between two reports of progress, and two writings of what was made.
_STRIDE = 256

Report = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Fresh:
    """A document to be written, and its chunks."""

    document: Document
    pieces: Sequence[Piece]


def read(
    folder: Path,
    plan: Plan,
    base: Snapshot | None,
    *,
    chunking: Chunking,
    open_embedder: Callable[[], Embedder],
    report: Report,
) -> list[Fresh]:
    """The new documents with their chunks, in path order. One that cannot be read is among the plan's unread."""
    fresh: list[Fresh] = []
    for done, (path, sha256) in enumerate(plan.fresh.items()):
        report(done, len(plan.fresh))
        moved = base.find("sha256", sha256) if base else None
        try:
            # The same bytes under another kind of name say something else: a page's source is no page.
            if moved and seeds.suffix(moved[1].path) == seeds.suffix(path):
                fresh.append(_moved(*moved, path))
                continue
            document = seeds.parse(seeds.read(folder, path))
        except SeedError as error:
            plan.unread.append(unread.of(path, error))
            continue
        chunks = chunk(document, open_embedder().token_starts(document.text), chunking)
        fresh.append(Fresh(document, [Piece(c.start, c.end, _text_digest(c.text)) for c in chunks]))
    if plan.fresh:
        report(len(plan.fresh), len(plan.fresh))
    return fresh


def _text_digest(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()[:DIGEST_BYTES]


def _moved(holder: Segment, listed: Listed, path: str) -> Fresh:
    """The same bytes under another path: a renamed or copied file is not parsed or embedded again."""
    document = replace(holder.with_text(listed), id=seeds.document_id(path), path=path)
    return Fresh(document, holder.pieces(listed))


def vectors(
    fresh: Sequence[Fresh],
    base: Snapshot | None,
    unfinished: Unfinished,
    *,
    open_embedder: Callable[[], Embedder],
    report: Report,
) -> tuple[dict[bytes, NDArray[np.float32]], int]:
    """The vector of every new chunk by the digest of its text, and how many were made for it: each text once."""
    texts = {piece.digest: f.document.text[piece.start : piece.end] for f in fresh for piece in f.pieces}
    known = {digest: vector for digest, vector in unfinished.load().items() if digest in texts}
    for segment in base.segments if base else ():
        known |= segment.vectors_of(texts.keys() - known.keys())
    # Texts of like length go together: less padding.
    missing = sorted(texts.keys() - known.keys(), key=lambda digest: (-len(texts[digest]), digest))
    for start in range(0, len(missing), _STRIDE):
        report(start, len(missing))
        digests = missing[start : start + _STRIDE]
        made = open_embedder().embed_passages([texts[digest] for digest in digests])
        unfinished.append(digests, made)
        known |= dict(zip(digests, made, strict=True))
    if missing:
        report(len(missing), len(missing))
    return known, len(missing)
