"""Which connections are kept, and for how long: those who hold one and ask nothing, or do not read, give way to others."""

import asyncio
import resource

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from rag.web import slowness, unrouted

# More at once two cores have no use for.
_USEFUL = 1000
_FILES = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
# Connections at once: at most half of the files that this process may open, for the index, uploads and endpoints need some too.
MOST = _USEFUL if _FILES == resource.RLIM_INFINITY else min(_USEFUL, _FILES // 2)
# Seconds in which the head of a request has to be there.
HEAD_SECONDS = 20.0
# Seconds in which whoever is sent more than the system takes at once has to read it, at the speed that bodies need to come.
READ_SECONDS = 20.0


class Impatient(H11Protocol):
    """uvicorn's protocol, which itself takes connections without end, and waits without end for heads that come sign by sign.

    Its `limit_concurrency` looks at requests: connections that send none are not counted out, and take all files there are.
    """

    _waited: asyncio.TimerHandle | None = None
    _unread: asyncio.TimerHandle | None = None

    @property
    def is_idle(self) -> bool:
        """Whether it has no request under way, and nothing of a reply."""
        return self.conn.their_state is h11.IDLE and not self.transport.get_write_buffer_size()

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        """A new connection, which has its time for the first head. Where there are too many, an idle one gives way to it."""
        if len(self.connections) >= MOST and not self._make_room():
            transport.write(unrouted.too_many())
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
            self.transport.write(b"".join(self.conn.send(event) or b"" for event in unrouted.no_http()))
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
        self._unread = self.loop.call_later(READ_SECONDS, self._look, self.transport.get_write_buffer_size())

    def _look(self, before: int) -> None:
        if before - self.transport.get_write_buffer_size() < READ_SECONDS * slowness.BYTES_A_SECOND:
            self.transport.abort()
        else:
            self._look_again()

    def _stop_looking(self) -> None:
        if self._unread:
            self._unread.cancel()
            self._unread = None
