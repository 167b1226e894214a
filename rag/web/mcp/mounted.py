"""The protocol's streamable HTTP at /mcp, within the service.

The SDK takes most of a second to import, so the first client waits for it and the service's start does not.
"""

import asyncio
import ipaddress
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from litestar import Litestar, asgi
from litestar.handlers import ASGIRouteHandler
from litestar.types import Receive, Scope, Send

from rag.engine import Engine
from rag.web.admission import Admission
from rag.web.guard.access import READ

if TYPE_CHECKING:
    from mcp.server.streamable_http_manager import StreamableHTTPSessionManager

# Bytes of a request: a question and its filter.
_MOST_BODY_BYTES = 1_000_000
# Clients that speak the older protocol keep a session, for half an hour after their last word.
_MOST_SESSIONS = 1000
_LOOPBACK = ("127.0.0.1", "localhost", "[::1]")


class Mounted:
    """The sessions of the protocol's clients. They live in a task of their own, from the first request to the service's end."""

    def __init__(self, engine: Engine, admission: Admission) -> None:
        self._engine, self._admission = engine, admission
        self._task: asyncio.Task[None] | None = None
        self._opened: asyncio.Future[StreamableHTTPSessionManager] | None = None
        self._closing = asyncio.Event()

    @property
    def handler(self) -> ASGIRouteHandler:
        """The route."""

        @asgi("/mcp", copy_scope=True, opt={"scope": READ})
        async def mcp(scope: Scope, receive: Receive, send: Send) -> None:
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
            security_settings=TransportSecuritySettings(**_allowed(self._engine.settings.host)),
            max_request_body_size=_MOST_BODY_BYTES,
            max_sessions=_MOST_SESSIONS,
        )


def _allowed(host: str) -> dict[str, Any]:
    """Who may ask: on a loopback address those who name it so, for else a page of a stranger could, by a name that leads here.

    Elsewhere the service cannot know its own names; there a key is what protects it.
    """
    if not _is_loopback(host):
        return {"enable_dns_rebinding_protection": False}
    hosts = [name + port for name in _LOOPBACK for port in ("", ":*")]
    return {"allowed_hosts": hosts, "allowed_origins": [f"{scheme}://{name}" for scheme in ("http", "https") for name in hosts]}


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
