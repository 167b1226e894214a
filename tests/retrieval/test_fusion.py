"""The fused score: what raises it, what does not, and that it is a number."""

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from rag.retrieval.fusion import WEIGHT, fuse, spread

cosines = st.floats(-1, 1, width=32)
scores = st.floats(0, 60, width=32)
languages = st.sampled_from(["id", "en", "th"])
candidates = st.lists(st.tuples(cosines, scores, languages), min_size=1, max_size=20)


def fused(
    dense: Sequence[float],
    lexical: Sequence[float],
    spoken: Sequence[str] | None = None,
    *,
    information: float = 20.0,
    spread: float = 0.02,
) -> list[float]:
    arrays = np.array(dense, dtype=np.float32), np.array(lexical, dtype=np.float32)
    found = fuse(*arrays, spoken or ["id"] * len(dense), information=information, spread=spread)
    return [float(score) for score in found]


def test_a_chunk_with_the_words_overtakes_one_that_is_a_little_nearer() -> None:
    near, worded = fused([0.87, 0.86], [0.0, 10.0])
    assert worded > near


def test_a_name_alone_does_not_overtake_one_that_is_clearly_nearer() -> None:
    """A question in another language: only a tenth of what it says is covered."""
    near, named = fused([0.87, 0.85], [0.0, 2.0])
    assert near > named


def test_what_is_covered_counts_in_spreads() -> None:
    near, whole = fused([0.8, 0.8], [0.0, 20.0])
    assert whole - near == pytest.approx(WEIGHT * 0.02)


def test_without_words_the_cosine_is_the_score() -> None:
    assert fused([0.9, 0.8], [0.0, 0.0]) == pytest.approx([0.9, 0.8])
    assert fused([0.9, 0.8], [0.0, 0.0], information=0.0) == pytest.approx([0.9, 0.8])
    assert fused([], [], []) == []


def test_a_near_document_of_another_language_is_not_pushed_down_by_words_it_cannot_have() -> None:
    """Six Indonesian chunks share words with an Indonesian question; the English one is nearer than all but the first."""
    dense = [0.90, 0.89, 0.85, 0.85, 0.85, 0.85, 0.85]
    lexical = [12.0, 0.0, 10.0, 10.0, 10.0, 10.0, 10.0]
    found = fused(dense, lexical, ["id", "en", "id", "id", "id", "id", "id"])
    assert np.argsort(found)[::-1][:2].tolist() == [0, 1]


@given(candidates, st.floats(0.01, 100), st.floats(0, 1))
def test_a_score_is_finite(rows: list[tuple[float, float, str]], information: float, spread: float) -> None:
    dense, lexical, spoken = zip(*rows, strict=True)
    assert np.isfinite(fused(dense, lexical, spoken, information=information, spread=spread)).all()


@given(cosines, cosines, scores, scores)
def test_better_in_both_is_not_ranked_lower_within_a_language(one: float, two: float, few: float, many: float) -> None:
    worse, better = fused([min(one, two), max(one, two)], [min(few, many), max(few, many)])
    assert better >= worse - 1e-6


@given(candidates, st.floats(0.1, 10))
def test_an_embedder_with_wider_cosines_ranks_alike(rows: list[tuple[float, float, str]], factor: float) -> None:
    dense, lexical, spoken = zip(*rows, strict=True)
    wider = fused([factor * cosine for cosine in dense], lexical, spoken, spread=factor * 0.02)
    # Which of two that are equally near is among the nearest may turn on the last bit of a cosine.
    if len({round(cosine, 4) for cosine in dense}) == len(dense):
        assert wider == pytest.approx([factor * score for score in fused(dense, lexical, spoken)], rel=1e-3, abs=1e-4)


@given(candidates)
def test_languages_make_no_difference_where_there_is_one(rows: list[tuple[float, float, str]]) -> None:
    dense, lexical, _ = zip(*rows, strict=True)
    found = np.array(fused(dense, lexical))
    plain = np.array(dense) + WEIGHT * 0.02 * np.array(lexical) / 20
    assert found - found[0] == pytest.approx(plain - plain[0], abs=1e-5)


def unit(rows: int, *, around: int = 0) -> NDArray[np.float32]:
    """Random unit vectors near an axis of their own."""
    vectors = np.random.default_rng(around).normal(0, 0.05, (rows, 16)).astype(np.float32)
    vectors[:, around] += 1
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors


def test_the_spread_is_that_between_chunks_of_one_language() -> None:
    here, there = unit(40), unit(40, around=1)
    alone = spread(here, ["id"] * 40)
    assert alone == pytest.approx(float((here @ here.T)[np.triu_indices(40, 1)].std()))
    together = spread(np.concatenate([here, there]), ["id"] * 40 + ["en"] * 40)
    assert together == pytest.approx(alone, rel=0.2)
    assert spread(np.concatenate([here, there]), ["id"] * 80) > 10 * alone


@pytest.mark.parametrize("rows", [0, 1, 2, 20])
def test_of_few_chunks_the_spread_is_the_usual_one(rows: int) -> None:
    assert spread(unit(rows), ["id"] * rows) == 0.024


def test_languages_may_be_numbers() -> None:
    vectors = unit(40)
    assert spread(vectors, np.zeros(40, dtype=np.int64)) == spread(vectors, ["id"] * 40)
    arrays = np.array([0.9, 0.8, 0.7], dtype=np.float32), np.array([1.0, 9.0, 3.0], dtype=np.float32)
    named = fuse(*arrays, ["id", "en", "id"], information=10.0, spread=0.02)
    assert np.array_equal(named, fuse(*arrays, np.array([4, 7, 4]), information=10.0, spread=0.02))
