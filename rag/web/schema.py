"""The description of the routes at /schema: what the framework makes of them, completed by what it leaves out.

It knows neither what a reply looks like nor what the values in it mean; `examples.py` and the docstrings of the values do.
"""

from typing import Any

import msgspec
from litestar import Request
from litestar.enums import HttpMethod
from litestar.handlers import HTTPRouteHandler
from litestar.openapi.plugins import JsonRenderPlugin

from rag import types
from rag.indexing import build
from rag.web import problems
from rag.web.openai import embeddings, replies, requests
from rag.web.routes import documents, jobs, questions, service, uploads

# Where the values stand that requests and replies are made of.
_VALUES = (
    types,
    build,
    questions,
    documents,
    documents,
    uploads,
    jobs,
    jobs,
    service,
    service,
    problems,
    requests,
    embeddings,
    embeddings,
    replies,
)


class Completed(JsonRenderPlugin):
    """The description as JSON. It loads nothing from anywhere."""

    def render(self, request: Request[Any, Any, Any], openapi_schema: dict[str, Any]) -> bytes:
        """Complete it, which is cheap, and does no harm to what is complete already."""
        _add_examples(openapi_schema["paths"])
        _add_meanings(openapi_schema["components"]["schemas"])
        return super().render(request, openapi_schema)


def operation_id(_: HTTPRouteHandler, method: HttpMethod | str, path: list[Any]) -> str:
    """What generated clients call a route: `get_v1_documents_document_id_text`. It changes only with the route."""
    parts = [str(getattr(part, "name", part)) for part in path]
    return "_".join([str(getattr(method, "value", method)).lower(), *parts])


def _add_examples(paths: dict[str, Any]) -> None:
    from rag.web import examples  # imported here: a service that nobody asks for its schema needs none

    for (method, path), value in examples.REPLIES.items():
        _content(paths[path][method])["application/json"]["example"] = msgspec.to_builtins(value)
    for (method, path), text in examples.STREAMS.items():
        ((_, content),) = [c for c in _content(paths[path][method]).items() if c[0].startswith("text/")]
        content["example"] = text


def _content(operation: dict[str, Any]) -> dict[str, Any]:
    (success,) = [reply for status, reply in operation["responses"].items() if status.startswith("2")]
    content: dict[str, Any] = success["content"]
    return content


def _add_meanings(schemas: dict[str, Any]) -> None:
    """Each value with its docstring, which says what its fields are."""
    for name, schema in schemas.items():
        (kind, *_) = [vars(module)[name] for module in _VALUES if name in vars(module)]
        schema["description"] = " ".join((kind.__doc__ or "").split())
