"""What clients of the Model Context Protocol may call: what each tool takes, gives, and does. Knows nothing of the protocol."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated, Any

from msgspec import Meta, Struct

from rag.engine import MOST_RESULTS, Engine
from rag.errors import NotFound, QuestionError
from rag.types import Answer, Passage
from rag.web import readable
from rag.web.admission import Admission, drained

# Characters of a document in one reply: what a model can take in beside its other work.
MOST_CHARACTERS = 20_000

_Where = Annotated[str, Meta(description="A filter, as in: language=id and folder=news and date>=2026-01")]


class Search(Struct, frozen=True, forbid_unknown_fields=True):
    """A question or words."""

    question: str
    count: Annotated[int, Meta(ge=1, le=MOST_RESULTS, description="Passages, at most")] = 5
    where: _Where = ""


class Ask(Struct, frozen=True, forbid_unknown_fields=True):
    """A question that can be understood alone, in any language."""

    question: str
    where: _Where = ""


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


@dataclass(frozen=True, slots=True)
class Tool:
    """A tool: its name, what it is for, and what it makes of what it takes; `said` is the same as text."""

    name: str
    about: str
    takes: type[Struct]
    gives: type
    call: Callable[[Any, Engine, Admission], Awaitable[Any]]
    said: Callable[[Any], str]


async def search(wanted: Search, engine: Engine, _admission: Admission) -> Found:
    """Raises as `Engine.search` does."""
    return Found(await asyncio.to_thread(engine.search, wanted.question, wanted.count, wanted.where))


async def ask(wanted: Ask, engine: Engine, admission: Admission) -> Answer:
    """Raises as `Engine.ask` does, and TooManyQuestions. Cancelled, it stops the model."""
    asking = admission.admit(lambda: engine.ask(wanted.question, wanted.where))
    try:
        told = await drained(asking)
    finally:
        asking.stop()
    assert isinstance(told, Answer)
    return told


async def read_document(wanted: ReadDocument, engine: Engine, _admission: Admission) -> Excerpt:
    """Raises NotFound or QuestionError."""
    return await asyncio.to_thread(_read, wanted, engine)


def _read(wanted: ReadDocument, engine: Engine) -> Excerpt:
    opened = engine.snapshot()
    listed = opened.find("id", wanted.document) or opened.find("path", wanted.document)
    document = opened.document(listed[1].id) if listed else None
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
        "Find the passages of the user's own documents that are nearest to a question or words, in any language. Fast.",
        Search,
        Found,
        search,
        lambda found: readable.passages(found.passages),
    ),
    Tool(
        "ask",
        "Answer a question from the user's own documents. Each sentence has citations that were verified word for word against "
        "the document; where the documents do not answer, it says so (`answered` is false). Takes seconds.",
        Ask,
        Answer,
        ask,
        readable.answer,
    ),
    Tool(
        "read_document",
        f"Read the text around a passage or citation: up to {MOST_CHARACTERS} characters of a document.",
        ReadDocument,
        Excerpt,
        read_document,
        lambda excerpt: excerpt.text,
    ),
)
