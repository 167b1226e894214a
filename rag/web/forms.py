"""The files of a form, as they arrive. The only importer of multipart, the parser that litestar reads forms with too.

Litestar keeps parts that are no files in memory, however long, and decodes each as it says itself: a megabyte with
`charset=punycode` would hold up the whole service for a minute, and a charset that is none be a mistake of ours.
"""

from collections.abc import AsyncIterator
from typing import Any

from litestar import Request
from litestar.datastructures import UploadFile
from multipart import MultipartError, MultipartSegment, PushMultipartParser

from rag.errors import QuestionError, TooLarge


async def files(request: Request[Any, Any, Any], *, most: int, most_bytes: int) -> list[UploadFile]:
    """At most `most` files of `most_bytes` each, for the caller to close. Raises QuestionError or TooLarge."""
    stream, kept = request.stream(), list[UploadFile]()
    try:
        await _keep(stream, _parser(request), kept, most, most_bytes)
    except (MultipartError, QuestionError) as error:
        await close(kept)
        # A browser hears the reply only when it has sent everything.
        async for _ in stream:
            pass
        raise error if isinstance(error, QuestionError) else _no_form() from error
    except BaseException:
        await close(kept)
        raise
    return kept


async def close(kept: list[UploadFile]) -> None:
    """Let go of the files."""
    for file in kept:
        await file.close()


def _parser(request: Request[Any, Any, Any]) -> PushMultipartParser:
    kind, options = request.content_type
    if kind != "multipart/form-data":
        raise _no_form()
    return PushMultipartParser(options.get("boundary", ""))


async def _keep(
    stream: AsyncIterator[bytes], parser: PushMultipartParser, kept: list[UploadFile], most: int, most_bytes: int
) -> None:
    size = 0
    async for chunk in stream:
        # What stands after the form's end is nobody's, and none of it is looked at; an empty chunk is the body's end.
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
        raise _no_form()
    return UploadFile(part.content_type or "", part.filename)


def _no_form() -> QuestionError:
    return QuestionError("the body is no form of files", "send multipart/form-data, one part with a file name for each")
