"""The HTTP application: joins the routes with their guards, limits and telemetry, and describes them at `/schema`.

The routes translate between JSON and the engine, and do nothing else.
"""

from collections.abc import Sequence
from typing import Any

from litestar import Litestar, Request, Router
from litestar.config.cors import CORSConfig
from litestar.di import Provide
from litestar.enums import HttpMethod
from litestar.exceptions import HTTPException
from litestar.handlers import HTTPRouteHandler
from litestar.openapi import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin
from litestar.plugins import PluginProtocol
from litestar.plugins.core import MsgspecDIPlugin

from rag import __version__
from rag.engine import Engine
from rag.errors import RagError
from rag.web import page, problems
from rag.web.admission import Admission
from rag.web.guard import access, browsers, connections
from rag.web.guard.access import Access
from rag.web.mcp.mounted import Mounted
from rag.web.openai import chat, embeddings
from rag.web.rebuilding import Rebuilds
from rag.web.routes import documents, index, questions, service, uploads
from rag.web.telemetry.metrics import Metrics
from rag.web.telemetry.observing import Observed, Questions
from rag.web.telemetry.tracing import Traces, Untraced

# A question and its history have at most some 200,000 characters; the rest is for JSON's escapes.
_MOST_BODY_BYTES = 1_000_000

# The routes by tag, which groups them in the schema.
GROUPS: dict[str, tuple[Any, ...]] = {
    "questions": (questions.ask, questions.search),
    "documents": (
        documents.listed,
        documents.unread,
        documents.one,
        documents.text,
        documents.original,
        documents.remove,
        uploads.upload,
    ),
    "index": (index.rebuild, index.listed_jobs, index.one_job, index.listed_snapshots, index.activate),
    "openai": (chat.complete, embeddings.embed, embeddings.listed, embeddings.one),
    "service": (service.live, service.ready, service.metrics),
    "login": (service.me, service.login, service.logout),
}
ROUTES = tuple(route for routes in GROUPS.values() for route in routes)

_DESCRIPTION = (
    "Search your own documents, and get answers from them. Every citation was compared with its document, word for word.\n\n"
    "Without keys, the service is for this machine only. With keys (`rag keys create`), send `Authorization: Bearer rag_...`."
    "\n\nErrors are problem details (RFC 9457) whose `detail` ends with what to do; OpenAI's routes use OpenAI's form. "
    "The response header `X-Request-ID` names the request in the service's log."
)


def create(
    engine: Engine,
    *,
    admission: Admission | None = None,
    rebuilds: Rebuilds | None = None,
    counted: Metrics | None = None,
    traces: Traces | None = None,
) -> Litestar:
    """The application over one engine. On shutdown, the questions and the rebuild under way are stopped."""
    admission, rebuilds, traces = admission or Admission(), rebuilds or Rebuilds(engine.settings), traces or Untraced()
    counted, mcp, gate = counted or Metrics(), Mounted(engine, admission), Access(engine.settings)
    counted.look_at(engine, admission, rebuilds)
    admission.watch = Questions(counted, traces).watch
    provided = {"engine": engine, "admission": admission, "rebuilds": rebuilds, "counted": counted, "access": gate}
    app = _Application(
        route_handlers=(*_tagged(), *page.HANDLERS, mcp.handler),
        lifespan=[mcp.lifespan],
        dependencies={name: _provide(value) for name, value in provided.items()},
        guards=[gate.guard],
        before_send=[browsers.protect],
        middleware=[connections.with_body_timeout],
        cors_config=_cors(engine.settings.origins),
        exception_handlers=dict.fromkeys((RagError, HTTPException, Exception), problems.reply),
        on_shutdown=[admission.close, rebuilds.close, traces.close],
        logging_config=None,  # the log is the process's (telemetry/log.py), not an application's
        request_max_body_size=_MOST_BODY_BYTES,
        openapi_config=OpenAPIConfig(
            title="rag",
            version=__version__,
            description=_DESCRIPTION,
            render_plugins=[_Schema(path="/")],
            use_handler_docstrings=True,
            operation_id_creator=_operation_id,
            components=access.SCHEMES,
            security=access.ANY_SCHEME,
            openapi_router=Router("/schema", route_handlers=(), include_in_schema=False, opt=access.PUBLIC),
        ),
    )
    app.asgi_handler = Observed(app.asgi_handler, counted, traces, questions=engine.settings.log_questions)
    return app


def _tagged() -> list[Router]:
    return [Router("/", route_handlers=routes, tags=[tag]) for tag, routes in GROUPS.items()]


class _Application(Litestar):
    """Litestar without its plugins for pydantic and attrs, which mcp installs and no route uses.

    Importing them takes a tenth of a second, for which the first search would wait.
    """

    @staticmethod
    def _get_default_plugins(plugins: list[PluginProtocol]) -> list[PluginProtocol]:
        return [*plugins, MsgspecDIPlugin()]


class _Schema(JsonRenderPlugin):
    """The OpenAPI document as JSON. It loads nothing from anywhere."""

    def render(self, request: Request[Any, Any, Any], openapi_schema: dict[str, Any]) -> bytes:
        """Complete the document, which is cheap."""
        from rag.web import schema  # imported here: most services are never asked for their schema

        schema.complete(openapi_schema)
        return super().render(request, openapi_schema)


def _operation_id(_: HTTPRouteHandler, method: HttpMethod | str, path: list[Any]) -> str:
    """The name of a route in generated clients, as `get_v1_documents_document_id_text`. It changes only with the route."""
    parts = [str(getattr(part, "name", part)) for part in path]
    return "_".join([str(getattr(method, "value", method)).lower(), *parts])


def _cors(origins: Sequence[str]) -> CORSConfig | None:
    """The requests allowed to pages of these origins: with a key, never with cookies. Without origins, none."""
    if not origins:
        return None
    methods: list[Any] = ["GET", "POST", "DELETE"]
    return CORSConfig(allow_origins=list(origins), allow_methods=methods, expose_headers=["Retry-After", "X-Request-ID"])


def _provide(value: object) -> Provide:
    return Provide(lambda: value, sync_to_thread=False)
