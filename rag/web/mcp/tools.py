"""What becomes of a question, in lines for whoever waits for the answer. Knows nothing of the protocol.

What clients of the Model Context Protocol may call: what each tool takes, gives, and does. Knows nothing of the protocol.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated, Any

from msgspec import Meta, Struct

from rag.engine import MOST_RESULTS, Engine
from rag.errors import NotFound, QuestionError
from rag.types import Answer, Event, Marked, Passage, Token, Understood, Waiting
from rag.types import Found as FoundEvent
from rag.web import exchange
from rag.web.admission import Admission
from rag.web.exchange import AskedBefore
from rag.web.telemetry import log

# Pieces of an answer between two lines: some words, which two slow cores write in about a second.
_PIECES = 8


class Progress:
    """Of one question."""

    def __init__(self) -> None:
        self._draft, self._pieces = "", 0

    def line(self, event: Event) -> str:
        """What the event adds; empty where it is not worth a line."""
        match event:
            case FoundEvent(passages):
                return f"{len(passages)} passages found"
            case Waiting(before):
                return f"waiting for the model: {before} before this one" if before else ""
            case Understood(question):
                return f"understood as: {question}"
            case Marked(citation):
                return f"{exchange.place(citation)}: {exchange.quoted(citation)}"
            case Token(text):
                self._draft, self._pieces = self._draft + text, self._pieces + 1
                return f"a draft, not verified yet: {self._draft}" if self._pieces % _PIECES == 1 else ""
        return ""


# Characters of a document in one reply: what a model can take in beside its other work.
MOST_CHARACTERS = 20_000

_Where = Annotated[str, Meta(description="A filter, as in: language=id and folder=news and date>=2026-01")]


class Search(Struct, frozen=True, forbid_unknown_fields=True):
    """A question or words."""

    question: str
    count: Annotated[int, Meta(ge=1, le=MOST_RESULTS, description="Passages, at most")] = 5
    where: _Where = ""
    judged: Annotated[bool, Meta(description="Whether a judge reads the first passages and puts them in order: slower")] = False


class Ask(Struct, frozen=True, forbid_unknown_fields=True):
    """A question, in any language. One that leans on the conversation ("And when?") needs its `history`."""

    question: str
    where: _Where = ""
    history: Annotated[
        tuple[AskedBefore, ...], Meta(description="Earlier questions and what was answered, oldest first; the last three count")
    ] = ()


class ReadDocument(Struct, frozen=True, forbid_unknown_fields=True):
    """A document, and a range of its text in characters."""

    document: Annotated[str, Meta(description="The `document_id` or the `path` of a passage or citation")]
    start: Annotated[int, Meta(ge=0)] = 0
    end: Annotated[int | None, Meta(description=f"At most {MOST_CHARACTERS} after `start`, as it is if left out")] = None


class Found(Struct, frozen=True):
    """The passages nearest to a question, best first."""

    passages: list[Passage]


class Excerpt(Struct, frozen=True):
    """The characters from `start` to `end` of a document that has `length`."""

    document_id: str
    path: str
    start: int
    end: int
    length: int
    text: str


# Is told, line by line, how far a call has come.
Report = Callable[[str], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Tool:
    """A tool: its name, its title for people, what it is for, and what it makes of what it takes; `said` is that as text."""

    name: str
    title: str
    about: str
    takes: type[Struct]
    gives: type
    call: Callable[[Any, Engine, Admission, Report], Awaitable[Any]]
    said: Callable[[Any], str]


async def search(wanted: Search, engine: Engine, admission: Admission, _report: Report) -> Found:
    """Raises as `searching.found` does."""
    found = exchange.found(engine, admission, wanted.question, wanted.count, wanted.where, judged=wanted.judged)
    return Found(await found)


async def ask(wanted: Ask, engine: Engine, admission: Admission, report: Report) -> Answer:
    """Raises as `Engine.ask` does, and TooManyQuestions. Cancelled, it stops the model."""
    log.note_question(wanted.question)
    turns, progress = exchange.turns(wanted.history), Progress()
    asking = admission.admit(lambda: engine.stream(wanted.question, wanted.where, history=turns), Waiting)
    told: Event | None = None
    try:
        async for told in asking:
            if line := progress.line(told):
                await report(line)
    finally:
        asking.stop()
    assert isinstance(told, Answer)
    return told


async def read_document(wanted: ReadDocument, engine: Engine, _admission: Admission, _report: Report) -> Excerpt:
    """Raises NotFound or QuestionError."""
    return await asyncio.to_thread(_read, wanted, engine)


def _read(wanted: ReadDocument, engine: Engine) -> Excerpt:
    opened = engine.snapshot()
    listed = opened.find("id", wanted.document) or opened.find("path", wanted.document)
    document = opened.with_text(listed) if listed else None
    if document is None:
        raise NotFound(f"there is no document {wanted.document[:80]}", "take the `document_id` of what `search` found")
    length = len(document.text)
    end = min(length, wanted.start + MOST_CHARACTERS) if wanted.end is None else wanted.end
    if not wanted.start <= end <= length or end - wanted.start > MOST_CHARACTERS:
        problem = f"{wanted.start} to {end} is no range of at most {MOST_CHARACTERS} of its {length} characters"
        raise QuestionError(problem, "ask for a shorter one, or leave `end` out")
    return Excerpt(document.id, document.path, wanted.start, end, length, document.text[wanted.start : end])


TOOLS = (
    Tool(
        "search",
        "Search the documents",
        "Find the passages of the user's own documents that are nearest to a question or words, in any language. Fast.",
        Search,
        Found,
        search,
        lambda found: exchange.passages(found.passages),
    ),
    Tool(
        "ask",
        "Ask the documents",
        "Answer a question from the user's own documents. Each sentence has citations that were verified word for word against "
        "the document; where the documents do not answer, it says so (`answered` is false). A question that leans on `history` "
        "is made to stand alone, and `understood_as` says how. Takes seconds, and reports its progress.",
        Ask,
        Answer,
        ask,
        exchange.answer,
    ),
    Tool(
        "read_document",
        "Read a document",
        f"Read the text around a passage or citation: up to {MOST_CHARACTERS} characters of a document.",
        ReadDocument,
        Excerpt,
        read_document,
        lambda excerpt: excerpt.text,
    ),
)
