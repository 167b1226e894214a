"""Runs the application on an address of this machine. With `connections.py` the only importer of uvicorn."""

import logging
import os
import sys
from collections.abc import Callable
from typing import Any

import uvicorn

from rag import __version__, address
from rag.engine import Engine
from rag.errors import QuestionError
from rag.keys import Keys
from rag.settings import Settings
from rag.web import logs, origins, tracing
from rag.web.app import create
from rag.web.connections import Impatient

_log = logging.getLogger(__name__)
# Seconds that questions under way get when the service is stopped.
_GRACE = 5


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
