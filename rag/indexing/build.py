"""Make the index say what the seeds say, at the cost of the change: embed what is new, keep the rest, drop what is gone."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from filelock import FileLock, Timeout

from rag.errors import IndexDamaged, IndexMismatch, IndexMissing, SeedError
from rag.files import storage_errors
from rag.indexing import carryover, changes
from rag.indexing.carryover import Stamps, Unfinished, Unread
from rag.indexing.changes import Fresh, Plan
from rag.indexing.embedded import draft, index, snapshot
from rag.indexing.embedded.segment import Listed
from rag.indexing.embedded.snapshot import Maker, Manifest, Snapshot
from rag.ingestion import seeds_folder
from rag.ingestion.chunking import Chunking
from rag.types import Embedder


@dataclass(frozen=True, slots=True)
class BuildReport:
    """What a build did. Paths are relative to the seeds folder; a failure is one line per document that was left out.

    `kept` are documents whose files cannot be read now: they stay as they were.
    """

    snapshot: str
    added: tuple[str, ...]
    changed: tuple[str, ...]
    removed: tuple[str, ...]
    kept: tuple[str, ...]
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

    def read(self, done: int, total: int) -> None:
        """`done` of `total` new or changed documents have been read."""

    def embedded(self, done: int, total: int) -> None:
        """`done` of `total` new chunks have their vectors."""


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
    with only_builder(root, observer.waiting), storage_errors(root):
        index.clear_abandoned(root)
        base = None if anew else _reusable(root, maker)
        try:
            before = {listed.path: listed for listed in (base.listed() if base else ())}
            todo = changes.plan(seeds, Stamps(root / "stamps.sqlite"), before)
            stays = todo.stays()
            new = changes.read(seeds, todo, base, chunking=chunking, open_embedder=open_embedder, report=observer.read)
            carryover.write(root, todo.unread)
            if not stays and not new:
                raise _nothing_to_index(seeds, todo.unread)
            if base and not new and len(stays) == len(before):
                # Also where a document cannot be read, build after build: a snapshot each would push those before it out.
                carryover.clear(root)
                return _report(before, todo, new, base.manifest, embedded=0, start=start)
            kept = Unfinished(root, maker.embedder_digest)
            vectors, made = changes.vectors(new, base, kept, open_embedder=open_embedder, report=observer.embedded)
            manifest = draft.write(root, base, maker, stays=stays, fresh=new, vectors=vectors)
            carryover.clear(root)
            return _report(before, todo, new, manifest, embedded=made, start=start)
        finally:
            if base:
                base.close()


@contextmanager
def only_builder(root: Path, waiting: Callable[[], None] = lambda: None) -> Iterator[None]:
    """One build or other change of the index at a time; a second one calls `waiting`, and waits. Raises StorageError."""
    with storage_errors(root):
        root.mkdir(parents=True, exist_ok=True)
        lock = FileLock(root / ".lock")
        try:
            lock.acquire(timeout=0)
        except Timeout:
            waiting()
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


def _nothing_to_index(folder: Path, left_out: Sequence[Unread]) -> SeedError:
    if left_out:
        more = f" (and {len(left_out) - 1} more)" if len(left_out) > 1 else ""
        return SeedError(f"no document in {folder} can be read: {left_out[0].detail}{more}", "mend one, then run `rag index`")
    kinds = ", ".join(sorted(seeds_folder.SUFFIXES))
    return SeedError(f"there are no documents in {folder} ({kinds})", "put one in, then run `rag index`")


def _report(
    before: Mapping[str, Listed], todo: Plan, fresh: Sequence[Fresh], manifest: Manifest, *, embedded: int, start: float
) -> BuildReport:
    """What became of the documents `before`, by path."""
    new = {f.document.path for f in fresh}
    after = new | todo.unchanged.keys() | todo.kept.keys()
    return BuildReport(
        snapshot=manifest.id,
        added=tuple(sorted(new - before.keys())),
        changed=tuple(sorted(new & before.keys())),
        removed=tuple(sorted(before.keys() - after)),
        kept=tuple(sorted(todo.kept)),
        unchanged=len(todo.unchanged),
        chunks=manifest.chunks,
        embedded=embedded,
        failures=tuple(each.detail for each in todo.unread),
        seconds=time.perf_counter() - start,
    )
