import asyncio

import pytest

from rag.engine import Engine
from rag.errors import QuestionError, TooManyQuestions
from rag.judging.llm import LlmJudge
from rag.types import Calibration
from rag.web import searching
from rag.web.admission import Admission
from tests.fakes import StuckReader
from tests.web.conftest import PATIENCE, QUESTION, askers, until


def test_a_search_needs_no_place_in_the_line_unless_it_is_judged(engine: Engine) -> None:
    async def search() -> None:
        full = Admission(at_once=0, most_waiting=0)
        assert len(await searching.found(engine, full, "Venezuela", 1, "")) == 1
        with pytest.raises(TooManyQuestions):
            await searching.found(engine, full, "Venezuela", 1, "", judged=True)
        with pytest.raises(QuestionError, match="the question is empty"):
            await searching.found(engine, Admission(), "", 1, "", judged=True)

    asyncio.run(search())


def test_a_judged_search_that_is_cancelled_stops_the_judge(engine: Engine) -> None:
    stuck = StuckReader()
    engine.models.small_judge = LlmJudge(stuck, Calibration(0, 1))  # type: ignore[assignment]

    async def search() -> None:
        work = asyncio.create_task(searching.found(engine, Admission(), QUESTION, 1, "", judged=True))
        await asyncio.to_thread(stuck.working.wait, PATIENCE)
        work.cancel()
        await asyncio.to_thread(stuck.left.wait, PATIENCE)

    asyncio.run(search())
    assert stuck.left.is_set()
    until(lambda: not askers())
