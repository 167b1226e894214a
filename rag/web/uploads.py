"""Documents that are sent to the service: checked all before any of them is written, then indexed."""

import tempfile
from pathlib import Path
from typing import Any

from litestar import Request, post
from litestar.concurrency import sync_to_thread
from litestar.datastructures import UploadFile
from litestar.di import NamedDependency
from msgspec import Struct

from rag.engine import Engine
from rag.errors import QuestionError, SeedError, TooLarge
from rag.files import storage_errors
from rag.ingestion import adding
from rag.web import jobs, problems
from rag.web.access import INGEST
from rag.web.described import Upload
from rag.web.rebuilding import Rebuilds

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
    # What is larger than a megabyte waits in a file for the rest of the body.
    with storage_errors(Path(tempfile.gettempdir())):
        form = await request.form()
    try:
        added = await sync_to_thread(_add, list(form.values()), engine)
    finally:
        await form.close()
    return Added(added, jobs.shown(rebuilds.start()))


def _add(parts: list[object], engine: Engine) -> list[str]:
    files = [part for part in parts if isinstance(part, UploadFile)]
    if not files or len(files) < len(parts):
        raise QuestionError("the body is no form of files", "send multipart/form-data, one part with a file name for each")
    if len(files) > MOST_FILES:
        raise TooLarge(f"{len(files)} files were sent at once", f"send at most {MOST_FILES}")
    for file in files:
        _require_document(file)
    names = [engine.add_bytes(file.file.read(), file.filename) for file in files]
    return list(dict.fromkeys(names))


def _require_document(file: UploadFile) -> None:
    """Raises SeedError or TooLarge."""
    adding.require_name(file.filename)
    size = file.file.seek(0, 2)
    file.file.seek(0)
    if not size:
        raise SeedError(f"{file.filename} is empty", "send a document that says something")
    if size > MOST_FILE_BYTES:
        raise TooLarge(f"{file.filename} is larger than {MOST_FILE_BYTES / 1e6:.0f} MB", "split it")
