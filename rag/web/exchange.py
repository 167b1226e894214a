"""The conversation before a question, as clients send it. Knows neither HTTP nor another protocol.

A search, for whichever door it comes in by. Knows no protocol.

Answers and passages as plain text that a person or a model reads, each with its place. Pure.
"""

import asyncio
from collections.abc import Iterator, Sequence

from msgspec import Struct

from rag.engine import MOST_QUESTION_CHARACTERS, Engine, checked
from rag.errors import QuestionError
from rag.types import Answer, Citation, Passage, Turn
from rag.web.admission import Admission, drained
from rag.web.telemetry import log

# Turns of a conversation that a follow-up may come with, and the characters of an answer in it.
_MOST_TURNS, _MOST_ANSWER_CHARACTERS = 20, 10_000


class AskedBefore(Struct, frozen=True, forbid_unknown_fields=True):
    """A question of the conversation before this one, and what was answered."""

    question: str
    answer: str


def turns(history: Sequence[AskedBefore]) -> tuple[Turn, ...]:
    """The same for the engine. Raises QuestionError where it is longer than what is taken."""
    if len(history) > _MOST_TURNS:
        raise QuestionError(f"the history has {len(history)} turns", f"send the last {_MOST_TURNS}")
    for turn in history:
        if len(turn.question) > MOST_QUESTION_CHARACTERS or len(turn.answer) > _MOST_ANSWER_CHARACTERS:
            most = f"{MOST_QUESTION_CHARACTERS} characters of question and {_MOST_ANSWER_CHARACTERS} of answer"
            raise QuestionError("a turn of the history is too long", f"send at most {most}")
    return tuple(Turn(turn.question, turn.answer) for turn in history)


async def found(
    engine: Engine, admission: Admission, question: str, count: int, where: str, *, judged: bool = False
) -> list[Passage]:
    """The passages, best first. Cancelled, it stops the judge. Raises as `Engine.search` does, and TooManyQuestions.

    It needs no place in the line before the model, unless the judge is to put the passages in order: that may be the model.
    """
    log.note_question(question)
    if not judged:
        return await asyncio.to_thread(engine.search, question, count, where)
    asking = admission.admit(lambda: _judged(engine, question, count, where))
    try:
        return await drained(asking) or []
    finally:
        asking.stop()


def _judged(engine: Engine, question: str, count: int, where: str) -> Iterator[list[Passage]]:
    """The turn with the model is waited for after the first step."""
    checked(question)
    yield []
    yield engine.search(question, count, where, judged=True)


def answer(value: Answer) -> str:
    """The answer with its markers, a note on it, and the words it rests on. It begins with `value.text`, as it is."""
    parts = [value.text]
    if value.note:
        parts.append(f"({value.note})")
    if value.understood_as:
        parts.append(f"(↳ {value.understood_as})")
    if value.citations:
        parts.append("\n".join(f"[{n}] {place(c)}: {quoted(c)}" for n, c in enumerate(value.citations, 1)))
    return "\n\n".join(parts)


def passages(found: Sequence[Passage]) -> str:
    """The passages, best first, each after its document and range."""
    return "\n\n".join(
        f"{n}. {place(p)} (document {p.document_id}, {p.start}-{p.end})\n{p.text}" for n, p in enumerate(found, 1)
    )


def place(where: Citation | Passage) -> str:
    """The path and, where there are pages, the page."""
    return f"{where.path}, p. {where.page}" if where.page else where.path


def quoted(citation: Citation) -> str:
    """The words of the citation on one line."""
    return f"“{' '.join(citation.text.split())}”"
