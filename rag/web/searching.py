"""A search, for whichever door it comes in by. Knows no protocol."""

import asyncio
from collections.abc import Iterator

from rag.engine import Engine, checked
from rag.types import Passage
from rag.web import noting
from rag.web.admission import Admission, drained


async def found(
    engine: Engine, admission: Admission, question: str, count: int, where: str, *, judged: bool = False
) -> list[Passage]:
    """The passages, best first. Cancelled, it stops the judge. Raises as `Engine.search` does, and TooManyQuestions.

    It needs no place in the line before the model, unless the judge is to put the passages in order: that may be the model.
    """
    noting.note_question(question)
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
