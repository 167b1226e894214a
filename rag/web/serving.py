"""Runs the application on an address of this machine. With `connections.py` the only importer of uvicorn."""

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
from rag.engine import Engine
from rag.errors import QuestionError
from rag.keys import Keys
from rag.settings import Settings
from rag.web.admission import Admission
from rag.web.app import create
from rag.web.guard import browsers
from rag.web.guard.connections import Impatient, TurnedAway
from rag.web.telemetry import log, tracing
from rag.web.telemetry.metrics import Metrics

_log = logging.getLogger(__name__)
# Seconds that questions under way get when the service is stopped, and those that their askers then get to be told.
GRACE = 4
_TELLING = 1


def serve(engine: Engine, say: Callable[[str], None] = lambda _: None) -> None:
    """Serve until interrupted; `say` is told who can use the service.

    What keeps it from starting is raised before a line is logged: StorageError where the address is taken, QuestionError where
    other machines reach it and there are no keys, and what opening the index raises.
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
    engine.models.begin_answering()  # not before: importing the service is what a first search waits for
    Server(configured(app, counted), admission).run(sockets=sockets)


def configured(app: Any, counted: Metrics) -> uvicorn.Config:
    """How uvicorn serves the application. Requests have lines of ours; of uvicorn's own only warnings are told."""
    return uvicorn.Config(
        app,
        http=partial(Impatient, TurnedAway(counted.turned_away)),  # type: ignore[arg-type]  # all that it does is to call it
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=GRACE + _TELLING,
    )


def require_keys(settings: Settings) -> None:
    """That there are keys, where other machines reach the address. Raises QuestionError or KeysDamaged."""
    if not browsers.is_loopback(settings.host) and not Keys(settings.keys).all():
        hint = "make one first: rag keys create NAME"
        raise QuestionError(f"{settings.host!a} is reached from other machines, and there are no keys", hint)


def openness(settings: Settings) -> str:
    """What to say of who can use the service."""
    if Keys(settings.keys).exist:
        return "a key is needed (`rag keys list`)"
    others = "for other machines make a key (`rag keys create NAME`) and set --host"
    return f"there are no keys: whoever uses this machine may use the service, and nobody else; {others}"


class Server(uvicorn.Server):
    """uvicorn's server, which itself cuts off in the middle what is not done when it is told to end."""

    def __init__(self, config: uvicorn.Config, admission: Admission) -> None:
        super().__init__(config)
        self._admission = admission

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End: questions get a while, then their askers are told, as of any other problem."""
        late = asyncio.get_running_loop().call_later(GRACE, self._admission.close)
        try:
            await super().shutdown(sockets)
        finally:
            late.cancel()
