import asyncio
from dataclasses import replace

import pytest

from rag.engine import MOST_QUESTION_CHARACTERS, Engine
from rag.errors import QuestionError, TooManyQuestions
from rag.judging.other_judges import LlmJudge
from rag.types import Calibration, Turn
from rag.web import exchange
from rag.web.admission import Admission
from rag.web.exchange import AskedBefore, turns
from tests.fakes import StuckReader
from tests.web.conftest import PATIENCE, QUESTION, questions_running, until


def test_a_conversation_keeps_its_order() -> None:
    assert turns([AskedBefore("Siapa?", "Ashtiani."), AskedBefore("Kapan?", "")]) == (
        Turn("Siapa?", "Ashtiani."),
        Turn("Kapan?", ""),
    )
    assert turns([]) == ()


@pytest.mark.parametrize(
    ("history", "hint"),
    [
        ([AskedBefore("Siapa?", "")] * 21, "send the last 20"),
        ([AskedBefore("x" * (MOST_QUESTION_CHARACTERS + 1), "")], "send at most 1000 characters of question"),
        ([AskedBefore("Siapa?", "x" * 10_001)], "send at most 1000 characters of question and 10000 of answer"),
    ],
)
def test_one_that_is_too_long_is_refused(history: list[AskedBefore], hint: str) -> None:
    with pytest.raises(QuestionError, match=hint):
        turns(history)


def test_a_search_does_not_wait_in_the_queue_unless_it_is_judged(engine: Engine) -> None:
    async def search() -> None:
        full = Admission(at_once=0, most_waiting=0)
        assert len(await exchange.search(engine, full, "Venezuela", 1, "")) == 1
        with pytest.raises(TooManyQuestions):
            await exchange.search(engine, full, "Venezuela", 1, "", judged=True)
        with pytest.raises(QuestionError, match="the question is empty"):
            await exchange.search(engine, Admission(), "", 1, "", judged=True)

    asyncio.run(search())


def test_a_judged_search_that_is_cancelled_stops_the_judge(engine: Engine) -> None:
    stuck = StuckReader()
    engine.models.small_judge = LlmJudge(stuck, Calibration(0, 1))  # type: ignore[assignment]

    async def search() -> None:
        work = asyncio.create_task(exchange.search(engine, Admission(), QUESTION, 1, "", judged=True))
        await asyncio.to_thread(stuck.working.wait, PATIENCE)
        work.cancel()
        await asyncio.to_thread(stuck.left.wait, PATIENCE)

    asyncio.run(search())
    assert stuck.left.is_set()
    until(lambda: not questions_running())


def test_an_answer_is_followed_by_what_is_said_of_it_and_the_words_it_rests_on(engine: Engine) -> None:
    answer = engine.ask(QUESTION)
    (citation,) = answer.citations
    noted = replace(
        answer, note="Left out.", understood_as="Siapa?", citations=(replace(citation, page=3, text="dua\n baris"),)
    )
    assert (
        exchange.answer_text(noted) == f"{answer.text}\n\n(Left out.)\n\n(↳ Siapa?)\n\n[1] {citation.path}, p. 3: “dua baris”"
    )


def test_passages_have_the_place_by_which_a_document_is_read(engine: Engine) -> None:
    (passage, *_) = engine.search("Venezuela", 2)
    place = f"{passage.path} (document {passage.document_id}, {passage.start}-{passage.end})"
    assert exchange.passages_text([passage, passage]) == f"1. {place}\n{passage.text}\n\n2. {place}\n{passage.text}"
