"""The beginning and the end of what is under way, for an asker who may hang up before."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from litestar import Request, Response

from rag.web.admission import Asking, drained

T = TypeVar("T")


async def last(asking: Asking[T], request: Request[Any, Any, Any]) -> T | None:
    """The last event of a question; None where the asker has hung up before."""
    draining = drained(asking)
    try:
        return await unless_gone(draining, request)
    finally:
        asking.stop()


async def unless_gone(work: Coroutine[Any, Any, T], request: Request[Any, Any, Any]) -> T | None:
    """What the work comes to; None where the asker has hung up before, and then it is cancelled."""
    gone, whole = asyncio.create_task(_gone(request)), asyncio.create_task(work)
    try:
        await asyncio.wait({gone, whole}, return_when=asyncio.FIRST_COMPLETED)
        return whole.result() if whole.done() else None
    finally:
        gone.cancel()
        whole.cancel()


async def first(asking: Asking[T], request: Request[Any, Any, Any]) -> T | None:
    """The first event of a question; None where the asker has hung up before. What goes wrong before it is raised.

    Without a first event the question is stopped.
    """
    begun = None
    try:
        begun = await unless_gone(asking.__anext__(), request)
        return begun
    finally:
        if begun is None:
            asking.stop()


def to_nobody() -> Response[Any]:
    """The asker has gone; nothing of this is sent."""
    return Response(None, status_code=204)


async def _gone(request: Request[Any, Any, Any]) -> None:
    """Returns when the connection is closed. The body has been read before."""
    while (await request.receive())["type"] != "http.disconnect":
        pass
