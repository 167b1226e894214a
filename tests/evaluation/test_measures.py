"""Measures are compared with values counted by hand; intervals keep questions together, and calibration is what it must be."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from rag.evaluation import measures
from rag.evaluation.measures import (
    MEASURES,
    Bin,
    auroc,
    average_precision,
    by_language,
    calibration_error,
    curve,
    estimate,
    per_question,
    resampled,
    verdicts,
)


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


@settings(deadline=None)
@given(st.lists(st.floats(-1, 1), min_size=1, max_size=30))
def test_an_interval_holds_the_mean_within_the_values(values: list[float]) -> None:
    found = estimate(np.array(values))
    assert min(values) - 1e-9 <= found.low <= found.high <= max(values) + 1e-9
    assert found.value == pytest.approx(np.mean(values))


def test_values_that_are_all_alike_leave_no_doubt() -> None:
    found = estimate(np.full(10, 0.5))
    assert (found.value, found.low, found.high) == (0.5, 0.5, 0.5)


LABELS, CONFIDENCES = np.array([True, False, True, False]), np.array([0.9, 0.8, 0.7, 0.1])
PAIRS = st.lists(st.tuples(st.booleans(), st.floats(0, 1)), min_size=1, max_size=60)


def arrays(pairs: list[tuple[bool, float]]) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    return np.array([label for label, _ in pairs]), np.array([confidence for _, confidence in pairs])


def test_areas_are_those_of_the_books() -> None:
    assert auroc(LABELS, CONFIDENCES) == pytest.approx(3 / 4)
    assert auroc(LABELS, np.full(4, 0.5)) == pytest.approx(1 / 2)
    assert average_precision(LABELS, CONFIDENCES) == pytest.approx((1 + 2 / 3) / 2)
    assert np.isnan([auroc(LABELS | True, CONFIDENCES), average_precision(LABELS & False, CONFIDENCES)]).all()


def test_calibration_error_is_the_mean_distance_of_the_bins() -> None:
    assert calibration_error(LABELS, CONFIDENCES) == pytest.approx((0.1 + 0.8 + 0.3 + 0.1) / 4)
    # Bins of two: in each one is right, of 0.8 on the mean.
    labels, confidences = np.array([True, False] * 10), np.linspace(0.79, 0.81, 20)
    assert [one.count for one in curve(labels, confidences)] == [2] * 10
    assert calibration_error(labels, confidences) == pytest.approx(0.3)


def test_equal_confidences_share_a_bin() -> None:
    labels = np.array([True] * 30 + [False] * 10)
    assert curve(labels, np.full(40, 0.75)) == [Bin(0.75, 0.75, 40)]
    assert calibration_error(labels, np.full(40, 0.5)) == pytest.approx(0.25)


def test_many_equal_confidences_do_not_swallow_another() -> None:
    assert curve(np.array([False] + [True] * 19), np.array([0.0] + [1.0] * 19)) == [Bin(0.0, 0.0, 1), Bin(1.0, 1.0, 19)]


@given(PAIRS, st.randoms())
def test_a_curve_holds_each_pair_once_in_whatever_order(pairs, random) -> None:
    bins = curve(*arrays(pairs))
    assert sum(one.count for one in bins) == len(pairs)
    assert len(bins) <= 10
    assert [one.confidence for one in bins] == sorted(one.confidence for one in bins)
    error = calibration_error(*arrays(pairs))
    assert 0 <= error <= 1
    random.shuffle(pairs)
    assert calibration_error(*arrays(pairs)) == pytest.approx(error)


@given(st.lists(st.booleans(), min_size=1, max_size=60))
def test_a_judge_that_knows_has_no_calibration_error(labels) -> None:
    known = np.array(labels)
    assert calibration_error(known, known.astype(float)) == 0
    assert calibration_error(known, 1 - known.astype(float)) == 1


@pytest.mark.slow("draws thousands of samples")
def test_verdicts_have_intervals_around_what_they_measure() -> None:
    rng = np.random.default_rng(5)
    confidences = rng.random(150)
    labels = rng.random(150) < confidences
    found = verdicts("all", labels, confidences, [str(i) for i in range(150)])
    assert (found.pairs, found.positives) == (150, labels.sum())
    for one in (found.auroc, found.average_precision, found.calibration_error):
        assert one
        assert 0 <= one.low < one.value < one.high <= 1
    assert found.calibration_error.low < 0.05


def test_labels_that_are_all_alike_have_no_areas(monkeypatch) -> None:
    monkeypatch.setattr(measures, "_RESAMPLES", 20)
    found = verdicts("all", np.array([False, False]), np.array([0.2, 0.4]), ["a", "b"])
    assert (found.auroc, found.average_precision, found.positives) == (None, None, 0)
    assert found.calibration_error.value == pytest.approx(0.3)


def test_rows_of_a_question_are_drawn_together() -> None:
    """Four copies of each row say no more than one, where the interval knows that they are of one question."""
    values = np.random.default_rng(2).random(50)
    (once,) = resampled(lambda rows: np.array([values[rows].mean()]), [str(i) for i in range(50)])
    copies = np.repeat(values, 4)
    questions = [str(i) for i in range(50) for _ in range(4)]
    (together,) = resampled(lambda rows: np.array([copies[rows].mean()]), questions)
    (apart,) = resampled(lambda rows: np.array([copies[rows].mean()]), [str(i) for i in range(200)])
    assert once
    assert together
    assert apart
    assert together.value == pytest.approx(once.value)
    assert together.high - together.low == pytest.approx(once.high - once.low)
    assert apart.high - apart.low < 0.6 * (once.high - once.low)


def test_resampling_of_a_mean_agrees_with_its_estimate() -> None:
    values = np.random.default_rng(3).random(200)
    (found,) = resampled(lambda rows: np.array([values[rows].mean()]), [str(i) for i in range(200)])
    plain = measures.estimate(values)
    assert found
    assert (found.value, found.low, found.high) == pytest.approx((plain.value, plain.low, plain.high), abs=0.004)


def test_languages_are_separated_if_there_are_several() -> None:
    assert [(name, rows.tolist()) for name, rows in by_language(["id", "en", "id"])] == [
        ("all", [0, 1, 2]),
        ("en", [1]),
        ("id", [0, 2]),
    ]
    assert [name for name, _ in by_language(["id", "id"])] == ["all"]
