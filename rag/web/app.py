"""The HTTP door: joins the routes. Each room of it translates between JSON and the engine, and does nothing else."""

from collections.abc import Sequence
from typing import Any

from litestar import Litestar, Router
from litestar.config.cors import CORSConfig
from litestar.di import Provide
from litestar.exceptions import HTTPException
from litestar.openapi import OpenAPIConfig
from litestar.plugins import PluginProtocol
from litestar.plugins.core import MsgspecDIPlugin

from rag import __version__
from rag.engine import Engine
from rag.errors import RagError
from rag.web import page, problems, schema
from rag.web.admission import Admission
from rag.web.guard import access, browsers, connections
from rag.web.guard.access import Access
from rag.web.mcp.mounted import Mounted
from rag.web.openai import chat, embeddings
from rag.web.rebuilding import Rebuilds
from rag.web.routes import documents, jobs, questions, service, uploads
from rag.web.telemetry.metrics import Metrics
from rag.web.telemetry.observing import Observed, Questions
from rag.web.telemetry.tracing import Traces, Untraced

# A question and its history are at most some 200,000 characters; the rest is room for JSON's escapes.
_MOST_BODY_BYTES = 1_000_000

# By what they are for, as the schema groups them.
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
    "index": (jobs.rebuild, jobs.listed_jobs, jobs.one_job, jobs.listed_snapshots, jobs.activate),
    "openai": (chat.complete, embeddings.embed, embeddings.listed, embeddings.one),
    "service": (service.live, service.ready, service.metrics),
    "login": (service.me, service.login, service.logout),
}
ROUTES = tuple(route for routes in GROUPS.values() for route in routes)


def create(
    engine: Engine,
    *,
    admission: Admission | None = None,
    rebuilds: Rebuilds | None = None,
    counted: Metrics | None = None,
    traces: Traces | None = None,
) -> Litestar:
    """The application over one engine; when it shuts down, questions and the rebuild under way are stopped."""
    admission, rebuilds, traces = admission or Admission(), rebuilds or Rebuilds(engine.settings), traces or Untraced()
    counted, mcp, gate = counted or Metrics(), Mounted(engine, admission), Access(engine.settings)
    counted.look_at(engine, admission, rebuilds)
    admission.watch = Questions(counted, traces).watch
    given = {"engine": engine, "admission": admission, "rebuilds": rebuilds, "counted": counted, "access": gate}
    app = _Application(
        route_handlers=(*_tagged(), *page.HANDLERS, mcp.handler),
        lifespan=[mcp.lifespan],
        dependencies={name: _always(value) for name, value in given.items()},
        guards=[gate.guard],
        before_send=[browsers.protect],
        middleware=[connections.hurried],
        cors_config=_cors(engine.settings.origins),
        exception_handlers=dict.fromkeys((RagError, HTTPException, Exception), problems.reply),
        on_shutdown=[admission.close, rebuilds.close, traces.close],
        logging_config=None,  # the log belongs to the process (logs.py), not to one application in it
        request_max_body_size=_MOST_BODY_BYTES,
        openapi_config=OpenAPIConfig(
            title="rag",
            version=__version__,
            description="Answers from your own documents. Each sentence has citations, which were verified word for word.",
            render_plugins=[schema.Completed(path="/")],
            use_handler_docstrings=True,
            operation_id_creator=schema.operation_id,
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
    """Litestar without its plugins for the values of pydantic and attrs, which mcp brings and no route of ours has.

    To import them takes a tenth of a second, for which a first search would wait.
    """

    @staticmethod
    def _get_default_plugins(plugins: list[PluginProtocol]) -> list[PluginProtocol]:
        return [*plugins, MsgspecDIPlugin()]


def _cors(origins: Sequence[str]) -> CORSConfig | None:
    """What pages of these origins may ask, with a key and never with cookies; where there are none, nothing."""
    if not origins:
        return None
    methods: list[Any] = ["GET", "POST", "DELETE"]
    return CORSConfig(allow_origins=list(origins), allow_methods=methods, expose_headers=["Retry-After", "X-Request-ID"])


def _always(value: object) -> Provide:
    return Provide(lambda: value, sync_to_thread=False)
