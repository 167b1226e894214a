"""Errors as problem details (RFC 9457): how an error of ours, or of the framework, looks over HTTP and in the schema."""

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
_UNFORESEEN = "urn:rag:InternalError"
_INSTANCE = "urn:rag:request:5f0c1d2e3a4b5c6d"
_SEE = "see /schema for what is expected"
# What mends an error of the framework, where the schema does not say it.
_HINTS = {413: "send less at once", 503: "ask again in a while"}
# Characters of what the framework says, which quotes addresses and names of fields as they came.
_MOST_SAID, _MOST_REASONS = 300, 10


@dataclass(frozen=True, slots=True)
class Problem:
    """RFC 9457 problem details; `detail` ends with what mends it, `instance` names the request as the log does, or the job."""

    type: str
    title: str
    status: int
    detail: str
    instance: str = ""


def of(error: Exception, instance: str | None = None) -> Problem:
    """The problem that an error is, of the request under way unless `instance` names what it is of.

    One that nobody foresaw is told without what it says, and logged by the caller.
    """
    title, status, told = _told(error)
    # One line that a terminal shows as it is, also where names from outside stand in it.
    detail = "".join(sign if sign.isprintable() else " " for sign in told)
    request = log.request_id()
    where = instance or (f"urn:rag:request:{request}" if request else "")
    return Problem(f"urn:rag:{title}", title, status, detail, where)


def _told(error: Exception) -> tuple[str, int, str]:
    if isinstance(error, RagError):
        return type(error).__name__, error.status, str(error)
    if isinstance(error, HTTPException):
        # By the status, not by the framework's class: a type is for programs to know again.
        name = HTTPStatus(error.status_code).phrase.title().replace(" ", "")
        said = "; ".join((error.detail[:_MOST_SAID], *_reasons(error)[:_MOST_REASONS]))
        return name, error.status_code, f"{said}; {_HINTS.get(error.status_code, _SEE)}"
    if isinstance(error, UnicodeDecodeError):
        return "BadRequest", 400, f"the request is no JSON in UTF-8; {_SEE}"
    if isinstance(error, RecursionError):
        return "BadRequest", 400, f"the request is nested too deeply; {_SEE}"
    return "InternalError", 500, "a mistake in rag itself; see the log of `rag serve`, and please report it"


def reply(request: Request[Any, Any, Any], error: Exception) -> Response[Problem]:
    """The response to a request that met this error."""
    problem = of(error)
    log.note(problem=problem.title)
    log_if_unforeseen(error, f"{request.method} {request.url.path}")
    return Response(problem, status_code=problem.status, media_type=MEDIA_TYPE, headers=headers(error))


def headers(error: Exception) -> dict[str, str]:
    """What the status wants to be told beside the problem: when to come back, or which methods there are."""
    match error:
        case TooManyRequests():
            return {"Retry-After": str(error.retry_after)}
        case KeyRefused():
            return {"WWW-Authenticate": "Bearer"}
        case TooSlow():  # else what is still to come of the body would keep the connection open
            return {"Connection": "close"}
        case HTTPException(headers=dict() as headers):
            return headers
    return {}


def log_if_unforeseen(error: Exception, where: str) -> None:
    """Note a mistake of ours, with where in the code it happened; what it says is not noted, for it may be what was asked."""
    if of(error).type == _UNFORESEEN:
        trace = "".join(traceback.format_tb(error.__traceback__))
        _log.error("%s failed: %s\n%s", where, type(error).__name__, trace)


def documented(*statuses: int, keyed: bool = True) -> dict[int, ResponseSpec]:
    """The problems that a route may answer with, for its entry in the schema.

    A mistake of ours is always among them, and what a page of another site is told; for routes that ask for a key, what
    becomes of those without a good one.
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
    return [f"{e['key']}: {e['message']}"[:_MOST_SAID] for e in extra if isinstance(e, dict) and {"key", "message"} <= e.keys()]


# What is said before a route that asks for a key sees anything of the request.
_KEYED = (401, 408, 429)
# What each status looks like, for the schema.
EXAMPLES = {
    400: ("QuestionError", 'the question is empty; ask something, as in: rag ask "Siapa Menteri Pertahanan?"'),
    401: ("KeyRefused", "the key laptop expired on 2026-11-30; make one with `rag keys create NAME`"),
    403: (
        "AccessRefused",
        "the key laptop has the scope read; use one with the scope admin: rag keys create NAME --scope admin",
    ),
    404: ("NotFound", "there is no document 0a1b2c3d4e5f; choose one of GET /v1/documents"),
    408: ("TooSlow", "the body of the request did not arrive in time; send it at 10 kB a second or faster"),
    409: ("DocumentChanged", "laporan.pdf was changed since it was indexed; run `rag index`, then open the document anew"),
    413: ("TooLarge", "laporan.pdf is larger than 50 MB; split it"),
    422: ("SeedError", "gambar.png is of no kind that is read; name one of .csv, .docx, .pdf, .txt"),
    429: ("TooManyQuestions", "15 questions wait for the model; ask again in 10 seconds"),
    500: ("InternalError", "a mistake in rag itself; see the log of `rag serve`, and please report it"),
    502: ("EndpointError", "http://127.0.0.1:8080/v1 has no model; load one there, or name one in RAG_LLM after `#`"),
    503: ("IndexMissing", "there is no index in /srv/rag/index; run `rag index`"),
    507: ("StorageError", "the disk is full (/srv/rag/seeds); free some space and run the same command again"),
}
