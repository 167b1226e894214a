"""Errors as problem details (RFC 9457): our errors and Litestar's, as HTTP responses and in the schema."""

import logging
import traceback
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from litestar import Request, Response
from litestar.exceptions import HTTPException
from litestar.openapi.datastructures import ResponseSpec
from litestar.openapi.spec import Example

from rag.errors import KeyRefused, RagError, TooManyRequests, TooSlow
from rag.web.telemetry import log

_log = logging.getLogger(__name__)
MEDIA_TYPE = "application/problem+json"
_UNEXPECTED = "urn:rag:InternalError"
_INSTANCE = "urn:rag:request:5f0c1d2e3a4b5c6d"
_INTERNAL = "an internal error of rag; see the log of `rag serve`, and please report it"
_SEE = "see /schema for what is expected"
# Hints for errors of Litestar that the schema does not explain.
_HINTS = {413: "send less at once", 503: "try again later"}
# Characters of each message of Litestar, which quotes paths and field names as they were sent; and how many of them.
_MOST_MESSAGE, _MOST_REASONS = 300, 10


@dataclass(frozen=True, slots=True)
class Problem:
    """An error, as problem details (RFC 9457).

    `type` and `title` name the kind of error and never change; `detail` is one line for people that ends with what to do;
    `instance` names the request as the log does, or the job that failed.
    """

    type: str
    title: str
    status: int
    detail: str
    instance: str = ""


def of(error: Exception, instance: str | None = None) -> Problem:
    """The problem details of an error, for the request under way unless `instance` is given.

    The message of an unexpected error is left out, for it may quote the question; the caller logs the error.
    """
    title, status, text = _parts(error)
    # File names and other input may stand in it: keep it on one line, without control characters for terminals.
    detail = "".join(sign if sign.isprintable() else " " for sign in text)
    request = log.request_id()
    where = instance or (f"urn:rag:request:{request}" if request else "")
    return Problem(f"urn:rag:{title}", title, status, detail, where)


def _parts(error: Exception) -> tuple[str, int, str]:
    """Title, status and detail."""
    if isinstance(error, RagError):
        return type(error).__name__, error.status, str(error)
    if isinstance(error, HTTPException):
        # Named by the status, not by Litestar's class: programs compare the type, and it must not change with Litestar.
        name = HTTPStatus(error.status_code).phrase.title().replace(" ", "")
        text = "; ".join((error.detail[:_MOST_MESSAGE], *_reasons(error)[:_MOST_REASONS]))
        return name, error.status_code, f"{text}; {_HINTS.get(error.status_code, _SEE)}"
    if isinstance(error, UnicodeDecodeError):
        return "BadRequest", 400, f"the request is not JSON in UTF-8; {_SEE}"
    if isinstance(error, RecursionError):
        return "BadRequest", 400, f"the request is nested too deeply; {_SEE}"
    return "InternalError", 500, _INTERNAL


def reply(request: Request[Any, Any, Any], error: Exception) -> Response[Problem]:
    """Litestar's exception handler: the response to a request that raised this error."""
    problem = of(error)
    log.note(problem=problem.title)
    log_if_unexpected(error, f"{request.method} {request.url.path}")
    return Response(problem, status_code=problem.status, media_type=MEDIA_TYPE, headers=headers(error))


def headers(error: Exception) -> dict[str, str]:
    """The headers that belong to the status: when to try again, how to authenticate, or which methods there are."""
    match error:
        case TooManyRequests():
            return {"Retry-After": str(error.retry_after)}
        case KeyRefused():
            return {"WWW-Authenticate": "Bearer"}
        case TooSlow():  # else the rest of the body would keep the connection open
            return {"Connection": "close"}
        case HTTPException(headers=dict() as headers):
            return headers
    return {}


def log_if_unexpected(error: Exception, where: str) -> None:
    """Log an internal error with its stack trace, and without its message, which may quote the question."""
    if of(error).type == _UNEXPECTED:
        trace = "".join(traceback.format_tb(error.__traceback__))
        _log.error("%s failed: %s\n%s", where, type(error).__name__, trace)


def documented(*statuses: int, keyed: bool = True) -> dict[int, ResponseSpec]:
    """The problems of a route, for the schema.

    Every route may fail with 500, and with 403 for cross-site requests; one that needs a key (`keyed`) also with `_KEYED`.
    """
    return {status: _spec(status) for status in {*statuses, *(_KEYED if keyed else ()), 403, 500}}


def _spec(status: int) -> ResponseSpec:
    title, detail = EXAMPLES[status]
    value = {"type": f"urn:rag:{title}", "title": title, "status": status, "detail": detail, "instance": _INSTANCE}
    example = Example(summary=title, value=value)
    description = HTTPStatus(status).phrase
    return ResponseSpec(Problem, description=description, media_type=MEDIA_TYPE, generate_examples=False, examples=[example])


def _reasons(error: HTTPException) -> list[str]:
    extra = error.extra if isinstance(error.extra, list) else []
    return [
        f"{e['key']}: {e['message']}"[:_MOST_MESSAGE] for e in extra if isinstance(e, dict) and {"key", "message"} <= e.keys()
    ]


# What the guard of a route that needs a key may respond, and the time limit of the body.
_KEYED = (401, 408, 429)
# An example of each status, for the schema.
EXAMPLES = {
    400: ("QuestionError", 'the question is empty; ask something, as in: rag ask "Siapa Menteri Pertahanan?"'),
    401: ("KeyRefused", "the key laptop expired on 2026-11-30; make one with `rag keys create NAME`"),
    403: (
        "AccessRefused",
        "the key laptop has the scope read; use a key with the scope admin: rag keys create NAME --scope admin",
    ),
    404: ("NotFound", "there is no document 0a1b2c3d4e5f; choose one of GET /v1/documents"),
    408: ("TooSlow", "the body of the request did not arrive in time; send it at 10 kB a second or faster"),
    409: ("DocumentChanged", "laporan.pdf was changed since it was indexed; run `rag index`, then open the document anew"),
    413: ("TooLarge", "laporan.pdf is larger than 50 MB; split it"),
    422: ("SeedError", "the type of gambar.png is not supported; use one of .csv, .docx, .pdf, .txt"),
    429: ("TooManyQuestions", "16 questions are ahead of this one, and the queue is full; try again in 10 seconds"),
    500: ("InternalError", _INTERNAL),
    502: ("EndpointError", "http://127.0.0.1:8080/v1 has no model; load one there, or name one after `#` in RAG_LLM"),
    503: ("IndexMissing", "there is no index in /srv/rag/index; run `rag index`"),
    507: ("StorageError", "the disk is full (/srv/rag/seeds); free some space and run the same command again"),
}
