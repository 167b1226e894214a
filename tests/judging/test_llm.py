"""The language model's yes or no as a judge."""

import math

import pytest

from rag.judging.llm import LlmJudge
from rag.types import Calibration
from tests.fakes import ScriptedReader

CALIBRATION = Calibration(centre=1.5, scale=0.5)


def test_its_log_odds_become_probabilities_in_the_passages_order() -> None:
    reader = ScriptedReader(log_odds={"satu": 1.5, "dua": 2.5, "tiga": -400.0})
    judgements = list(LlmJudge(reader, CALIBRATION).judge("Apa?", ["satu", "dua", "tiga"]))
    assert [j.confidence for j in judgements] == pytest.approx([0.5, 1 / (1 + math.exp(-2)), 0])
    assert [j.span for j in judgements] == [None] * 3


def test_a_passage_that_nobody_asks_for_is_not_read() -> None:
    reader = ScriptedReader()
    judgements = LlmJudge(reader, CALIBRATION).judge("Apa?", ["satu", "dua", "tiga"])
    assert reader.judged == []
    next(judgements)
    assert reader.judged == ["satu"]


def test_no_passages_no_judgements() -> None:
    assert list(LlmJudge(ScriptedReader(), CALIBRATION).judge("Apa?", [])) == []
