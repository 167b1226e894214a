from collections.abc import Iterator, Sequence

import pytest

from rag.judging.alternatives import SecondOpinion
from rag.types import Judgement, Span
from tests.fakes import ScriptedJudge

TEXTS = ["satu", "dua", "tiga"]


class Quick:
    certain = 0.9

    def __init__(self, *confidences: float) -> None:
        self.confidences, self.read = confidences, list[str]()

    def judge(self, question: str, passages: Sequence[str]) -> Iterator[Judgement]:
        for passage, confidence in zip(passages, self.confidences, strict=True):
            self.read.append(passage)
            yield Judgement(confidence, Span(0, 2))


def confidences(first: Quick, second: ScriptedJudge | None) -> list[float]:
    """Where `second` is None it must not be asked."""
    judge = SecondOpinion(first, lambda: second or pytest.fail("asked"), 0.35)
    assert judge.certain == first.certain
    found = list(judge.judge("Apa?", TEXTS))
    assert all(judgement.span == Span(0, 2) for judgement in found)
    return [judgement.confidence for judgement in found]


@pytest.mark.parametrize("given", [(0.1, 0.35, 0.2), (0.95, 0.0, 0.0), (0.0, 0.0, 0.5)])
def test_where_the_first_finds_an_answer_nobody_else_is_asked(given: tuple[float, ...]) -> None:
    assert confidences(Quick(*given), None) == list(given)


def test_where_it_finds_none_the_second_reads_the_nearest_and_only_that() -> None:
    assert confidences(Quick(0.1, 0.3, 0.2), ScriptedJudge({"satu": 0.9, "dua": 0.8, "tiga": 0.9})) == [0.1, 0.8, 0.2]


@pytest.mark.parametrize("said", [0.0, 0.34])
def test_a_second_one_that_is_not_sure_changes_nothing(said: float) -> None:
    assert confidences(Quick(0.1, 0.3, 0.2), ScriptedJudge(said)) == [0.1, 0.3, 0.2]


def test_after_one_that_answers_the_rest_is_read_only_when_asked_for() -> None:
    first = Quick(0.2, 0.95, 0.3)
    found = SecondOpinion(first, lambda: pytest.fail("asked"), 0.35).judge("Apa?", TEXTS)
    assert [next(found).confidence, next(found).confidence] == [0.2, 0.95]
    assert first.read == ["satu", "dua"]


def test_of_no_passages_nothing_is_said() -> None:
    assert list(SecondOpinion(Quick(), lambda: pytest.fail("asked"), 0.35).judge("Apa?", [])) == []
