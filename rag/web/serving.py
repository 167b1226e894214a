"""Runs the application on an address of this machine. The only importer of uvicorn."""

import asyncio
import logging
import os
import sys
from collections.abc import Callable
from typing import Any

import h11
import uvicorn
from litestar.serialization import encode_json
from uvicorn.protocols.http.h11_impl import H11Protocol

from rag import __version__, address
from rag.engine import Engine
from rag.errors import QuestionError
from rag.keys import Keys
from rag.settings import Settings
from rag.web import headers, logs, noting, origins, problems, slowness, tracing
from rag.web.app import create

_log = logging.getLogger(__name__)
# Seconds that questions under way get when the service is stopped.
_GRACE = 5
# Seconds in which the head of a request has to be there.
HEAD_SECONDS = 20.0
# Seconds in which whoever is sent more than the system takes at once has to read it, at the speed that bodies need to come.
READ_SECONDS = 20.0


def serve(engine: Engine, say: Callable[[str], None] = lambda _: None) -> None:
    """Serve until interrupted; `say` is told who can use the service.

    What keeps it from starting is raised before a line is logged: StorageError where the address is taken, QuestionError where
    other machines reach it and there are no keys, and what opening the index raises.
    """
    settings = engine.settings
    require_keys(settings)
    engine.snapshot()
    app = create(engine, traces=tracing.open_configured(os.environ))
    sockets = address.listen(settings.host, settings.port)
    say(openness(settings))
    logs.configure(settings, sys.stderr)
    where = f"http://{address.shown(settings.host, sockets[0].getsockname()[1])}"
    _log.info("serving", extra={"fields": {"version": __version__, "url": where, "snapshot": engine.serving()}})
    uvicorn.Server(configured(app)).run(sockets=sockets)


def configured(app: Any) -> uvicorn.Config:
    """How uvicorn serves the application. Requests have lines of ours; of uvicorn's own only warnings are told."""
    return uvicorn.Config(
        app, http=Impatient, log_config=None, access_log=False, server_header=False, timeout_graceful_shutdown=_GRACE
    )


def require_keys(settings: Settings) -> None:
    """That there are keys, where other machines reach the address. Raises QuestionError or KeysDamaged."""
    if not origins.is_loopback(settings.host) and not Keys(settings.keys).all():
        mend = "make one first: rag keys create NAME"
        raise QuestionError(f"{settings.host!a} is reached from other machines, and there are no keys", mend)


def openness(settings: Settings) -> str:
    """What to say of who can use the service."""
    if Keys(settings.keys).exist:
        return "a key is needed (`rag keys list`)"
    others = "for other machines make a key (`rag keys create NAME`) and set --host"
    return f"there are no keys: whoever uses this machine may use the service, and nobody else; {others}"


class Impatient(H11Protocol):
    """uvicorn's protocol, which itself waits without end for a head that comes sign by sign, and for whoever does not read.

    What is no HTTP is told so in a problem too.
    """

    _waited: asyncio.TimerHandle | None = None
    _unread: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        """A new connection, which has its time for the first head."""
        super().connection_made(transport)
        self._wait_for_head()

    def data_received(self, data: bytes) -> None:
        """Bytes of a head, or of a body."""
        super().data_received(data)
        self._wait_for_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """The end of it."""
        super().connection_lost(exc)
        self._stop_waiting()
        self._stop_looking()

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
            told, body = _no_http()
            events = (h11.Response(status_code=400, headers=told, reason="Bad Request"), h11.Data(body), h11.EndOfMessage())
            self.transport.write(b"".join(self.conn.send(event) or b"" for event in events))
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


def _no_http() -> tuple[list[tuple[str, str]], bytes]:
    """The headers and the body of the reply to what is no HTTP, under an id of its own."""
    request = noting.begin("", questions=False).id
    error = QuestionError("the request is no HTTP/1.1", "send one, and by http:// where no proxy before rag ends TLS")
    body = encode_json(problems.of(error))
    more = {
        "content-type": problems.MEDIA_TYPE,
        "content-length": str(len(body)),
        "connection": "close",
        "x-request-id": request,
    }
    return [*headers.EVERYWHERE.items(), *more.items()], body
