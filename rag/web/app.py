"""The HTTP door: joins the routes. Each room of it translates between JSON and the engine, and does nothing else."""

from litestar import Litestar
from litestar.di import Provide
from litestar.exceptions import HTTPException
from litestar.openapi import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin

from rag import __version__
from rag.engine import Engine
from rag.errors import RagError
from rag.web import access, asking, documents, health, jobs, page, problems, snapshots, uploads
from rag.web.admission import Admission
from rag.web.mcp.mounted import Mounted
from rag.web.openai import chat, embeddings, models
from rag.web.rebuilding import Rebuilds

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
)


def create(engine: Engine, *, admission: Admission | None = None, rebuilds: Rebuilds | None = None) -> Litestar:
    """The application over one engine; when it shuts down, questions and the rebuild under way are stopped."""
    admission, rebuilds = admission or Admission(), rebuilds or Rebuilds(engine.settings)
    mcp = Mounted(engine, admission)
    return Litestar(
        route_handlers=(*ROUTES, *page.HANDLERS, mcp.handler),
        lifespan=[mcp.lifespan],
        dependencies={"engine": _always(engine), "admission": _always(admission), "rebuilds": _always(rebuilds)},
        exception_handlers=dict.fromkeys((RagError, HTTPException, Exception), problems.reply),
        on_shutdown=[admission.close, rebuilds.close],
        request_max_body_size=_MOST_BODY_BYTES,
        openapi_config=OpenAPIConfig(
            title="rag",
            version=__version__,
            description="Answers from your own documents. Each sentence has citations, which were verified word for word.",
            path="/schema",
            render_plugins=[JsonRenderPlugin(path="/")],
        ),
    )


def _always(value: object) -> Provide:
    return Provide(lambda: value, sync_to_thread=False)
