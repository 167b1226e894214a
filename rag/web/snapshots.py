"""The states of the index: which there are, which one serves, and going back to another."""

from dataclasses import dataclass
from typing import Annotated

from litestar import get, post
from litestar.di import NamedDependency
from litestar.params import PathParameter
from msgspec import Struct

from rag.engine import Engine
from rag.errors import IndexBusy, NotFound
from rag.indexing.embedded.snapshot import Manifest
from rag.web import problems
from rag.web.guard.access import ADMIN, READ


@dataclass(frozen=True, slots=True)
class SnapshotItem:
    """A state of the index, when it was made, what it holds, and whether it serves."""

    id: str
    made: str
    documents: int
    chunks: int
    serving: bool


class Snapshots(Struct, frozen=True):
    """The states that can be gone back to, newest first."""

    items: list[SnapshotItem]


@get(
    "/v1/snapshots",
    sync_to_thread=True,
    summary="The states of the index",
    opt={"scope": READ},
    responses=problems.documented(503),
)
def listed(engine: NamedDependency[Engine]) -> Snapshots:
    """Those that can be gone back to, newest first; none where nothing was indexed."""
    serving = engine.serving()
    return Snapshots([_item(manifest, serving) for manifest in engine.snapshots()])


@post(
    "/v1/snapshots/{snapshot_id:str}/activate",
    status_code=200,
    sync_to_thread=True,
    summary="Go back to a state of the index",
    opt={"scope": ADMIN},
    responses=problems.documented(400, 404, 409, 503, 507),
)
def activate(
    snapshot_id: Annotated[str, PathParameter(description="as GET /v1/snapshots lists it")], engine: NamedDependency[Engine]
) -> SnapshotItem:
    """The state that serves from now on, until the next rebuild brings the index in line with the seeds again."""
    if snapshot_id not in {manifest.id for manifest in engine.snapshots()}:
        raise NotFound(f"there is no snapshot {snapshot_id[:80]}", "choose one of GET /v1/snapshots")
    return _item(engine.rollback(snapshot_id, waiting=_refuse), engine.serving())


def _refuse() -> None:
    raise IndexBusy("the index is being rebuilt", "wait until the job is done (GET /v1/jobs), then try again")


def _item(manifest: Manifest, serving: str | None) -> SnapshotItem:
    return SnapshotItem(manifest.id, manifest.created, manifest.documents, manifest.chunks, manifest.id == serving)
