"""Make the index say what the seeds say: embed what is new or changed, keep the rest, drop what is gone."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

import numpy as np
from filelock import FileLock, Timeout
from numpy.typing import NDArray

from rag.errors import IndexDamaged, IndexMismatch, IndexMissing, SeedError
from rag.files import storage_errors
from rag.indexing import snapshot
from rag.indexing.snapshot import Entry, Maker, Snapshot
from rag.ingestion import documents
from rag.ingestion.chunking import Chunking, chunk
from rag.ingestion.documents import Seed
from rag.types import Chunk, Document, Embedder

# Chunks embedded between two reports of progress.
_STRIDE = 64


@dataclass(frozen=True, slots=True)
class BuildReport:
    """What a build did. Paths are relative to the seeds folder; a failure is one line per document that was left out."""

    snapshot: str
    added: tuple[str, ...]
    changed: tuple[str, ...]
    removed: tuple[str, ...]
    unchanged: int
    chunks: int
    embedded: int
    failures: tuple[str, ...]
    seconds: float

    @property
    def did_nothing(self) -> bool:
        """Whether the index said already what the seeds say."""
        return not (self.added or self.changed or self.removed or self.embedded)


class Observer(Protocol):
    """Told of what a build waits for and how far it is."""

    def waiting(self) -> None:
        """Another build is at work; this one goes on when it has ended."""

    def embedded(self, done: int, total: int) -> None:
        """`done` of `total` new chunks have their vectors."""


@dataclass(slots=True)
class _Plan:
    """The documents to be, in path order: those kept from the old snapshot under the digest of their bytes, and the new."""

    kept: dict[str, Document] = field(default_factory=dict)
    fresh: list[Document] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)

    def seeds(self) -> dict[str, str]:
        return {d.path: d.sha256 for d in sorted((*self.kept.values(), *self.fresh), key=lambda d: d.path)}


def rebuild(
    *,
    seeds: Path,
    root: Path,
    maker: Maker,
    chunking: Chunking,
    open_embedder: Callable[[], Embedder],
    observer: Observer,
    anew: bool = False,
) -> BuildReport:
    """Bring the index at `root` in line with the folder `seeds`; with `anew`, reuse nothing of the old one.

    The embedder is opened only when there is something to embed. Raises SeedError where no document at all can be read.
    """
    start = time.perf_counter()
    with _only_builder(root, observer):
        snapshot.clear_abandoned(root)
        old = None if anew else _reusable(root, maker)
        try:
            plan = _plan(seeds, old)
            before = old.manifest.seeds if old else _seeds_before(root)
            if not plan.seeds():
                raise _nothing_to_index(seeds, plan.failures)
            if old and plan.seeds() == before:
                return _report(before, plan, old.manifest, 0, start)
            entries, embedded = _entries(plan, old, chunking, open_embedder, observer)
        finally:
            if old:
                old.close()
        manifest = snapshot.write(root, maker, entries)
        return _report(before, plan, manifest, embedded, start)


@contextmanager
def _only_builder(root: Path, observer: Observer) -> Iterator[None]:
    """One build at a time; a second one waits, and then finds little left to do."""
    with storage_errors(root):
        root.mkdir(parents=True, exist_ok=True)
        lock = FileLock(root / ".lock")
        try:
            lock.acquire(timeout=0)
        except Timeout:
            observer.waiting()
            lock.acquire()
    try:
        yield
    finally:
        lock.release()


def _reusable(root: Path, maker: Maker) -> Snapshot | None:
    """The old snapshot where its chunks and vectors can serve again: made alike, and undamaged."""
    with suppress(IndexMissing, IndexMismatch, IndexDamaged):
        if snapshot.read_manifest(root).maker == maker:
            return Snapshot.open(root)
    return None


def _seeds_before(root: Path) -> Mapping[str, str]:
    """What an index that cannot be reused held, as far as it can be read: for the report only."""
    with suppress(IndexMissing, IndexMismatch, IndexDamaged):
        return snapshot.read_manifest(root).seeds
    return {}


def _plan(folder: Path, old: Snapshot | None) -> _Plan:
    plan = _Plan()
    known = {d.sha256: d for d in old.documents()} if old else {}
    listing = documents.find(folder)
    plan.failures += map(str, listing.failures)
    for path in listing.paths:
        try:
            seed = documents.read(folder, path)
            if seed.sha256 in known:
                plan.kept[path] = _at(known[seed.sha256], seed)
            else:
                plan.fresh.append(documents.parse(seed))
        except SeedError as error:
            plan.failures.append(str(error))
    return plan


def _at(document: Document, seed: Seed) -> Document:
    """The same bytes under the seed's path: a renamed or copied file is not read or embedded again."""
    return replace(document, id=documents.document_id(seed.path), path=seed.path)


