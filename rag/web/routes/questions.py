"""The routes for asking and searching. An answer is one JSON value, or events as it is made; a disconnect stops the model."""

from collections.abc import AsyncIterator, Iterator
from typing import Annotated, Any

from litestar import Request, Response, post
from litestar.background_tasks import BackgroundTask
from litestar.di import NamedDependency
from litestar.openapi.spec import Example
from litestar.params import BodyKwarg
from litestar.response import ServerSentEvent, ServerSentEventMessage
from msgspec import Struct

from rag.engine import Engine
from rag.types import Answer, Event, Found, Marked, Passage, Token, Understood, Waiting
from rag.web import exchange, problems
from rag.web.admission import Admission, Asking
from rag.web.exchange import AskedBefore
from rag.web.guard.access import READ
from rag.web.operations import EventStreamToo
from rag.web.streaming import first, last, message, no_response, unless_disconnected, wants_events
from rag.web.telemetry import log


class AskRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """A question of at most 1000 characters. `where` is a filter, as in `language=id and folder=news and date>=2026-01`.

    `history` holds the conversation so far, oldest turn first, at most 20 turns. A follow-up that refers to it ("And when?") is
    rewritten to stand alone, from the last three turns; `understood_as` of the answer is that question.
    """

    question: str
    where: str = ""
    history: tuple[AskedBefore, ...] = ()


class SearchRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """A question or search terms.

    At most `count` passages are returned, 1 to 100. `where` is a filter, as for asking. With `judged`, the judge model reads
    the first passages, reorders them and gives each a `confidence`: better, but slower, and it may wait for other questions.
    """

    question: str
    count: int = 5
    where: str = ""
    judged: bool = False


class SearchResponse(Struct, frozen=True):
    """The most relevant passages, best first."""

    question: str
    passages: list[Passage]


_EVENTS = (
    "The answer. With `Accept: text/event-stream`, server-sent events: `evidence` {passages}; `waiting` {before}, the number "
    "of questions ahead of this one, each time that it changes, 0 last; for a follow-up, `understood` {question} and "
    "`evidence` once more; `verdict` {citation, confidence}, the words that answer; `token` {text}, a draft that is not "
    "verified yet; `citation` {number, citation}; and last `done` with the answer, or `error` with a problem"
)
_QUESTION = {"question": "Apa yang dikatakan Menteri Pertahanan tentang Venezuela?", "where": "language=id"}


@post(
    "/v1/ask",
    status_code=200,
    summary="Answer a question from the documents, with citations",
    opt={"scope": READ},
    operation_class=EventStreamToo,
    response_description=_EVENTS,
    responses=problems.documented(400, 413, 429, 502, 503, 507),
)
async def ask(
    data: Annotated[AskRequest, BodyKwarg(examples=[Example(summary="A question", value=_QUESTION)])],
    request: Request[Any, Any, Any],
    engine: NamedDependency[Engine],
    admission: NamedDependency[Admission],
) -> Response[Answer]:
    """The answer, with a citation for each sentence, or a refusal (`answered` is false) where the documents do not answer.

    Every citation was compared with its document, word for word. With `Accept: text/event-stream`, the answer is sent as events
    while it is written. One question uses the model at a time; 15 more wait, and beyond that the response is 429 with
    `Retry-After`. Closing the connection stops the model.
    """
    log.note_question(data.question)
    turns = exchange.turns(data.history)
    asking = admission.admit(lambda: engine.stream(data.question, data.where, history=turns), Waiting)
    if wants_events(request):
        return await _streamed(asking, request)
    answer = await last(asking, request)
    assert answer is None or isinstance(answer, Answer)
    return Response(answer) if answer else no_response()


@post(
    "/v1/search",
    status_code=200,
    summary="Search for passages",
    opt={"scope": READ},
    responses=problems.documented(400, 413, 429, 502, 503, 507),
)
async def search(
    data: Annotated[SearchRequest, BodyKwarg(examples=[Example(summary="A search", value={**_QUESTION, "count": 3})])],
    request: Request[Any, Any, Any],
    engine: NamedDependency[Engine],
    admission: NamedDependency[Admission],
) -> Response[SearchResponse]:
    """The passages most relevant to a question or search terms, best first.

    Each has its place in the document, and its scores: the fused `score`, of meaning (`dense`) and of words (`lexical`).
    """
    work = exchange.search(engine, admission, data.question, data.count, data.where, judged=data.judged)
    found = await unless_disconnected(work, request)
    return Response(SearchResponse(data.question, found)) if found is not None else no_response()


async def _streamed(asking: Asking[Event], request: Request[Any, Any, Any]) -> Response[Any]:
    """The events, once there is a first: an error before it is a problem with a status of its own."""
    begin = await first(asking, request)
    if begin is None:
        return no_response()
    # `_messages` stops the question when it is left; if it is never started, the background task does.
    return ServerSentEvent(_messages(asking, begin), background=BackgroundTask(asking.stop))


async def _messages(asking: Asking[Event], begin: Event) -> AsyncIterator[ServerSentEventMessage]:
    try:
        for sent in _messages_of(begin):
            yield sent
        async for event in asking:
            for sent in _messages_of(event):
                yield sent
    except Exception as error:  # noqa: BLE001 - the status is sent already, so the error is an event
        problems.log_if_unexpected(error, "POST /v1/ask")
        problem = problems.of(error)
        log.note(problem=problem.title)
        yield message("error", problem)
    finally:
        asking.stop()


def _messages_of(event: Event) -> Iterator[ServerSentEventMessage]:
    """An event of the engine as server-sent events."""
    match event:
        case Found(passages):
            yield message("evidence", {"passages": passages})
        case Waiting(before):
            yield message("waiting", {"before": before})
        case Understood(question):
            yield message("understood", {"question": question})
        case Marked(citation, confidence):
            yield message("verdict", {"citation": citation, "confidence": confidence})
        case Token(text):
            yield message("token", {"text": text})
        case Answer():
            for number, citation in enumerate(event.citations, 1):
                yield message("citation", {"number": number, "citation": citation})
            yield message("done", event)
