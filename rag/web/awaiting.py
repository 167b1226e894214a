"""The beginning and the end of a question under way, for an asker who may hang up before."""

import asyncio
from typing import Any, TypeVar

from litestar import Request, Response

from rag.web.admission import Asking, drained

T = TypeVar("T")


async def last(asking: Asking[T], request: Request[Any, Any, Any]) -> T | None:
    """The last event; None where the asker has hung up before."""
    gone = asyncio.create_task(_gone(request))
    draining = drained(asking)
    whole = asyncio.create_task(draining)
    try:
        await asyncio.wait({gone, whole}, return_when=asyncio.FIRST_COMPLETED)
        return whole.result() if whole.done() else None
    finally:
        asking.stop()
        gone.cancel()
        whole.cancel()


async def first(asking: Asking[T]) -> T:
    """The first event. What goes wrong before it is raised, and the question is stopped."""
    try:
        return await anext(asking)
    except BaseException:
        asking.stop()
        raise


def to_nobody() -> Response[Any]:
    """The asker has gone; nothing of this is sent."""
    return Response(None, status_code=204)


async def _gone(request: Request[Any, Any, Any]) -> None:
    """Returns when the connection is closed. The body has been read before."""
    while (await request.receive())["type"] != "http.disconnect":
        pass
