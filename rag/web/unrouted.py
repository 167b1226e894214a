"""The replies to what has no route: to bytes that are no HTTP, and to a connection too many. Problems as any other."""

from http import HTTPStatus

import h11
from litestar.exceptions import HTTPException, ServiceUnavailableException
from litestar.serialization import encode_json

from rag.errors import QuestionError
from rag.web import headers, noting, problems

_AGAIN_SECONDS = 10


def no_http(connection: h11.Connection) -> bytes:
    """What is told to bytes that are no HTTP."""
    error = QuestionError("the request is no HTTP/1.1", "send one, and by http:// where no proxy before rag ends TLS")
    return _reply(connection, error)


def too_many() -> bytes:
    """What is told to a connection more than are kept."""
    detail = "the service has as many connections as it takes"
    error = ServiceUnavailableException(detail=detail, headers={"Retry-After": str(_AGAIN_SECONDS)})
    return _reply(h11.Connection(h11.SERVER), error)


def _reply(connection: h11.Connection, error: QuestionError | HTTPException) -> bytes:
    """The whole reply, under an id of its own; the connection ends with it."""
    request = noting.begin("", questions=False).id
    problem = problems.of(error)
    body = encode_json(problem)
    told = {
        **headers.EVERYWHERE,
        **problems.headers(error),
        "Content-Type": problems.MEDIA_TYPE,
        "Content-Length": str(len(body)),
        "Connection": "close",
        "X-Request-ID": request,
    }
    head = h11.Response(
        status_code=problem.status, headers=list(told.items()), reason=HTTPStatus(problem.status).phrase.encode()
    )
    return b"".join(connection.send(event) or b"" for event in (head, h11.Data(body), h11.EndOfMessage()))
