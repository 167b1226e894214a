"""How long a request may take to arrive. Slow clients hold what they were given, a connection and a place, from others.

The replies to what has no route: to bytes that are no HTTP, and to a connection too many. Problems as any other.

Which connections are kept, and for how long: those who hold one and ask nothing, or do not read, give way to others.
"""

import asyncio
import fcntl
import logging
import math
import resource
import sys
import termios
import time
from collections.abc import Callable
from contextlib import suppress
from http import HTTPStatus
from typing import Any

import h11
from litestar.enums import ScopeType
from litestar.exceptions import HTTPException, ServiceUnavailableException
from litestar.serialization import encode_json
from litestar.types import ASGIApp, HTTPReceiveMessage, Receive, Scope, Send, WebSocketReceiveMessage
from uvicorn.protocols.http.h11_impl import H11Protocol

from rag.errors import QuestionError, TooSlow
from rag.web import problems
from rag.web.guard import browsers
from rag.web.telemetry import log

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
            hint = f"send it at {BYTES_A_SECOND // 1000} kB a second or faster"
            raise TooSlow("the body of the request did not arrive in time", hint) from error
        if message["type"] == "http.request":
            self._until += len(message["body"]) / BYTES_A_SECOND
            self._whole = not message["more_body"]
        elif message["type"] == "http.disconnect":
            raise QuestionError("the connection was closed before the body of the request was whole", "send it again")
        return message


_AGAIN_SECONDS = 10


def no_http(connection: h11.Connection) -> bytes:
    """What is told to bytes that are no HTTP."""
    error = QuestionError("the request is no HTTP/1.1", "send one, and by http:// where no proxy before rag ends TLS")
    return _reply(connection, error)


def too_many() -> bytes:
    """What is told to a connection more than are kept."""
    detail = "the service has as many connections as it takes"
    error = ServiceUnavailableException(detail=detail, headers={"Retry-After": str(_AGAIN_SECONDS)})
    return _reply(h11.Connection(h11.SERVER), error)


def _reply(connection: h11.Connection, error: QuestionError | HTTPException) -> bytes:
    """The whole reply, under an id of its own; the connection ends with it."""
    request = log.begin("", questions=False).id
    problem = problems.of(error)
    body = encode_json(problem)
    told = {
        **browsers.EVERYWHERE,
        **problems.headers(error),
        "Content-Type": problems.MEDIA_TYPE,
        "Content-Length": str(len(body)),
        "Connection": "close",
        "X-Request-ID": request,
    }
    head = h11.Response(
        status_code=problem.status, headers=list(told.items()), reason=HTTPStatus(problem.status).phrase.encode()
    )
    return b"".join(connection.send(event) or b"" for event in (head, h11.Data(body), h11.EndOfMessage()))


