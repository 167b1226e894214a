"""Turns the events of a question into a response: the last event alone, or server-sent events.

Litestar does not report a disconnect to a route. Here each wait also watches the connection, so that the model stops if the
client disconnects.
"""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from litestar import Request, Response
from litestar.response import ServerSentEventMessage
from litestar.serialization import encode_json

from rag.web.admission import Asking, last_event

T = TypeVar("T")


def wants_events(request: Request[Any, Any, Any]) -> bool:
    """Whether the client prefers server-sent events to JSON, by its `Accept` header."""
    return request.accept.best_match(["application/json", "text/event-stream"]) == "text/event-stream"


def message(kind: str, value: object) -> ServerSentEventMessage:
    """A server-sent event with `value` as JSON."""
    return ServerSentEventMessage(event=kind, data=encode_json(value))


async def last(asking: Asking[T], request: Request[Any, Any, Any]) -> T | None:
    """The last event of a question; None where the client disconnected before. The question is stopped in any case."""
    events = last_event(asking)
    try:
        return await unless_disconnected(events, request)
    finally:
        asking.stop()


async def first(asking: Asking[T], request: Request[Any, Any, Any]) -> T | None:
    """The first event of a question; None where the client disconnected before. Raises what asking raised before it.

    Without a first event the question is stopped.
    """
    event = None
    try:
        event = await unless_disconnected(asking.__anext__(), request)
        return event
    finally:
        if event is None:
            asking.stop()


async def unless_disconnected(work: Coroutine[Any, Any, T], request: Request[Any, Any, Any]) -> T | None:
    """The result of `work`; None where the client disconnected before, and then the work is cancelled.

    The body of the request must have been read.
    """
    disconnect, result = asyncio.create_task(_disconnected(request)), asyncio.create_task(work)
    try:
        await asyncio.wait({disconnect, result}, return_when=asyncio.FIRST_COMPLETED)
        return result.result() if result.done() else None
    finally:
        disconnect.cancel()
        result.cancel()


def no_response() -> Response[Any]:
    """The return value of a route after a disconnect. It is required, and never sent."""
    return Response(None, status_code=204)


async def _disconnected(request: Request[Any, Any, Any]) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
