"""The HTTP door: routes that translate between JSON and the engine. The only importer of litestar and uvicorn."""

import logging
from dataclasses import dataclass
from typing import Any

import uvicorn
from litestar import Litestar, Request, Response, get, post
from litestar.di import NamedDependency, Provide
from litestar.exceptions import HTTPException
from litestar.openapi import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin
from litestar.params import JSONBody

from rag import __version__
from rag.engine import Engine, whole
from rag.errors import RagError, StorageError
from rag.indexing import snapshot
from rag.types import Answer, Passage

_log = logging.getLogger(__name__)
# A question is at most 1000 characters; the rest is room for JSON's escapes.
_MOST_BODY_BYTES = 64_000
# Seconds that questions under way get when the service is stopped.
_GRACE = 5


@dataclass(frozen=True, slots=True)
class AskRequest:
    """A question to the documents; `where` is a filter, as in `language=id and folder=news and date>=2026-01`."""

    question: str
    where: str = ""


@dataclass(frozen=True, slots=True)
class SearchRequest:
    """A question, how many passages to return, a filter as for asking, and whether the judge puts them in order."""

    question: str
    count: int = 5
    where: str = ""
    judged: bool = False


@dataclass(frozen=True, slots=True)
class SearchResponse:
    """The passages nearest to the question, best first."""

    question: str
    passages: list[Passage]


@dataclass(frozen=True, slots=True)
class Health:
    """Whether questions can be answered, and from which snapshot."""

    status: str
    version: str
    snapshot: str
    documents: int


@dataclass(frozen=True, slots=True)
class Problem:
    """RFC 9457 problem details; `detail` ends with what mends it."""

    type: str
    title: str
    status: int
    detail: str


@post("/v1/ask", status_code=200, sync_to_thread=True, summary="Answer a question from the documents, with citations")
def ask(data: JSONBody[AskRequest], engine: NamedDependency[Engine]) -> Answer:
    """The answer, or an honest refusal (`answered` is false)."""
    return whole(engine.ask(data.question, data.where))


@post("/v1/search", status_code=200, sync_to_thread=True, summary="Find the passages nearest to a question")
def search(data: JSONBody[SearchRequest], engine: NamedDependency[Engine]) -> SearchResponse:
    """Passages with their place in the document, and what each side of the search thought of them."""
    return SearchResponse(data.question, engine.search(data.question, data.count, data.where, judged=data.judged))


@get("/health", sync_to_thread=False, summary="Whether questions can be answered")
def health(engine: NamedDependency[Engine]) -> Health:
    """503 with what mends it while there is no index."""
    manifest = snapshot.read_manifest(engine.settings.index)
    return Health("ok", __version__, manifest.id, manifest.documents)


def _problem(title: str, status: int, detail: str) -> Response[Problem]:
    problem = Problem(f"urn:rag:{title}", title, status, detail)
    return Response(problem, status_code=status, media_type="application/problem+json")


def _rag_problem(_: Request[Any, Any, Any], error: RagError) -> Response[Problem]:
    return _problem(type(error).__name__, error.status, str(error))


def _http_problem(_: Request[Any, Any, Any], error: HTTPException) -> Response[Problem]:
    reasons = [
        f"{e['key']}: {e['message']}" for e in error.extra or () if isinstance(e, dict) and {"key", "message"} <= e.keys()
    ]
    detail = "; ".join((error.detail, *reasons, "see /schema for what is expected"))
    return _problem(type(error).__name__, error.status_code, detail)


def _unexpected(request: Request[Any, Any, Any], error: Exception) -> Response[Problem]:
    if isinstance(error, UnicodeDecodeError | RecursionError):
        return _problem("BadRequest", 400, "the body is no JSON in UTF-8; see /schema for what is expected")
    _log.error("%s %s failed", request.method, request.url.path, exc_info=error)
    return _problem("InternalError", 500, "a mistake in rag itself; see the log of `rag serve`, and please report it")


def create(engine: Engine) -> Litestar:
    """The application over one engine."""
    return Litestar(
        route_handlers=[ask, search, health],
        dependencies={"engine": Provide(lambda: engine, sync_to_thread=False)},
        exception_handlers={RagError: _rag_problem, HTTPException: _http_problem, Exception: _unexpected},
        request_max_body_size=_MOST_BODY_BYTES,
        openapi_config=OpenAPIConfig(
            title="rag",
            version=__version__,
            path="/schema",
            render_plugins=[JsonRenderPlugin(path="/")],
        ),
    )


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
