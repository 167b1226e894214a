"""Errors in the form that clients of OpenAI read."""

from http import HTTPStatus
from typing import Any

from litestar import Request, Response
from litestar.exceptions import HTTPException
from litestar.openapi.datastructures import ResponseSpec
from litestar.openapi.spec import Example
from msgspec import Struct

from rag.errors import RagError
from rag.web import problems

_TYPES = {401: "authentication_error", 403: "permission_error", 429: "rate_limit_error"}


class Failure(Struct, frozen=True):
    """What is wrong: `message` ends with what mends it, `code` is the name of the error in rag."""

    message: str
    type: str
    code: str
    param: str | None = None


class Failed(Struct, frozen=True):
    """The body of every error of these routes."""

    error: Failure


def of(error: Exception) -> Failed:
    """The failure that an error is."""
    problem = problems.of(error)
    kind = _TYPES.get(problem.status, "invalid_request_error" if problem.status < 500 else "server_error")
    return Failed(Failure(problem.detail, kind, problem.title))


def reply(request: Request[Any, Any, Any], error: Exception) -> Response[Failed]:
    """The response to a request that met this error, with the status and headers that a problem has."""
    problem = problems.reply(request, error)
    return Response(of(error), status_code=problem.status_code, headers=problem.headers, media_type="application/json")


# For each route of this folder: its errors are not problem details.
HANDLERS: dict[int | type[Exception], Any] = dict.fromkeys((RagError, HTTPException, Exception), reply)


def documented(*statuses: int) -> dict[int, ResponseSpec]:
    """The failures that a route may answer with, for its entry in the schema; a mistake of ours is always among them."""
    return {status: _spec(status) for status in problems.documented(*statuses)}


def _spec(status: int) -> ResponseSpec:
    title, detail = problems.EXAMPLES[status]
    kind = _TYPES.get(status, "invalid_request_error" if status < 500 else "server_error")
    example = Example(summary=title, value={"error": {"message": detail, "type": kind, "code": title, "param": None}})
    return ResponseSpec(Failed, description=HTTPStatus(status).phrase, generate_examples=False, examples=[example])