# More at once two cores have no use for.
_USEFUL = 1000
_FILES = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
# Connections at once: at most half of the files that this process may open, for the index, uploads and endpoints need some too.
MOST = _USEFUL if _FILES == resource.RLIM_INFINITY else min(_USEFUL, _FILES // 2)
# Seconds in which the head of a request has to be there.
HEAD_SECONDS = 20.0
# Seconds in which whoever is sent more than the system takes at once has to read it, at the speed that bodies need to come.
READ_SECONDS = 20.0
# Seconds between two lines of the log about connections that were turned away: those who want to be many are.
_TELL_SECONDS = 10.0
_log = logging.getLogger(__name__)


class TurnedAway:
    """Tells of connections that there was no place for: of each to `count`, and now and then to the log how many they were."""

    def __init__(self, count: Callable[[], None]) -> None:
        self._count, self._untold, self._told = count, 0, -math.inf

    def __call__(self) -> None:
        """One more."""
        self._count()
        self._untold += 1
        if (now := time.monotonic()) - self._told >= _TELL_SECONDS:
            _log.warning("connections turned away", extra={"fields": {"status": 503, "connections": self._untold}})
            self._untold, self._told = 0, now


class Impatient(H11Protocol):
    """uvicorn's protocol, which itself takes connections without end, and waits without end for heads that come sign by sign.

    Its `limit_concurrency` looks at requests: connections that send none are not counted out, and take all files there are.
    """

    _waited: asyncio.TimerHandle | None = None
    _unread: asyncio.TimerHandle | None = None

    def __init__(self, turned_away: TurnedAway, **given: Any) -> None:
        """`given` is what uvicorn gives its own."""
        super().__init__(**given)
        self._turned_away = turned_away

    @property
    def is_idle(self) -> bool:
        """Whether it has no request under way, and nothing of a reply."""
        return self.conn.their_state is h11.IDLE and not self.transport.get_write_buffer_size()

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        """A new connection, which has its time for the first head. Where there are too many, an idle one gives way to it."""
        if len(self.connections) >= MOST and not self._make_room():
            transport.write(too_many())
            transport.close()
            self._turned_away()
            return
        super().connection_made(transport)
        # What the system does not take at once is told by `pause_writing`, however little it is: else a reply of which a few
        # bytes were never read would keep the connection open without end.
        transport.set_write_buffer_limits(0)
        self._since = self.loop.time()
        self._wait_for_head()

    def _make_room(self) -> bool:
        """Hang up on whoever has been idle for longest: one who means to ask does so at once."""
        idle = [other for other in self.connections if isinstance(other, Impatient) and other.is_idle]
        if not idle:
            return False
        longest = min(idle, key=lambda other: other._since)  # noqa: SLF001 - one of its own kind
        self.connections.discard(longest)
        longest.transport.abort()
        return True

    def data_received(self, data: bytes) -> None:
        """Bytes of a head, or of a body."""
        if self.transport is None:  # it was turned away
            return
        super().data_received(data)
        self._wait_for_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """The end of it."""
        if self.transport is not None:
            super().connection_lost(exc)
        self._stop_waiting()
        self._stop_looking()

    def on_response_complete(self) -> None:
        """The reply is whole; from now on it is idle, for five seconds at most."""
        self._since = self.loop.time()
        super().on_response_complete()

    def pause_writing(self) -> None:
        """More of the reply waits than the system takes: the client does not read, or slowly."""
        super().pause_writing()
        self._look_again()

    def resume_writing(self) -> None:
        """The client has read."""
        super().resume_writing()
        self._stop_looking()

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 - as uvicorn has it
        """Say what is wrong with what is no HTTP, unless a reply has begun. uvicorn has logged it."""
        if self.conn.our_state in {h11.IDLE, h11.SEND_RESPONSE}:
            self.transport.write(no_http(self.conn))
        self.transport.close()

    def _wait_for_head(self) -> None:
        """Begin to wait where a head is lacking, or the rest of a body that nobody needs any more; else end it."""
        if h11.IDLE is not self.conn.their_state and self.conn.our_state is not h11.DONE:
            self._stop_waiting()
        elif self._waited is None:
            self._waited = self.loop.call_later(HEAD_SECONDS, self.timeout_keep_alive_handler)

    def _stop_waiting(self) -> None:
        if self._waited:
            self._waited.cancel()
            self._waited = None

    def _look_again(self) -> None:
        """See after a while how much of what waits was read since."""
        self._unread = self.loop.call_later(READ_SECONDS, self._look, self._untaken())

    def _look(self, before: int) -> None:
        if before - self._untaken() < READ_SECONDS * BYTES_A_SECOND:
            self.transport.abort()
        else:
            self._look_again()

    def _untaken(self) -> int:
        """Bytes that the client has not taken yet: ours, and the system's, which asks for more only after a megabyte went."""
        held = b"\0" * 4
        with suppress(OSError):  # a system that does not tell
            held = fcntl.ioctl(self.transport.get_extra_info("socket"), termios.TIOCOUTQ, held)
        return self.transport.get_write_buffer_size() + int.from_bytes(held, sys.byteorder)

    def _stop_looking(self) -> None:
        if self._unread:
            self._unread.cancel()
            self._unread = None
