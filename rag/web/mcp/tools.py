"""The MCP tools: their descriptions, arguments and results.

Models read the descriptions to choose a tool. Progress lines are sent while a question is answered. Knows
nothing of the protocol itself.
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

# Tokens between two lines with the draft: some words, which two slow cores write in about a second.
_TOKENS_A_LINE = 8


class Progress:
    """The progress lines of one question."""

    def __init__(self) -> None:
        self._draft, self._tokens = "", 0

    def line(self, event: Event) -> str:
        """The line for an event; empty where it needs none."""
        match event:
            case FoundEvent(passages):
                return f"{len(passages)} passages found"
            case Waiting(before):
                return f"waiting for the model: {before} ahead of this one" if before else ""
            case Understood(question):
                return f"understood as: {question}"
            case Marked(citation):
                return f"{exchange.place(citation)}: {exchange.quoted(citation)}"
            case Token(text):
                self._draft, self._tokens = self._draft + text, self._tokens + 1
                return f"a draft, not verified yet: {self._draft}" if self._tokens % _TOKENS_A_LINE == 1 else ""
        return ""


# Characters of a document in one result: what fits into a model's context beside its other work.
MOST_CHARACTERS = 20_000

_Where = Annotated[str, Meta(description="A filter, as in: language=id and folder=news and date>=2026-01")]


class Search(Struct, frozen=True, forbid_unknown_fields=True):
    """A question or search terms."""

    question: str
    count: Annotated[int, Meta(ge=1, le=MOST_RESULTS, description="How many passages to return at most")] = 5
    where: _Where = ""
    judged: Annotated[bool, Meta(description="Let a judge read and reorder the first passages: better, slower")] = False


class Ask(Struct, frozen=True, forbid_unknown_fields=True):
    """A question in any language. A follow-up that refers to earlier questions ("And when?") needs `history`."""

    question: str
    where: _Where = ""
    history: Annotated[
        tuple[AskedBefore, ...], Meta(description="Earlier questions and their answers, oldest first; the last three are used")
    ] = ()


class ReadDocument(Struct, frozen=True, forbid_unknown_fields=True):
    """A document, and a range of its text in characters (Unicode code points)."""

    document: Annotated[str, Meta(description="The `document_id` or the `path` of a passage or citation")]
    start: Annotated[int, Meta(ge=0)] = 0
    end: Annotated[int | None, Meta(description=f"At most {MOST_CHARACTERS} after `start`, which is also the default")] = None


class Found(Struct, frozen=True):
    """The passages nearest to a question, best first."""

    passages: list[Passage]


class Excerpt(Struct, frozen=True):
    """The text from character `start` to `end` of a document with `length` characters."""

    document_id: str
    path: str
    start: int
    end: int
    length: int
    text: str


# Sends a progress line to the client.
Report = Callable[[str], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Tool:
    """A tool. `title` is for people, `description` for models. `call` makes a result of the arguments, `text` a text of it."""

    name: str
    title: str
    description: str
    arguments: type[Struct]
    result: type
    call: Callable[[Any, Engine, Admission, Report], Awaitable[Any]]
    text: Callable[[Any], str]


async def search(wanted: Search, engine: Engine, admission: Admission, _report: Report) -> Found:
    """The tool `search`. Raises as `exchange.search` does."""
    found = exchange.search(engine, admission, wanted.question, wanted.count, wanted.where, judged=wanted.judged)
    return Found(await found)


async def ask(wanted: Ask, engine: Engine, admission: Admission, report: Report) -> Answer:
    """The tool `ask`. Cancelling stops the model. Raises as `Engine.ask` does, and TooManyQuestions."""
    log.note_question(wanted.question)
    turns, progress = exchange.turns(wanted.history), Progress()
    asking = admission.admit(lambda: engine.stream(wanted.question, wanted.where, history=turns), Waiting)
    event: Event | None = None
    try:
        async for event in asking:
            if line := progress.line(event):
                await report(line)
    finally:
        asking.stop()
    assert isinstance(event, Answer)
    return event


async def read_document(wanted: ReadDocument, engine: Engine, _admission: Admission, _report: Report) -> Excerpt:
    """The tool `read_document`. Raises NotFound or QuestionError."""
    return await asyncio.to_thread(_read, wanted, engine)


def _read(wanted: ReadDocument, engine: Engine) -> Excerpt:
    opened = engine.snapshot()
    listed = opened.find("id", wanted.document) or opened.find("path", wanted.document)
    document = opened.with_text(listed) if listed else None
    if document is None:
        raise NotFound(f"there is no document {wanted.document[:80]}", "use the `document_id` of a passage that `search` found")
    length = len(document.text)
    end = min(length, wanted.start + MOST_CHARACTERS) if wanted.end is None else wanted.end
    if not wanted.start <= end <= length or end - wanted.start > MOST_CHARACTERS:
        problem = f"{wanted.start} to {end} is not a range of at most {MOST_CHARACTERS} of the document's {length} characters"
        raise QuestionError(problem, "ask for a shorter range, or leave `end` out")
    return Excerpt(document.id, document.path, wanted.start, end, length, document.text[wanted.start : end])


TOOLS = (
    Tool(
        "search",
        "Search the documents",
        "Find the passages of the user's own documents that are most relevant to a question or search terms, in any language. "
        "Fast.",
        Search,
        Found,
        search,
        lambda found: exchange.passages_text(found.passages),
    ),
    Tool(
        "ask",
        "Ask the documents",
        "Answer a question from the user's own documents. The citations of each sentence were verified word for word against "
        "the documents. If the documents do not answer the question, the result says so (`answered` is false). A follow-up is "
        "rewritten by its `history` to stand alone; `understood_as` is that question. Takes seconds, and reports progress.",
        Ask,
        Answer,
        ask,
        exchange.answer_text,
    ),
    Tool(
        "read_document",
        "Read a document",
        f"Read the text around a passage or citation: up to {MOST_CHARACTERS} characters of a document at once.",
        ReadDocument,
        Excerpt,
        read_document,
        lambda excerpt: excerpt.text,
    ),
)
