"""Shared by the HTTP, OpenAI and MCP interfaces: the history of a conversation, a search, and answers as plain text.

Knows no protocol.
"""

import asyncio
from collections.abc import Iterator, Sequence

from msgspec import Struct

from rag.engine import MOST_QUESTION_CHARACTERS, Engine, checked
from rag.errors import QuestionError
from rag.types import Answer, Citation, Passage, Turn
from rag.web.admission import Admission, last_event
from rag.web.telemetry import log

# Turns in the history of a question, and characters of an answer in it.
_MOST_TURNS, _MOST_ANSWER_CHARACTERS = 20, 10_000


class AskedBefore(Struct, frozen=True, forbid_unknown_fields=True):
    """An earlier question of the conversation, and its answer; empty where it had none."""

    question: str
    answer: str


def turns(history: Sequence[AskedBefore]) -> tuple[Turn, ...]:
    """The history as the engine takes it. Raises QuestionError where it is too long."""
    if len(history) > _MOST_TURNS:
        raise QuestionError(f"the history has {len(history)} turns", f"send the last {_MOST_TURNS}")
    for turn in history:
        if len(turn.question) > MOST_QUESTION_CHARACTERS or len(turn.answer) > _MOST_ANSWER_CHARACTERS:
            most = f"{MOST_QUESTION_CHARACTERS} characters of question and {_MOST_ANSWER_CHARACTERS} of answer"
            raise QuestionError("a turn of the history is too long", f"send at most {most}")
    return tuple(Turn(turn.question, turn.answer) for turn in history)


async def search(
    engine: Engine, admission: Admission, question: str, count: int, where: str, *, judged: bool = False
) -> list[Passage]:
    """The passages, best first. Cancelling stops the judge. Raises as `Engine.search` does, and TooManyQuestions.

    With `judged` the search waits in the queue before the model, for the model may be the judge; else it does not.
    """
    log.note_question(question)
    if not judged:
        return await asyncio.to_thread(engine.search, question, count, where)
    asking = admission.admit(lambda: _judged(engine, question, count, where))
    try:
        return await last_event(asking) or []
    finally:
        asking.stop()


def _judged(engine: Engine, question: str, count: int, where: str) -> Iterator[list[Passage]]:
    """Steps for `Admission.admit`, which waits for the model after the first."""
    checked(question)
    yield []
    yield engine.search(question, count, where, judged=True)


def answer_text(answer: Answer) -> str:
    """The answer with its markers, then its note and the cited words. It begins with `answer.text`, unchanged."""
    parts = [answer.text]
    if answer.note:
        parts.append(f"({answer.note})")
    if answer.understood_as:
        parts.append(f"(↳ {answer.understood_as})")
    if answer.citations:
        parts.append("\n".join(f"[{n}] {place(c)}: {quoted(c)}" for n, c in enumerate(answer.citations, 1)))
    return "\n\n".join(parts)


def passages_text(found: Sequence[Passage]) -> str:
    """The passages, best first, each below its document and range."""
    return "\n\n".join(
        f"{n}. {place(p)} (document {p.document_id}, {p.start}-{p.end})\n{p.text}" for n, p in enumerate(found, 1)
    )


def place(where: Citation | Passage) -> str:
    """The path, and the page where the document has pages."""
    return f"{where.path}, p. {where.page}" if where.page else where.path


def quoted(citation: Citation) -> str:
    """The cited words in quotation marks, on one line."""
    return f"“{' '.join(citation.text.split())}”"
