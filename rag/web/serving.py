"""Runs the application on an address of this machine. The only importer of uvicorn."""

import uvicorn

from rag.engine import Engine
from rag.errors import StorageError
from rag.web.app import create

# Seconds that questions under way get when the service is stopped.
_GRACE = 5


def serve(engine: Engine) -> None:
    """Serve until interrupted. Raises StorageError where the address is taken, and what opening the index raises."""
    settings = engine.settings
    engine.snapshot()
    config = uvicorn.Config(
        create(engine), host=settings.host, port=settings.port, log_level="info", timeout_graceful_shutdown=_GRACE
    )
    server = uvicorn.Server(config)
    try:
        server.run()
    except SystemExit as error:
        raise StorageError(
            f"{settings.host}:{settings.port} cannot be listened on", "set RAG_PORT or --port to a free one"
        ) from error
