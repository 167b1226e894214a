"""Runs the application on an address of this machine, and stops it. With `connections.py` the only importer of uvicorn."""

import asyncio
import logging
import os
import socket
import sys
from collections.abc import Callable
from functools import partial
from typing import Any

import uvicorn

from rag import __version__, address
from rag.address import is_loopback
from rag.engine import Engine
from rag.errors import QuestionError
from rag.keys import Keys
from rag.settings import Settings
from rag.web.admission import Admission
from rag.web.app import create
from rag.web.guard.connections import LimitedProtocol, TurnedAway
from rag.web.telemetry import log, tracing
from rag.web.telemetry.metrics import Metrics

_log = logging.getLogger(__name__)
# Seconds that questions under way get to end when the service stops, and seconds for their clients to receive the error then.
GRACE = 4
_ERROR_SECONDS = 1


def serve(engine: Engine, say: Callable[[str], None] = lambda _: None) -> None:
    """Serve until interrupted. `say` gets one line for the user: who can use the service.

    Raises, before anything is logged, StorageError where the address is in use, QuestionError where other machines reach it and
    there are no keys, and what opening the index raises.
    """
    settings = engine.settings
    require_keys(settings)
    engine.snapshot()
    admission, counted = Admission(), Metrics()
    app = create(engine, admission=admission, counted=counted, traces=tracing.open_configured(os.environ))
    sockets = address.listen(settings.host, settings.port)
    say(openness(settings))
    log.configure(settings, sys.stderr)
    where = f"http://{address.shown(settings.host, sockets[0].getsockname()[1])}"
    _log.info("serving", extra={"fields": {"version": __version__, "url": where, "snapshot": engine.serving()}})
    engine.models.begin_answering()  # not earlier: the first search would wait for the imports
    Server(configured(app, counted), admission).run(sockets=sockets)


def configured(app: Any, counted: Metrics) -> uvicorn.Config:
    """How uvicorn serves the application. The log has our line for each request, and only warnings of uvicorn's."""
    return uvicorn.Config(
        app,
        http=partial(LimitedProtocol, TurnedAway(counted.turned_away)),  # type: ignore[arg-type]  # uvicorn only calls it
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=GRACE + _ERROR_SECONDS,
    )


def require_keys(settings: Settings) -> None:
    """Refuse to serve other machines without keys. Raises QuestionError or KeysDamaged."""
    if not is_loopback(settings.host) and not Keys(settings.keys).all():
        hint = "make one first: rag keys create NAME"
        raise QuestionError(f"other machines can reach {settings.host!a}, and there are no keys", hint)


def openness(settings: Settings) -> str:
    """One line for the user: who can use the service."""
    if Keys(settings.keys).exist:
        return "a key is needed (`rag keys list`)"
    others = "for other machines, make a key (`rag keys create NAME`) and set --host"
    return f"there are no keys: anyone on this machine may use the service, and nobody else; {others}"


class Server(uvicorn.Server):
    """uvicorn's server, which by itself cuts off responses that are not complete when it stops."""

    def __init__(self, config: uvicorn.Config, admission: Admission) -> None:
        super().__init__(config)
        self._admission = admission

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop: questions get `GRACE` seconds to end, then their clients get the problem ServiceStopping."""
        late = asyncio.get_running_loop().call_later(GRACE, self._admission.close)
        try:
            await super().shutdown(sockets)
        finally:
            late.cancel()
