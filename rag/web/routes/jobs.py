"""Rebuilding the index as a job, and how far it is, as JSON or as events.

The states of the index: which there are, which one serves, and going back to another.
"""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Annotated, Any

from litestar import Request, Response, get, post
from litestar.di import NamedDependency
from litestar.openapi.spec import Example
from litestar.params import BodyKwarg, PathParameter
from litestar.response import ServerSentEvent, ServerSentEventMessage
from litestar.serialization import encode_json
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

# Seconds between two looks at a job that somebody watches.
_LOOKED = 0.2


@dataclass(frozen=True, slots=True)
class Job:
    """A rebuild: `state` is waiting, running, done or failed; `done` of `total` documents or chunks of `stage` are done.

    `report` is there once it is done, with the documents that could not be read; `problem` once it failed.
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
    """Whether to reuse nothing of the old index."""

    anew: bool = False


class Jobs(Struct, frozen=True):
    """The jobs of late, newest first."""

    items: list[Job]


def shown(job: rebuilding.Job) -> Job:
    """The job as it goes out."""
    problem = problems.of(job.error, f"/v1/jobs/{job.id}") if job.error else None
    return Job(job.id, "index", job.state, job.stage, job.done, job.total, job.report, problem)


@post(
    "/v1/index",
    status_code=202,
    sync_to_thread=True,
    summary="Bring the index in line with the seeds",
    opt={"scope": ADMIN},
    responses=problems.documented(400, 413),
)
def rebuild(
    data: Annotated[IndexRequest, BodyKwarg(examples=[Example(summary="Index what is new", value={"anew": False})])],
    rebuilds: NamedDependency[Rebuilds],
) -> Job:
    """The job. Questions are answered from the old index until it is done. One that waits already is joined."""
    return shown(rebuilds.start(anew=data.anew))


@get("/v1/jobs", sync_to_thread=False, summary="The rebuilds of late", opt={"scope": READ}, responses=problems.documented())
def listed_jobs(rebuilds: NamedDependency[Rebuilds]) -> Jobs:
    """Newest first; those of before the service started are forgotten."""
    return Jobs([shown(job) for job in rebuilds.recent()])


@get(
    "/v1/jobs/{job_id:str}",
    summary="How far a rebuild is",
    opt={"scope": READ},
    operation_class=EventStreamToo,
    response_description="The job. As events: `job` with the job, each time it changes, until it is done or failed",
    responses=problems.documented(400, 404),
)
async def one_job(
    job_id: Annotated[str, PathParameter(description="as the reply that began it has it, or as GET /v1/jobs lists it")],
    request: Request[Any, Any, Any],
    rebuilds: NamedDependency[Rebuilds],
) -> Response[Job]:
    """The job; with `Accept: text/event-stream` each change of it."""
    job = _known(rebuilds, job_id)
    if request.accept.best_match(["application/json", "text/event-stream"]) == "text/event-stream":
        return _streamed(job, rebuilds)
    return Response(shown(job))


def _streamed(job: rebuilding.Job, rebuilds: Rebuilds) -> Response[Any]:
    return ServerSentEvent(_changes(job, rebuilds))


async def _changes(job: rebuilding.Job, rebuilds: Rebuilds) -> AsyncIterator[ServerSentEventMessage]:
    yield _message(job)
    while not job.ended:
        await asyncio.sleep(_LOOKED)
        now = _known(rebuilds, job.id)
        if now != job:
            job = now
            yield _message(job)


def _known(rebuilds: Rebuilds, job_id: str) -> rebuilding.Job:
    job = rebuilds.get(job_id)
    if job is None:
        raise NotFound(f"there is no job {job_id[:40]}", "choose one of GET /v1/jobs")
    return job


def _message(job: rebuilding.Job) -> ServerSentEventMessage:
    return ServerSentEventMessage(event="job", data=encode_json(shown(job)))


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
def listed_snapshots(engine: NamedDependency[Engine]) -> Snapshots:
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
