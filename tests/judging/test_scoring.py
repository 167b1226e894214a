"""The order of judged passages: counted by hand, and what must hold of any."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.judging import scoring
from rag.judging.scoring import judged, log_odds, logistic, order, rerank
from rag.types import Judgement, Passage, Span
from tests.fakes import ScriptedJudge

INDONESIAN = "Menteri Pertahanan mengatakan bahwa harga beras naik dan pemerintah akan mengirim bantuan ke daerah."
ENGLISH = "The minister of defence said that the price of rice rises and that the government will send help."


def test_shared_words_are_a_share_of_the_claims() -> None:
    assert scoring.shared_words("Harga beras, harga!", "HARGA naik", "id") == pytest.approx(2 / 3)
    assert scoring.shared_words("…", "harga", "id") == 0
    assert scoring.shared_words("desa nomor 7", "Desa nomor 07", "id") == 1


def test_shared_numbers_are_compared_as_they_are_written() -> None:
    assert scoring.shared_numbers("Pada 2024 ada 1.500 orang", "Tahun 2024: 1500 orang") == 0.5
    assert scoring.shared_numbers("tanpa angka", "2024") == 1
    assert scoring.shared_numbers("pada 2024", "") == 0


@pytest.mark.parametrize(
    ("claim", "evidence", "share"),
    [
        ("desa nomor 7", "Desa No. 07", 1),
        ("desa nomor 07", "Desa No. 7", 1),
        ("agen 007", "agen 7", 1),
        ("pukul 7.05", "pukul 07.05", 1),
        ("nomor 7", "nomor 70", 0),
        ("3.7 persen", "3.07 persen", 0),
        ("0,5 persen", "5 persen", 0),
        ("0 orang", "00 orang", 1),
        ("0 orang", "10 orang", 0),
    ],
)
def test_a_number_is_the_same_with_zeros_before_it(claim: str, evidence: str, share: float) -> None:
    assert scoring.shared_numbers(claim, evidence) == share


def test_words_are_compared_in_one_language_only() -> None:
    assert scoring.language_of_both("Harga beras naik", INDONESIAN) == "id"
    assert scoring.language_of_both("The price of rice has been rising for many months", ENGLISH) == "en"
    assert scoring.language_of_both("The price of rice has been rising for many months", INDONESIAN) is None


PROBABILITY = st.floats(0, 1)


def test_log_odds_are_clipped() -> None:
    assert log_odds(0.5) == 0
    assert log_odds(0.75) == pytest.approx(1.0986, abs=1e-4)
    assert (log_odds(0.0), log_odds(1e-300), log_odds(1.0), log_odds(1 - 1e-16)) == (-12, -12, 12, 12)


@given(PROBABILITY)
def test_a_probability_is_that_of_its_log_odds(probability: float) -> None:
    assert logistic(log_odds(probability)) == pytest.approx(probability, abs=1e-5)


@given(st.floats(-12, 12))
def test_log_odds_are_those_of_their_probability(value: float) -> None:
    assert log_odds(logistic(value)) == pytest.approx(value, abs=1e-6)
    assert logistic(value) == pytest.approx(1 / (1 + math.exp(-value)))


@given(st.floats(-1e300, 1e300), st.floats(-1e300, 1e300))
def test_a_probability_rises_with_its_log_odds_and_never_overflows(one: float, other: float) -> None:
    lower, higher = sorted([one, other])
    assert 0 <= logistic(lower) <= logistic(higher) <= 1
    assert logistic(one) + logistic(-one) == pytest.approx(1)


def test_retrieval_weighs_two_and_a_quarter_log_odds_a_spread() -> None:
    """Scores 2 and 0 have a spread of 1, so the second is 4.5 log-odds behind: a confidence of 0.989 makes up for them."""
    assert order([0.5, 0.988], [2.0, 0.0]) == [0, 1]
    assert order([0.5, 0.990], [2.0, 0.0]) == [1, 0]


def test_equal_opinions_leave_the_decision_to_the_other_side() -> None:
    assert order([0.3, 0.3, 0.3], [0.1, 0.9, 0.5]) == [1, 2, 0]
    assert order([0.2, 0.9, 0.5], [7.0, 7.0, 7.0]) == [1, 2, 0]
    assert order([0.4, 0.4], [1.0, 1.0]) == [0, 1]
    # Beyond twelve log-odds a judge is not surer.
    assert order([1 - 1e-9, 1.0], [1.0, 0.0]) == [0, 1]


def test_nothing_has_an_order_and_unequal_lengths_have_none() -> None:
    assert order([], []) == []
    with pytest.raises(ValueError, match="2 confidences and 1 scores"):
        order([0.1, 0.2], [1.0])


@given(st.lists(st.tuples(PROBABILITY, st.integers(-50, 50)), max_size=12), st.sampled_from([0.25, 4.0]), st.integers(-8, 8))
def test_the_scale_of_scores_does_not_matter(pairs: list[tuple[float, int]], factor: float, shift: int) -> None:
    confidences, scores = [pair[0] for pair in pairs], [float(pair[1]) for pair in pairs]
    found = order(confidences, scores)
    assert sorted(found) == list(range(len(pairs)))
    # Powers of two and whole numbers, so that no rounding parts equal values.
    assert order(confidences, [factor * (score + shift) for score in scores]) == found


@given(st.lists(st.tuples(PROBABILITY, st.floats(-100, 100)), max_size=12))
def test_none_stands_behind_one_that_is_worse_on_both_sides(pairs: list[tuple[float, float]]) -> None:
    found = order([confidence for confidence, _ in pairs], [score for _, score in pairs])
    for at, i in enumerate(found):
        for j in found[at + 1 :]:
            surer = log_odds(pairs[j][0]) > log_odds(pairs[i][0]) + 1e-9
            assert not (surer and pairs[j][1] > pairs[i][1])


def test_reranked_passages_are_the_same_ones_with_the_judges_confidence() -> None:
    passages = [Passage("d", "a.txt", "id", at, at + 4, text, 1 - at / 10) for at, text in enumerate(["satu", "dua", "tiga"])]
    judge = ScriptedJudge({"satu": 0.01, "dua": 0.02, "tiga": 0.999})
    found = rerank("Apa?", passages, judge)
    assert [(passage.text, passage.confidence) for passage in found] == [("tiga", 0.999), ("satu", 0.01), ("dua", 0.02)]
    assert rerank("Apa?", [], judge) == []


def test_the_words_that_the_judge_marks_are_what_to_look_at_first() -> None:
    passage = Passage("d", "a.txt", "id", 100, 120, "harga beras naik lagi", 1.0, highlight=Span(100, 116))
    assert judged(passage, Judgement(0.9, Span(6, 11))).highlight == Span(106, 111)
    assert judged(passage, Judgement(0.1, None)).highlight == Span(100, 116)
