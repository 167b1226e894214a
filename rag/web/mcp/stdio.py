"""The protocol over standard input and output: for a client that starts `rag mcp` itself."""

import anyio
from mcp.server.stdio import stdio_server

from rag.engine import Engine
from rag.web.admission import Admission
from rag.web.mcp.server import build


def serve(engine: Engine) -> None:
    """Serve until the client closes standard input. What anything else prints goes to standard error: the SDK sees to it."""
    engine.models.begin_answering()
    anyio.run(_serve, engine)


async def _serve(engine: Engine) -> None:
    admission = Admission()
    server = build(engine, admission)
    try:
        async with stdio_server() as (reading, writing):
            await server.run(reading, writing, server.create_initialization_options())
    finally:
        admission.close()
