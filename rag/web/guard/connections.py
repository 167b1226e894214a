"""Limits for slow and idle clients: how many connections there may be, and how long a head, a body and a read may take.

uvicorn limits none of these: connections that send nothing, or do not read, would hold all the files that the process may open.
Its h11 protocol is extended here, which also writes the responses that no route can: to a connection over the limit, and to
bytes that are not HTTP. Both are problem details, as all errors are. With `serving.py` the only importer of uvicorn.
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

_log = logging.getLogger(__name__)
# A body has GRACE seconds, and one more for each BYTES_A_SECOND that arrived: a slow upload may take long if it goes on.
GRACE, BYTES_A_SECOND = 20.0, 10_000
# More connections are of no use to two cores.
_USEFUL = 1000
_FILES = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
# Connections at once: at most half of the files that this process may open. The index, uploads and endpoints need some too.
MOST = _USEFUL if _FILES == resource.RLIM_INFINITY else min(_USEFUL, _FILES // 2)
# Seconds in which the head of a request must arrive.
HEAD_SECONDS = 20.0
# Seconds after which a client that has not read its response is checked; it must read at BYTES_A_SECOND or faster.
READ_SECONDS = 20.0
# Seconds between two log lines about refused connections: an attacker would fill the log.
_LOG_SECONDS = 10.0
# Sent as `Retry-After` to a connection over the limit.
_RETRY_SECONDS = 10


def with_body_timeout(app: ASGIApp) -> ASGIApp:
    """The application, in which reading a request body that arrives too slowly raises TooSlow. An ASGI middleware."""

    async def run(scope: Scope, receive: Receive, send: Send) -> None:
        await app(scope, TimedReceive(receive) if scope["type"] == ScopeType.HTTP else receive, send)

    return run


class TimedReceive:
    """The ASGI `receive` of one request, with a time limit until the body is whole, and none for what follows it."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._until: float | None = None
        self._whole = False

    async def __call__(self) -> HTTPReceiveMessage | WebSocketReceiveMessage:
        """The next message. Raises TooSlow, or QuestionError where the client disconnects within the body.

        Litestar would report that as an internal error.
        """
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


def not_http(connection: h11.Connection) -> bytes:
    """The response to bytes that are not HTTP."""
    error = QuestionError("the request is not HTTP/1.1", "send HTTP/1.1, over http:// unless a proxy in front of rag ends TLS")
    return _response(connection, error)


def too_many() -> bytes:
    """The response to a connection over the limit."""
    detail = "the service has too many connections"
    error = ServiceUnavailableException(detail=detail, headers={"Retry-After": str(_RETRY_SECONDS)})
    return _response(h11.Connection(h11.SERVER), error)


def _response(connection: h11.Connection, error: QuestionError | HTTPException) -> bytes:
    """A whole response with a request id of its own. It announces that the connection is closed."""
    request = log.begin("", questions=False).id
    problem = problems.of(error)
    body = encode_json(problem)
    headers = {
        **browsers.EVERYWHERE,
        **problems.headers(error),
        "Content-Type": problems.MEDIA_TYPE,
        "Content-Length": str(len(body)),
        "Connection": "close",
        "X-Request-ID": request,
    }
    head = h11.Response(
        status_code=problem.status, headers=list(headers.items()), reason=HTTPStatus(problem.status).phrase.encode()
    )
    return b"".join(connection.send(event) or b"" for event in (head, h11.Data(body), h11.EndOfMessage()))


class TurnedAway:
    """Reports refused connections: each to `count`, and their number to the log, at most every ten seconds."""

    def __init__(self, count: Callable[[], None]) -> None:
        self._count, self._unlogged, self._logged = count, 0, -math.inf

    def __call__(self) -> None:
        """Report one refused connection."""
        self._count()
        self._unlogged += 1
        if (now := time.monotonic()) - self._logged >= _LOG_SECONDS:
            _log.warning("connections turned away", extra={"fields": {"status": 503, "connections": self._unlogged}})
            self._unlogged, self._logged = 0, now


