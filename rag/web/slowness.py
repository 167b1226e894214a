"""How long a request may take to arrive. Slow clients hold what they were given, a connection and a place, from others."""

import asyncio

from litestar.enums import ScopeType
from litestar.types import ASGIApp, HTTPReceiveMessage, Receive, Scope, Send, WebSocketReceiveMessage

from rag.errors import QuestionError, TooSlow

# A body has so many seconds, and one more for each so many bytes that came: a slow line may take long, if it goes on.
GRACE, BYTES_A_SECOND = 20.0, 10_000


def hurried(app: ASGIApp) -> ASGIApp:
    """The application, to which a body that comes too slowly is an error. uvicorn has no limit for it."""

    async def run(scope: Scope, receive: Receive, send: Send) -> None:
        await app(scope, Arriving(receive) if scope["type"] == ScopeType.HTTP else receive, send)

    return run


class Arriving:
    """`receive` of one request, with a time limit until its body is whole; whoever hangs up may be waited for without one."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._until: float | None = None
        self._whole = False

    async def __call__(self) -> HTTPReceiveMessage | WebSocketReceiveMessage:
        """The next message. Raises TooSlow, or QuestionError where the sender is gone, which litestar calls our mistake."""
        if self._whole:
            return await self._receive()
        self._until = self._until or asyncio.get_running_loop().time() + GRACE
        try:
            async with asyncio.timeout_at(self._until):
                message = await self._receive()
        except TimeoutError as error:
            mend = f"send it at {BYTES_A_SECOND // 1000} kB a second or faster"
            raise TooSlow("the body of the request did not arrive in time", mend) from error
        if message["type"] == "http.request":
            self._until += len(message["body"]) / BYTES_A_SECOND
            self._whole = not message["more_body"]
        elif message["type"] == "http.disconnect":
            raise QuestionError("the connection was closed before the body of the request was whole", "send it again")
        return message
