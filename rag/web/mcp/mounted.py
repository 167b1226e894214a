"""The MCP server over streamable HTTP at `/mcp`, within the service.

The SDK takes most of a second to import: the first MCP client waits for it, and the start of the service does not.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from litestar import Litestar, asgi
from litestar.datastructures import Headers
from litestar.handlers import ASGIRouteHandler
from litestar.types import Receive, Scope, Send

from rag.address import is_loopback
from rag.engine import Engine
from rag.web.admission import Admission
from rag.web.guard import browsers
from rag.web.guard.access import READ

if TYPE_CHECKING:
    from mcp.server.streamable_http_manager import StreamableHTTPSessionManager

# Bytes of a request: a question with its history and filter.
_MOST_BODY_BYTES = 1_000_000
# Clients of the older protocol version keep a session until half an hour after their last request.
_MOST_SESSIONS = 1000
_HINT = "connect to http://127.0.0.1 or http://localhost, or make keys and set --host to an address of the network"


class Mounted:
    """The route of the MCP server. The SDK's session manager runs in one task, from the first request to the service's end."""

    def __init__(self, engine: Engine, admission: Admission) -> None:
        self._engine, self._admission = engine, admission
        self._is_local = is_loopback(engine.settings.host)
        self._task: asyncio.Task[None] | None = None
        self._opened: asyncio.Future[StreamableHTTPSessionManager] | None = None
        self._closing = asyncio.Event()

    @property
    def handler(self) -> ASGIRouteHandler:
        """The route."""

        @asgi("/mcp", copy_scope=True, opt={"scope": READ})
        async def mcp(scope: Scope, receive: Receive, send: Send) -> None:
            self._require_local_names(scope)
            manager = await self._manager()
            await manager.handle_request(scope, receive, send)  # type: ignore[arg-type]  # ASGI, typed by another framework

        return mcp

    @asynccontextmanager
    async def lifespan(self, _app: Litestar) -> AsyncIterator[None]:
        """Ends the sessions with the service."""
        try:
            yield
        finally:
            self._closing.set()
            if self._task:
                await self._task

    def _require_local_names(self, scope: Scope) -> None:
        """On a loopback address, refuse a `Host` or `Origin` that is not of this machine, also where a key is sent.

        The protocol requires both checks against DNS rebinding. On another address the service cannot know its own names; there
        a key protects it. Raises AccessRefused.
        """
        if self._is_local:
            headers = Headers.from_scope(scope)
            browsers.require_loopback(headers.get("host", ""), _HINT)
            browsers.require_loopback_origin(headers.get("origin", ""), _HINT)

    async def _manager(self) -> "StreamableHTTPSessionManager":
        if self._opened is None:
            self._opened = asyncio.get_running_loop().create_future()
            self._task = asyncio.create_task(self._run(self._opened))
        return await asyncio.shield(self._opened)

    async def _run(self, opened: "asyncio.Future[StreamableHTTPSessionManager]") -> None:
        try:
            manager = await asyncio.to_thread(self._made)
        except BaseException as error:
            opened.set_exception(error)
            raise
        async with manager.run():
            opened.set_result(manager)
            await self._closing.wait()

    def _made(self) -> "StreamableHTTPSessionManager":
        from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
        from mcp.server.transport_security import TransportSecuritySettings

        from rag.web.mcp.server import build

        return StreamableHTTPSessionManager(
            build(self._engine, self._admission),
            # The SDK compares names literally and knows no pattern such as `*.localhost`; `_require_local_names` checks them.
            security_settings=TransportSecuritySettings(enable_dns_rebinding_protection=False),
            max_request_body_size=_MOST_BODY_BYTES,
            max_sessions=_MOST_SESSIONS,
        )
