"""The routes for the index: rebuilding it as a job, that job's progress, and its snapshots, one of which serves."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Annotated, Any

from litestar import Request, Response, get, post
from litestar.di import NamedDependency
from litestar.openapi.spec import Example
from litestar.params import BodyKwarg, PathParameter
from litestar.response import ServerSentEvent, ServerSentEventMessage
from msgspec import Struct

from rag.engine import Engine
from rag.errors import IndexBusy, NotFound
from rag.indexing.build import BuildReport
from rag.indexing.protocol import Manifest
from rag.web import problems, rebuilding
from rag.web.guard.access import ADMIN, READ
from rag.web.operations import EventStreamToo
from rag.web.problems import Problem
from rag.web.rebuilding import Rebuilds
from rag.web.streaming import message, wants_events

# Seconds between two looks at a job whose events are sent.
_POLL_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class Job:
    """A rebuild of the index. `state` is `waiting`, `running`, `done` or `failed`; `kind` is `index`.

    Of `stage` (`waiting` for another build, `reading` documents or `embedding` chunks), `done` of `total` are done. `report` is
    set when the job is done: what changed, and which documents could not be read. `problem` is set when it failed.
    """

    id: str
    kind: str
    state: str
    stage: str
    done: int
    total: int
    report: BuildReport | None
    problem: Problem | None


class IndexRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """With `anew`, nothing of the old index is reused: every document is read and embedded again."""

    anew: bool = False


class Jobs(Struct, frozen=True):
    """The last 100 jobs, newest first."""

    items: list[Job]


def shown(job: rebuilding.Job) -> Job:
    """The job as a response."""
    problem = problems.of(job.error, f"/v1/jobs/{job.id}") if job.error else None
    return Job(job.id, "index", job.state, job.stage, job.done, job.total, job.report, problem)


@post(
    "/v1/index",
    status_code=202,
    sync_to_thread=True,
    summary="Rebuild the index",
    opt={"scope": ADMIN},
    responses=problems.documented(400, 413),
)
def rebuild(
    data: Annotated[IndexRequest, BodyKwarg(examples=[Example(summary="Index what is new", value={"anew": False})])],
    rebuilds: NamedDependency[Rebuilds],
) -> Job:
    """Start a job that brings the index in line with the documents in `seeds/`.

    Questions are answered from the old index until the job is done. If a job is waiting already, it is returned instead.
    """
    return shown(rebuilds.start(anew=data.anew))


@get("/v1/jobs", sync_to_thread=False, summary="List the rebuilds", opt={"scope": READ}, responses=problems.documented())
def listed_jobs(rebuilds: NamedDependency[Rebuilds]) -> Jobs:
    """The last 100 jobs since the service started, newest first."""
    return Jobs([shown(job) for job in rebuilds.recent()])


@get(
    "/v1/jobs/{job_id:str}",
    summary="Get a rebuild and its progress",
    opt={"scope": READ},
    operation_class=EventStreamToo,
    response_description="The job. With `Accept: text/event-stream`, an event `job` with the job, now and at each change",
    responses=problems.documented(400, 404),
)
async def one_job(
    job_id: Annotated[str, PathParameter(description="the `id` of a job, as in GET /v1/jobs")],
    request: Request[Any, Any, Any],
    rebuilds: NamedDependency[Rebuilds],
) -> Response[Job]:
    """The job as it is now; with `Accept: text/event-stream`, its progress as events until it is done or failed."""
    job = _known(rebuilds, job_id)
    reply: Response[Any] = ServerSentEvent(_changes(job, rebuilds)) if wants_events(request) else Response(shown(job))
    return reply


async def _changes(job: rebuilding.Job, rebuilds: Rebuilds) -> AsyncIterator[ServerSentEventMessage]:
    yield message("job", shown(job))
    while not job.ended:
        await asyncio.sleep(_POLL_SECONDS)
        now = _known(rebuilds, job.id)
        if now != job:
            job = now
            yield message("job", shown(job))


def _known(rebuilds: Rebuilds, job_id: str) -> rebuilding.Job:
    job = rebuilds.get(job_id)
    if job is None:
        raise NotFound(f"there is no job {job_id[:40]}", "choose one of GET /v1/jobs")
    return job


@dataclass(frozen=True, slots=True)
class SnapshotItem:
    """A snapshot of the index: when it was made, how many documents and chunks it has, and whether it serves."""

    id: str
    made: str
    documents: int
    chunks: int
    serving: bool


class Snapshots(Struct, frozen=True):
    """The snapshots that are kept, newest first."""

    items: list[SnapshotItem]


@get(
    "/v1/snapshots",
    sync_to_thread=True,
    summary="List the snapshots of the index",
    opt={"scope": READ},
    responses=problems.documented(503),
)
def listed_snapshots(engine: NamedDependency[Engine]) -> Snapshots:
    """The snapshots that are kept, newest first; none before the first rebuild."""
    serving = engine.serving()
    return Snapshots([_item(manifest, serving) for manifest in engine.snapshots()])


@post(
    "/v1/snapshots/{snapshot_id:str}/activate",
    status_code=200,
    sync_to_thread=True,
    summary="Make a snapshot serve",
    opt={"scope": ADMIN},
    responses=problems.documented(400, 404, 409, 503, 507),
)
def activate(
    snapshot_id: Annotated[str, PathParameter(description="the `id` of a snapshot, as in GET /v1/snapshots")],
    engine: NamedDependency[Engine],
) -> SnapshotItem:
    """Go back to an older snapshot. It serves until the next rebuild, which brings the index in line with `seeds/` again.

    While a rebuild is running the response is 409.
    """
    if snapshot_id not in {manifest.id for manifest in engine.snapshots()}:
        raise NotFound(f"there is no snapshot {snapshot_id[:80]}", "choose one of GET /v1/snapshots")
    return _item(engine.rollback(snapshot_id, waiting=_refuse_while_rebuilding), engine.serving())


def _refuse_while_rebuilding() -> None:
    raise IndexBusy("the index is being rebuilt", "wait until the job is done (GET /v1/jobs), then try again")


def _item(manifest: Manifest, serving: str | None) -> SnapshotItem:
    return SnapshotItem(manifest.id, manifest.created, manifest.documents, manifest.chunks, manifest.id == serving)