class LimitedProtocol(H11Protocol):
    """uvicorn's protocol with a connection limit, and time limits for a request's head and for reading a response.

    uvicorn's own `limit_concurrency` counts requests, and so not the connections that send none.
    """

    _head_timer: asyncio.TimerHandle | None = None
    _read_timer: asyncio.TimerHandle | None = None

    def __init__(self, turned_away: TurnedAway, **arguments: Any) -> None:
        """`arguments` are those of uvicorn's protocol."""
        super().__init__(**arguments)
        self._turned_away = turned_away

    @property
    def is_idle(self) -> bool:
        """Whether no request is under way and no response is still to be sent."""
        return self.conn.their_state is h11.IDLE and not self.transport.get_write_buffer_size()

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        """Accept a connection and start the timer of its head. Over the limit, the longest idle one is closed for it."""
        if len(self.connections) >= MOST and not self._make_room():
            transport.write(too_many())
            transport.close()
            self._turned_away()
            return
        super().connection_made(transport)
        # With a limit of 0, `pause_writing` is called for any bytes that the system does not take at once. Else a response of
        # which a few bytes are never read would keep the connection open for ever.
        transport.set_write_buffer_limits(0)
        self._since = self.loop.time()
        self._time_head()

    def _make_room(self) -> bool:
        """Close the connection that has been idle for longest; a client that wants something sends it at once."""
        idle = [other for other in self.connections if isinstance(other, LimitedProtocol) and other.is_idle]
        if not idle:
            return False
        longest = min(idle, key=lambda other: other._since)  # noqa: SLF001 - of the same class
        self.connections.discard(longest)
        longest.transport.abort()
        return True

    def data_received(self, data: bytes) -> None:
        """Handle bytes of a head or a body."""
        if self.transport is None:  # the connection was refused
            return
        super().data_received(data)
        self._time_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the timers of a connection that has ended."""
        if self.transport is not None:
            super().connection_lost(exc)
        self._stop_head_timer()
        self._stop_read_timer()

    def on_response_complete(self) -> None:
        """Note since when the connection is idle; uvicorn closes it after five seconds."""
        self._since = self.loop.time()
        super().on_response_complete()

    def pause_writing(self) -> None:
        """Start the read timer: the client has not read what was sent."""
        super().pause_writing()
        self._time_reading()

    def resume_writing(self) -> None:
        """Stop the read timer: the client has read all."""
        super().resume_writing()
        self._stop_read_timer()

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 - as uvicorn has it
        """Answer bytes that are not HTTP, unless a response has started. uvicorn has logged them."""
        if self.conn.our_state in {h11.IDLE, h11.SEND_RESPONSE}:
            self.transport.write(not_http(self.conn))
        self.transport.close()

    def _time_head(self) -> None:
        """Start the timer while a head is awaited, or the rest of a body that nobody reads any more; else stop it."""
        if h11.IDLE is not self.conn.their_state and self.conn.our_state is not h11.DONE:
            self._stop_head_timer()
        elif self._head_timer is None:
            self._head_timer = self.loop.call_later(HEAD_SECONDS, self.timeout_keep_alive_handler)

    def _stop_head_timer(self) -> None:
        if self._head_timer:
            self._head_timer.cancel()
            self._head_timer = None

    def _time_reading(self) -> None:
        self._read_timer = self.loop.call_later(READ_SECONDS, self._check_reading, self._unread())

    def _check_reading(self, before: int) -> None:
        """Close the connection if the client read too little since there were `before` unread bytes."""
        if before - self._unread() < READ_SECONDS * BYTES_A_SECOND:
            self.transport.abort()
        else:
            self._time_reading()

    def _unread(self) -> int:
        """Bytes that the client has not read yet, in our buffer and the system's.

        Ours alone would not do: the system takes more from it only when a megabyte was read.
        """
        held = b"\0" * 4
        with suppress(OSError):  # not every system reports it
            held = fcntl.ioctl(self.transport.get_extra_info("socket"), termios.TIOCOUTQ, held)
        return self.transport.get_write_buffer_size() + int.from_bytes(held, sys.byteorder)

    def _stop_read_timer(self) -> None:
        if self._read_timer:
            self._read_timer.cancel()
            self._read_timer = None
