"""Documents that are sent to the service: checked all before any of them is written, then indexed."""

from typing import Any

from litestar import Request, post
from litestar.concurrency import sync_to_thread
from litestar.datastructures import UploadFile
from litestar.di import NamedDependency
from msgspec import Struct

from rag.engine import Engine
from rag.errors import QuestionError, SeedError
from rag.files import storage_errors, temporary_folder
from rag.ingestion import adding
from rag.web import forms, problems
from rag.web.guard.access import INGEST
from rag.web.operations import Upload
from rag.web.rebuilding import Rebuilds
from rag.web.routes import jobs

# Bytes of one file, files at once, and bytes of them together with what stands around them.
MOST_FILE_BYTES, MOST_FILES, MOST_BYTES = 50_000_000, 20, 200_000_000


class Added(Struct, frozen=True):
    """The names under which the documents lie in the seeds, and the rebuild that will find them."""

    added: list[str]
    job: jobs.Job


@post(
    "/v1/documents",
    status_code=202,
    summary="Upload documents",
    opt={"scope": INGEST},
    operation_class=Upload,
    request_max_body_size=MOST_BYTES,
    responses=problems.documented(400, 413, 422, 507),
)
async def upload(
    request: Request[Any, Any, Any], engine: NamedDependency[Engine], rebuilds: NamedDependency[Rebuilds]
) -> Added:
    """One file or several, each at most 50 MB; one that has the name of a document takes its place."""
    # What is larger than a megabyte waits on the disk until it is whole.
    with storage_errors(temporary_folder()):
        files = await forms.files(request, most=MOST_FILES, most_bytes=MOST_FILE_BYTES)
    try:
        added = await sync_to_thread(_add, files, engine)
    finally:
        await forms.close(files)
    return Added(added, jobs.shown(rebuilds.start()))


def _add(files: list[UploadFile], engine: Engine) -> list[str]:
    if not files:
        raise QuestionError("the form has no file", "send at least one")
    for file in files:
        _require_document(file)
    names = [engine.add_bytes(file.file.read(), file.filename) for file in files]
    return list(dict.fromkeys(names))


def _require_document(file: UploadFile) -> None:
    """Raises SeedError."""
    adding.require_name(file.filename)
    size = file.file.seek(0, 2)
    file.file.seek(0)
    if not size:
        raise SeedError(f"{file.filename} is empty", "send a document that says something")
