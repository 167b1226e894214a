"""The route for uploads: all files of a form are checked before any is written to the seeds, and then a rebuild starts.

The only importer of multipart, the parser that Litestar uses too. Litestar's own form reading is not used: it keeps parts that
are not files in memory, however long, and decodes each with the charset that it names. A megabyte with `charset=punycode` would
block the service for a minute, and an unknown charset would be an internal error.
"""

from collections.abc import AsyncIterator
from typing import Any

from litestar import Request, post
from litestar.concurrency import sync_to_thread
from litestar.datastructures import UploadFile
from litestar.di import NamedDependency
from msgspec import Struct
from multipart import MultipartError, MultipartSegment, PushMultipartParser

from rag.engine import Engine
from rag.errors import QuestionError, SeedError, TooLarge
from rag.files import storage_errors, temporary_folder
from rag.ingestion import seeds_folder
from rag.web import problems
from rag.web.guard.access import INGEST
from rag.web.operations import Upload
from rag.web.rebuilding import Rebuilds
from rag.web.routes import index

# Bytes of a file, files of a form, and bytes of a form.
MOST_FILE_BYTES, MOST_FILES, MOST_BYTES = 50_000_000, 20, 200_000_000


class Added(Struct, frozen=True):
    """The names of the documents in `seeds/`, and the rebuild that adds them to the index."""

    added: list[str]
    job: index.Job


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
    """Add documents to `seeds/` and start a rebuild: at most 20 files of 50 MB each, 200 MB together.

    A file with the name of a document replaces it. If one file is refused, none is added. They are found once the job is done.
    """
    # A file of more than a megabyte is kept in the temporary folder while it arrives.
    with storage_errors(temporary_folder()):
        files = await files_of_form(request, most=MOST_FILES, most_bytes=MOST_FILE_BYTES)
    try:
        added = await sync_to_thread(_add, files, engine)
    finally:
        await close(files)
    return Added(added, index.shown(rebuilds.start()))


def _add(files: list[UploadFile], engine: Engine) -> list[str]:
    if not files:
        raise QuestionError("the form has no file", "send at least one")
    for file in files:
        _require_document(file)
    names = [engine.add_bytes(file.file.read(), file.filename) for file in files]
    return list(dict.fromkeys(names))


def _require_document(file: UploadFile) -> None:
    """Raises SeedError."""
    seeds_folder.require_name(file.filename)
    size = file.file.seek(0, 2)
    file.file.seek(0)
    if not size:
        raise SeedError(f"{file.filename} is empty", "send a document with text")


async def files_of_form(request: Request[Any, Any, Any], *, most: int, most_bytes: int) -> list[UploadFile]:
    """The files of a form as they arrive, at most `most` of `most_bytes` each. The caller closes them.

    Raises QuestionError or TooLarge.
    """
    stream, kept = request.stream(), list[UploadFile]()
    try:
        await _keep(stream, _parser(request), kept, most, most_bytes)
    except (MultipartError, QuestionError) as error:
        await close(kept)
        # A browser reads the response only after it has sent the whole body.
        async for _ in stream:
            pass
        raise error if isinstance(error, QuestionError) else _not_a_form() from error
    except BaseException:
        await close(kept)
        raise
    return kept


async def close(kept: list[UploadFile]) -> None:
    """Close the files."""
    for file in kept:
        await file.close()


def _parser(request: Request[Any, Any, Any]) -> PushMultipartParser:
    kind, options = request.content_type
    if kind != "multipart/form-data":
        raise _not_a_form()
    return PushMultipartParser(options.get("boundary", ""))


async def _keep(
    stream: AsyncIterator[bytes], parser: PushMultipartParser, kept: list[UploadFile], most: int, most_bytes: int
) -> None:
    size = 0
    async for chunk in stream:
        # Bytes after the end of the form are ignored. An empty chunk ends the body.
        for event in () if parser.closed else parser.parse(chunk):
            if isinstance(event, MultipartSegment):
                if len(kept) == most:
                    raise TooLarge(f"more than {most} files were sent at once", f"send at most {most}")
                kept.append(_file(event))
                size = 0
            elif event:
                size += len(event)
                if size > most_bytes:
                    raise TooLarge(f"{kept[-1].filename[:200]} is larger than {most_bytes / 1e6:.0f} MB", "split it")
                await kept[-1].write(event)


def _file(part: MultipartSegment) -> UploadFile:
    if not part.filename:
        raise _not_a_form()
    return UploadFile(part.content_type or "", part.filename)


def _not_a_form() -> QuestionError:
    return QuestionError("the body is not a form of files", "send multipart/form-data, one part with a file name for each")
