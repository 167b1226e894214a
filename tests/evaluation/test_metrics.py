"""Measures against values counted by hand, and intervals against what they must do."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.evaluation.measures import MEASURES, estimate, per_question


def test_measures_are_those_of_the_books() -> None:
    second, third = 1 / math.log2(3), 1 / math.log2(4)
    values = per_question([["x", "a", "b"], ["a"], [], ["w", "x", "y", "z", "v", "a"]], [{"a", "b"}, {"a"}, {"a"}, {"a"}])
    assert values["nDCG@10"] == pytest.approx([(second + third) / (1 + second), 1, 0, 1 / math.log2(7)])
    assert values["MRR@10"] == pytest.approx([1 / 2, 1, 0, 1 / 6])
    assert values["recall@1"] == pytest.approx([0, 1, 0, 0])
    assert values["recall@5"] == pytest.approx([1, 1, 0, 0])
    assert values["recall@10"] == pytest.approx([1, 1, 0, 1])


def test_measures_stop_at_their_depth() -> None:
    ranking = [f"n{i:02}" for i in range(25)]
    values = per_question([ranking, ranking], [{"n10"}, {"n20"}])
    assert list(values["nDCG@10"]) == list(values["MRR@10"]) == list(values["recall@10"]) == [0, 0]
    assert list(values["recall@20"]) == [1, 0]


def test_the_order_given_is_the_order_counted() -> None:
    """trec_eval alone would put equal scores in the order of ids."""
    assert list(per_question([["b", "a"], ["a", "b"]], [{"b"}, {"b"}])["recall@1"]) == [1, 0]


def test_every_measure_has_a_value_a_question() -> None:
    values = per_question([["a"]] * 12, [{"a"}] * 12)
    assert {name: list(of) for name, of in values.items()} == {name: [1.0] * 12 for name in MEASURES}


def test_an_interval_is_that_of_the_mean() -> None:
    values = np.random.default_rng(1).random(400)
    found = estimate(values)
    half = 1.96 * values.std() / 20
    assert found.value == pytest.approx(values.mean())
    assert found.low == pytest.approx(values.mean() - half, abs=0.003)
    assert found.high == pytest.approx(values.mean() + half, abs=0.003)
    assert estimate(values) == found


@given(st.lists(st.floats(-1, 1), min_size=1, max_size=30))
def test_an_interval_holds_the_mean_within_the_values(values: list[float]) -> None:
    found = estimate(np.array(values))
    assert min(values) - 1e-9 <= found.low <= found.high <= max(values) + 1e-9
    assert found.value == pytest.approx(np.mean(values))


def test_values_that_are_all_alike_leave_no_doubt() -> None:
    found = estimate(np.full(10, 0.5))
    assert (found.value, found.low, found.high) == (0.5, 0.5, 0.5)
