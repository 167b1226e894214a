"""The HTTP door: joins the routes. Each room of it translates between JSON and the engine, and does nothing else."""

from litestar import Litestar
from litestar.di import Provide
from litestar.exceptions import HTTPException
from litestar.openapi import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin

from rag import __version__
from rag.engine import Engine
from rag.errors import RagError
from rag.web import access, asking, documents, health, jobs, metrics, page, problems, snapshots, uploads
from rag.web.admission import Admission
from rag.web.mcp.mounted import Mounted
from rag.web.metrics import Metrics
from rag.web.observing import Observed, Questions
from rag.web.openai import chat, embeddings, models
from rag.web.rebuilding import Rebuilds
from rag.web.tracing import Traces, Untraced

# A question and its history are at most some 200,000 characters; the rest is room for JSON's escapes.
_MOST_BODY_BYTES = 1_000_000

ROUTES = (
    asking.ask,
    asking.search,
    documents.listed,
    documents.one,
    documents.text,
    documents.original,
    documents.remove,
    uploads.upload,
    jobs.rebuild,
    jobs.listed,
    jobs.one,
    snapshots.listed,
    snapshots.activate,
    health.live,
    health.ready,
    access.me,
    chat.complete,
    embeddings.embed,
    models.listed,
    models.one,
    metrics.metrics,
)


def create(
    engine: Engine, *, admission: Admission | None = None, rebuilds: Rebuilds | None = None, traces: Traces | None = None
) -> Litestar:
    """The application over one engine; when it shuts down, questions and the rebuild under way are stopped."""
    admission, rebuilds, traces = admission or Admission(), rebuilds or Rebuilds(engine.settings), traces or Untraced()
    counted, mcp = Metrics(), Mounted(engine, admission)
    counted.look_at(engine, admission, rebuilds)
    admission.watch = Questions(counted, traces).watch
    given = {"engine": engine, "admission": admission, "rebuilds": rebuilds, "counted": counted}
    app = Litestar(
        route_handlers=(*ROUTES, *page.HANDLERS, mcp.handler),
        lifespan=[mcp.lifespan],
        dependencies={name: _always(value) for name, value in given.items()},
        exception_handlers=dict.fromkeys((RagError, HTTPException, Exception), problems.reply),
        on_shutdown=[admission.close, rebuilds.close, traces.close],
        logging_config=None,  # the log belongs to the process (logs.py), not to one application in it
        request_max_body_size=_MOST_BODY_BYTES,
        openapi_config=OpenAPIConfig(
            title="rag",
            version=__version__,
            description="Answers from your own documents. Each sentence has citations, which were verified word for word.",
            path="/schema",
            render_plugins=[JsonRenderPlugin(path="/")],
        ),
    )
    app.asgi_handler = Observed(app.asgi_handler, counted, traces, questions=engine.settings.log_questions)
    return app


def _always(value: object) -> Provide:
    return Provide(lambda: value, sync_to_thread=False)
