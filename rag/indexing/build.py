"""A build: brings the index in line with the seeds. Embeds what is new, keeps what is unchanged, drops what is gone.

Knows the index only by its protocol; what has to be done is worked out in `changes`.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from rag.errors import IndexDamaged, IndexMismatch, IndexMissing, SeedError
from rag.files import storage_errors
from rag.indexing import build_cache, changes
from rag.indexing.build_cache import Stamps, Unfinished
from rag.indexing.changes import Plan
from rag.indexing.protocol import Index, Listed, Maker, Manifest, NewDocument, Progress, State, Unread
from rag.ingestion import seeds_folder
from rag.ingestion.chunking import Chunking
from rag.types import Embedder


@dataclass(frozen=True, slots=True)
class BuildReport:
    """The result of a build. Paths are relative to the seeds folder.

    `kept` are documents whose files cannot be read now: they stay as they were. `failures` has one line for each document that
    was left out. `chunks` counts those of the new state, `embedded` those whose vectors were computed.
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
        """Whether the index was in line with the seeds before."""
        return not (self.added or self.changed or self.removed or self.embedded)


def rebuild(
    *,
    seeds: Path,
    index: Index,
    maker: Maker,
    chunking: Chunking,
    open_embedder: Callable[[], Embedder],
    progress: Progress = lambda _stage, _done, _total: None,
    anew: bool = False,
) -> BuildReport:
    """Bring the index in line with the folder `seeds`; with `anew`, reuse nothing of the old one.

    `progress` is called with the stage (`waiting`, `reading` or `embedding`), and how many of how many items are done. The
    embedder is opened only when there is something to embed. Raises SeedError if no document at all can be read; StorageError,
    SnapshotError or WeightsError.
    """
    start = time.perf_counter()
    with index.writing(lambda: progress("waiting", 0, 0)), storage_errors(index.scratch):
        base = None if anew else _reusable(index, maker)
        try:
            before = {listed.path: listed for listed in (base.listed() if base else ())}
            todo = changes.plan(seeds, Stamps(index.scratch / "stamps.sqlite"), before)
            stays = todo.stays()
            new = changes.read(seeds, todo, base, chunking=chunking, open_embedder=open_embedder, progress=progress)
            index.note_unread(todo.unread)
            if not stays and not new:
                raise _nothing_to_index(seeds, todo.unread)
            if base and not new and len(stays) == len(before):
                # Also if a document cannot be read, build after build: writing a state each time would push older ones out.
                build_cache.clear(index.scratch)
                return _report(before, todo, new, base.manifest, embedded=0, start=start)
            kept = Unfinished(index.scratch, maker.embedder_digest)
            vectors, made = changes.vectors(new, base, kept, open_embedder=open_embedder, progress=progress)
            manifest = index.write(base, maker, stays=stays, new=new, vectors=vectors)
            build_cache.clear(index.scratch)
            return _report(before, todo, new, manifest, embedded=made, start=start)
        finally:
            if base:
                base.close()


def _reusable(index: Index, maker: Maker) -> State | None:
    """The state that serves, if its chunks and vectors can be used again: made by an equal maker, and undamaged."""
    with suppress(IndexMissing, IndexMismatch, IndexDamaged):
        if index.manifest().maker == maker:
            return index.open()
    return None


def _nothing_to_index(folder: Path, left_out: Sequence[Unread]) -> SeedError:
    if left_out:
        more = f" (and {len(left_out) - 1} more)" if len(left_out) > 1 else ""
        return SeedError(f"no document in {folder} can be read: {left_out[0].detail}{more}", "repair one, then run `rag index`")
    kinds = ", ".join(sorted(seeds_folder.SUFFIXES))
    return SeedError(f"there are no documents in {folder} ({kinds})", "put one in, then run `rag index`")


def _report(
    before: Mapping[str, Listed], todo: Plan, fresh: Sequence[NewDocument], manifest: Manifest, *, embedded: int, start: float
) -> BuildReport:
    """The report, from the documents before the build by path, and what was done."""
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