def _nothing_to_index(folder: Path, failures: Sequence[str]) -> SeedError:
    if failures:
        more = f" (and {len(failures) - 1} more)" if len(failures) > 1 else ""
        return SeedError(f"no document in {folder} can be read: {failures[0]}{more}", "mend one, then run `rag index`")
    kinds = ", ".join(sorted(documents.SUFFIXES))
    return SeedError(f"there are no documents in {folder} ({kinds})", "put one in, then run `rag index`")


def _entries(
    plan: _Plan, old: Snapshot | None, chunking: Chunking, open_embedder: Callable[[], Embedder], observer: Observer
) -> tuple[list[Entry], int]:
    """The new snapshot's content in path order, and the number of chunks that were embedded for it."""
    entries = _kept_entries(plan, old) if old else {}
    embedded = 0
    if plan.fresh:
        embedder = open_embedder()
        chunks = [chunk(document, embedder.token_starts(document.text), chunking) for document in plan.fresh]
        vectors = _embed([c.text for group in chunks for c in group], embedder, observer)
        embedded = len(vectors)
        ends = np.cumsum([len(group) for group in chunks])[:-1]
        for document, group, rows in zip(plan.fresh, chunks, np.split(vectors, ends), strict=True):
            entries[document.path] = Entry(document, group, rows)
    return [entries[path] for path in sorted(entries)], embedded


def _kept_entries(plan: _Plan, old: Snapshot) -> dict[str, Entry]:
    """The old chunks and vectors of the same bytes, which may have lain under another path."""
    source = {sha256: documents.document_id(path) for path, sha256 in old.manifest.seeds.items()}
    entries: dict[str, Entry] = {}
    for path, document in plan.kept.items():
        places = old.places_of(source[document.sha256])
        chunks = [Chunk(document.id, span.start, span.end, document.text[span.start : span.end]) for _, span in places]
        entries[path] = Entry(document, chunks, old.dense.vectors([row for row, _ in places]))
    return entries


def _embed(texts: Sequence[str], embedder: Embedder, observer: Observer) -> NDArray[np.float32]:
    """Vectors of shape (len(texts), dimension), in the texts' order. Texts of like length go together: less padding."""
    order = sorted(range(len(texts)), key=lambda i: -len(texts[i]))
    done: list[NDArray[np.float32]] = []
    for start in range(0, len(order), _STRIDE):
        observer.embedded(start, len(order))
        done.append(embedder.embed_passages([texts[i] for i in order[start : start + _STRIDE]]))
    observer.embedded(len(order), len(order))
    vectors = np.concatenate(done)
    back = np.empty_like(vectors)
    back[order] = vectors
    return back


def _report(before: Mapping[str, str], plan: _Plan, manifest: snapshot.Manifest, embedded: int, start: float) -> BuildReport:
    after = plan.seeds()
    return BuildReport(
        snapshot=manifest.id,
        added=tuple(path for path in after if path not in before),
        changed=tuple(path for path in after if path in before and before[path] != after[path]),
        removed=tuple(path for path in before if path not in after),
        unchanged=sum(1 for path in after if before.get(path) == after[path]),
        chunks=manifest.chunks,
        embedded=embedded,
        failures=tuple(plan.failures),
        seconds=time.perf_counter() - start,
    )
