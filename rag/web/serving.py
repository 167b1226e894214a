"""Runs the application on an address of this machine. The only importer of uvicorn."""

import logging
import os
import sys

import uvicorn

from rag import __version__, address
from rag.engine import Engine
from rag.web import logs, tracing
from rag.web.app import create

_log = logging.getLogger(__name__)
# Seconds that questions under way get when the service is stopped.
_GRACE = 5


def serve(engine: Engine) -> None:
    """Serve until interrupted. Raises StorageError where the address is taken, and what opening the index raises.

    What keeps it from starting is raised before a line is logged.
    """
    settings = engine.settings
    engine.snapshot()
    app = create(engine, traces=tracing.open_configured(os.environ))
    sockets = address.listen(settings.host, settings.port)
    logs.configure(settings, sys.stderr)
    # Requests have lines of ours, with their ids; of uvicorn's own only warnings are told.
    config = uvicorn.Config(app, log_config=None, access_log=False, timeout_graceful_shutdown=_GRACE)
    where = f"http://{address.shown(settings.host, sockets[0].getsockname()[1])}"
    _log.info("serving", extra={"fields": {"version": __version__, "url": where, "snapshot": engine.serving()}})
    uvicorn.Server(config).run(sockets=sockets)
