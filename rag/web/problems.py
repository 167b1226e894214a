"""Errors as problem details (RFC 9457): how an error of ours, or of the framework, looks over HTTP and in the schema."""

import logging
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from litestar import Request, Response
from litestar.exceptions import HTTPException
from litestar.openapi.datastructures import ResponseSpec
from litestar.openapi.spec import Example

from rag.errors import RagError, TooManyQuestions

_log = logging.getLogger(__name__)
_MEDIA_TYPE = "application/problem+json"
_UNFORESEEN = "urn:rag:InternalError"
_SEE = "see /schema for what is expected"


@dataclass(frozen=True, slots=True)
class Problem:
    """RFC 9457 problem details; `detail` ends with what mends it."""

    type: str
    title: str
    status: int
    detail: str


def of(error: Exception) -> Problem:
    """The problem that an error is. One that nobody foresaw is told without what it says, and logged by the caller."""
    if isinstance(error, RagError):
        return _problem(type(error).__name__, error.status, str(error))
    if isinstance(error, HTTPException):
        # By the status, not by the framework's class: a type is for programs to know again.
        name = HTTPStatus(error.status_code).phrase.title().replace(" ", "")
        return _problem(name, error.status_code, "; ".join((error.detail, *_reasons(error), _SEE)))
    if isinstance(error, UnicodeDecodeError | RecursionError):
        return _problem("BadRequest", 400, f"the request is no JSON in UTF-8; {_SEE}")
    return _problem("InternalError", 500, "a mistake in rag itself; see the log of `rag serve`, and please report it")


def reply(request: Request[Any, Any, Any], error: Exception) -> Response[Problem]:
    """The response to a request that met this error."""
    problem = of(error)
    log_if_unforeseen(error, f"{request.method} {request.url.path}")
    return Response(problem, status_code=problem.status, media_type=_MEDIA_TYPE, headers=_headers(error))


def _headers(error: Exception) -> dict[str, str] | None:
    """What the status wants to be told beside the problem: when to come back, or which methods there are."""
    if isinstance(error, TooManyQuestions):
        return {"Retry-After": str(error.retry_after)}
    return error.headers if isinstance(error, HTTPException) else None


def log_if_unforeseen(error: Exception, where: str) -> None:
    """Note a mistake of ours, with where it happened; what was asked is not noted."""
    if of(error).type == _UNFORESEEN:
        _log.error("%s failed", where, exc_info=error)


def documented(*statuses: int) -> dict[int, ResponseSpec]:
    """The problems that a route may answer with, for its entry in the schema; a mistake of ours is always among them."""
    return {status: _spec(status) for status in (*statuses, 500)}


def _spec(status: int) -> ResponseSpec:
    title, detail = _EXAMPLES[status]
    example = Example(summary=title, value={"type": f"urn:rag:{title}", "title": title, "status": status, "detail": detail})
    description = HTTPStatus(status).phrase
    return ResponseSpec(Problem, description=description, media_type=_MEDIA_TYPE, generate_examples=False, examples=[example])


def _problem(title: str, status: int, detail: str) -> Problem:
    return Problem(f"urn:rag:{title}", title, status, detail)


def _reasons(error: HTTPException) -> list[str]:
    extra = error.extra if isinstance(error.extra, list) else []
    return [f"{e['key']}: {e['message']}" for e in extra if isinstance(e, dict) and {"key", "message"} <= e.keys()]


# What each status looks like, for the schema.
_EXAMPLES = {
    400: ("QuestionError", 'the question is empty; ask something, as in: rag ask "Siapa Menteri Pertahanan?"'),
    404: ("NotFound", "there is no document 0a1b2c3d4e5f; choose one of GET /v1/documents"),
    409: ("DocumentChanged", "laporan.pdf was changed since it was indexed; run `rag index`, then open the document anew"),
    413: ("TooLarge", "laporan.pdf is larger than 50 MB; split it"),
    422: ("SeedError", "gambar.png is of no kind that is read; name one of .csv, .docx, .pdf, .txt"),
    429: ("TooManyQuestions", "15 questions wait for the model; ask again in 10 seconds"),
    500: ("InternalError", "a mistake in rag itself; see the log of `rag serve`, and please report it"),
    502: ("EndpointError", "http://127.0.0.1:8080/v1 has no model; load one there, or name one in RAG_LLM after `#`"),
    503: ("IndexMissing", "there is no index in /srv/rag/index; run `rag index`"),
    507: ("StorageError", "the disk is full (/srv/rag/seeds); free some space and run the same command again"),
}
