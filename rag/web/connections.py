"""Which connections are kept, and for how long: those who hold one and ask nothing give way to others."""

import asyncio
import json
import resource

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

# More at once two cores have no use for.
_USEFUL = 1000
_FILES = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
# Connections at once: at most half of the files that this process may open, for the index, uploads and endpoints need some too.
MOST = _USEFUL if _FILES == resource.RLIM_INFINITY else min(_USEFUL, _FILES // 2)
# Seconds in which the head of a request has to be there.
HEAD_SECONDS = 20.0
_PROBLEM = json.dumps(
    {
        "type": "urn:rag:ServiceUnavailable",
        "title": "ServiceUnavailable",
        "status": 503,
        "detail": "the service has as many connections as it takes; ask again in 10 seconds",
        "instance": "",
    }
).encode()
_HEAD = "HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/problem+json\r\nRetry-After: 10\r\nConnection: close\r\n"
_FULL = f"{_HEAD}Content-Length: {len(_PROBLEM)}\r\n\r\n".encode() + _PROBLEM


class Impatient(H11Protocol):
    """uvicorn's protocol, which itself takes connections without end, and waits without end for heads that come sign by sign.

    Its `limit_concurrency` looks at requests: connections that send none are not counted out, and take all files there are.
    """

    _waited: asyncio.TimerHandle | None = None

    @property
    def is_idle(self) -> bool:
        """Whether it has no request under way, and nothing of a reply."""
        return self.conn.their_state is h11.IDLE and not self.transport.get_write_buffer_size()

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        """A new connection, which has its time for the first head. Where there are too many, an idle one gives way to it."""
        if len(self.connections) >= MOST and not self._make_room():
            transport.write(_FULL)
            transport.close()
            return
        super().connection_made(transport)
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

    def on_response_complete(self) -> None:
        """The reply is whole; from now on it is idle, for five seconds at most."""
        self._since = self.loop.time()
        super().on_response_complete()

    def _wait_for_head(self) -> None:
        """Begin to wait where a head is lacking; end it where it is there."""
        if self.conn.their_state is not h11.IDLE:
            self._stop_waiting()
        elif self._waited is None:
            self._waited = self.loop.call_later(HEAD_SECONDS, self.timeout_keep_alive_handler)

    def _stop_waiting(self) -> None:
        if self._waited:
            self._waited.cancel()
            self._waited = None
