"""Asking and searching. An answer is one JSON value, or events while it is made; who hangs up stops the model."""

from collections.abc import AsyncIterator, Iterator
from typing import Annotated, Any

from litestar import Request, Response, post
from litestar.background_tasks import BackgroundTask
from litestar.di import NamedDependency
from litestar.openapi.spec import Example
from litestar.params import BodyKwarg
from litestar.response import ServerSentEvent, ServerSentEventMessage
from litestar.serialization import encode_json
from msgspec import Struct

from rag.engine import Engine
from rag.types import Answer, Event, Found, Marked, Passage, Token, Understood, Waiting
from rag.web import exchange, problems
from rag.web.admission import Admission, Asking
from rag.web.disconnects import first, last, to_nobody, unless_gone
from rag.web.exchange import AskedBefore
from rag.web.guard.access import READ
from rag.web.operations import EVENTS, EventStreamToo
from rag.web.telemetry import log


class AskRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """A question to the documents; `where` is a filter, as in `language=id and folder=news and date>=2026-01`.

    `history` is the conversation before, oldest first. A question that leans on it ("And when?") is made to stand alone, by its
    last three turns: `understood_as` of the answer says how it was understood.
    """

    question: str
    where: str = ""
    history: tuple[AskedBefore, ...] = ()


class SearchRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """A question, how many passages to return, a filter as for asking, and whether the judge puts them in order."""

    question: str
    count: int = 5
    where: str = ""
    judged: bool = False


class SearchResponse(Struct, frozen=True):
    """The passages nearest to the question, best first."""

    question: str
    passages: list[Passage]


_QUESTION = {"question": "Apa yang dikatakan Menteri Pertahanan tentang Venezuela?", "where": "language=id"}


@post(
    "/v1/ask",
    status_code=200,
    summary="Answer a question from the documents, with citations",
    opt={"scope": READ},
    operation_class=EventStreamToo,
    response_description=EVENTS,
    responses=problems.documented(400, 413, 429, 502, 503, 507),
)
async def ask(
    data: Annotated[AskRequest, BodyKwarg(examples=[Example(summary="A question", value=_QUESTION)])],
    request: Request[Any, Any, Any],
    engine: NamedDependency[Engine],
    admission: NamedDependency[Admission],
) -> Response[Answer]:
    """The answer, or an honest refusal (`answered` is false). With `Accept: text/event-stream`, events as it is made.

    Closing the connection stops the model.
    """
    log.note_question(data.question)
    turns = exchange.turns(data.history)
    asking = admission.admit(lambda: engine.stream(data.question, data.where, history=turns), Waiting)
    if request.accept.best_match(["application/json", "text/event-stream"]) == "text/event-stream":
        return await _streamed(asking, request)
    answer = await last(asking, request)
    assert answer is None or isinstance(answer, Answer)
    return Response(answer) if answer else to_nobody()


@post(
    "/v1/search",
    status_code=200,
    summary="Find the passages nearest to a question",
    opt={"scope": READ},
    responses=problems.documented(400, 413, 429, 502, 503, 507),
)
async def search(
    data: Annotated[SearchRequest, BodyKwarg(examples=[Example(summary="A search", value={**_QUESTION, "count": 3})])],
    request: Request[Any, Any, Any],
    engine: NamedDependency[Engine],
    admission: NamedDependency[Admission],
) -> Response[SearchResponse]:
    """Passages with their place in the document, and what each side of the search thought of them."""
    work = exchange.found(engine, admission, data.question, data.count, data.where, judged=data.judged)
    found = await unless_gone(work, request)
    return Response(SearchResponse(data.question, found)) if found is not None else to_nobody()


async def _streamed(asking: Asking[Event], request: Request[Any, Any, Any]) -> Response[Any]:
    """The events, once there is a first: what goes wrong before it is a plain problem with its own status."""
    begun = await first(asking, request)
    if begun is None:
        return to_nobody()
    # Stopped where the stream is left, and once more where it was never begun.
    return ServerSentEvent(_messages(asking, begun), background=BackgroundTask(asking.stop))


async def _messages(asking: Asking[Event], begun: Event) -> AsyncIterator[ServerSentEventMessage]:
    try:
        for message in _said(begun):
            yield message
        async for event in asking:
            for message in _said(event):
                yield message
    except Exception as error:  # noqa: BLE001 - the status is sent already; the stream tells it
        problems.log_if_unforeseen(error, "POST /v1/ask")
        problem = problems.of(error)
        log.note(problem=problem.title)
        yield _message("error", problem)
    finally:
        asking.stop()


def _said(event: Event) -> Iterator[ServerSentEventMessage]:
    """What an event of the engine is to the asker."""
    match event:
        case Found(passages):
            yield _message("evidence", {"passages": passages})
        case Waiting(before):
            yield _message("waiting", {"before": before})
        case Understood(question):
            yield _message("understood", {"question": question})
        case Marked(citation, confidence):
            yield _message("verdict", {"citation": citation, "confidence": confidence})
        case Token(text):
            yield _message("token", {"text": text})
        case Answer():
            for number, citation in enumerate(event.citations, 1):
                yield _message("citation", {"number": number, "citation": citation})
            yield _message("done", event)


def _message(kind: str, value: object) -> ServerSentEventMessage:
    return ServerSentEventMessage(event=kind, data=encode_json(value))
