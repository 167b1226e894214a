"""The curve over thresholds, on outcomes counted by hand and on any."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.evaluation.abstention import curve
from rag.evaluation.outcomes import Asked
from tests.evaluation.outcomes import asked, unanswerable

# Under .35: right, right, refused for its confidence; refused, refused by the model itself, answered.
OUTCOMES = [
    asked("1", confidence=0.9),
    asked("2", confidence=0.5),
    asked("3", None, confidence=0.3),
    unanswerable("4", confidence=0.1),
    unanswerable("5", confidence=0.7),
    unanswerable("6", "Pada 1999.", confidence=0.4),
]


@pytest.mark.parametrize(
    ("threshold", "precision", "recall", "answerable_refused"),
    [(0.0, 1, 1 / 3, 0), (0.2, 1, 2 / 3, 0), (0.35, 2 / 3, 2 / 3, 1 / 3), (0.45, 3 / 4, 1, 1 / 3), (1.0, 1 / 2, 1, 1)],
)
def test_a_threshold_refuses_what_is_less_sure(
    threshold: float, precision: float, recall: float, answerable_refused: float
) -> None:
    (point,) = [point for point in curve(OUTCOMES, 0.35) if point.threshold == threshold]
    assert point.precision == pytest.approx(precision)
    assert point.recall == pytest.approx(recall)
    assert point.answerable_refused == pytest.approx(answerable_refused)


def test_the_threshold_that_was_set_shows_what_happened() -> None:
    point = curve(OUTCOMES, 0.35)[35]
    refused = [one for one in OUTCOMES if not one.outcome.answered]
    assert point.recall == sum(not one.answerable for one in refused) / 3
    assert point.answerable_refused == sum(one.answerable for one in refused) / 3


def test_a_share_of_nothing_is_none() -> None:
    only = curve([asked("1")], 0.35)
    assert (only[0].precision, only[0].recall, only[0].answerable_refused) == (None, None, 0)
    assert curve([unanswerable("1")], 0.35)[0].answerable_refused is None


@given(st.lists(st.tuples(st.booleans(), st.booleans(), st.floats(0, 1)), min_size=1, max_size=12), st.floats(0, 1))
def test_a_higher_threshold_never_refuses_less(rows: list[tuple[bool, bool, float]], threshold: float) -> None:
    outcomes: list[Asked] = [
        asked(str(i), "x" if says and sure >= threshold else None, answerable=answers, confidence=sure)
        for i, (says, answers, sure) in enumerate(rows)
    ]
    for lower, higher in pairwise(curve(outcomes, threshold)):
        assert (lower.recall or 0) <= (higher.recall or 0)
        assert (lower.answerable_refused or 0) <= (higher.answerable_refused or 0)
