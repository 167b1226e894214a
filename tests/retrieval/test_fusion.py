"""The fused score: what raises it, what does not, and that it is a number."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.retrieval.fusion import fuse

cosines = st.floats(-1, 1, width=32)
scores = st.floats(0, 60, width=32)


def fused(dense: list[float], lexical: list[float], information: float = 20.0, spread: float = 0.02) -> list[float]:
    arrays = np.array(dense, dtype=np.float32), np.array(lexical, dtype=np.float32)
    return [float(score) for score in fuse(*arrays, information=information, spread=spread)]


def test_a_chunk_with_the_words_overtakes_one_that_is_a_little_nearer() -> None:
    near, worded = fused([0.87, 0.86], [0.0, 10.0])
    assert worded > near


def test_a_name_alone_does_not_overtake_one_that_is_clearly_nearer() -> None:
    """A question in another language: only a tenth of what it says is covered."""
    near, named = fused([0.87, 0.85], [0.0, 2.0])
    assert near > named


def test_without_words_the_cosine_is_the_score() -> None:
    assert fused([0.9, 0.8], [0.0, 0.0]) == pytest.approx([0.9, 0.8])
    assert fused([0.9, 0.8], [0.0, 0.0], information=0.0) == pytest.approx([0.9, 0.8])
    assert fused([], []) == []


def test_a_chunk_that_covers_the_whole_question_gains_eight_deviations() -> None:
    assert fused([0.8], [20.0]) == pytest.approx([0.8 + 8 * 0.02])


@given(st.lists(st.tuples(cosines, scores), min_size=1, max_size=20), st.floats(0.01, 100), st.floats(0, 1))
def test_a_score_is_finite_and_not_below_the_cosine(
    pairs: list[tuple[float, float]], information: float, spread: float
) -> None:
    dense, lexical = map(list, zip(*pairs, strict=True))
    found = fused(dense, lexical, information, spread)
    assert np.isfinite(found).all()
    assert all(score >= cosine - 1e-6 for score, cosine in zip(found, dense, strict=True))


@given(cosines, cosines, scores, scores)
def test_better_in_both_is_not_ranked_lower(one: float, two: float, few: float, many: float) -> None:
    worse, better = fused([min(one, two), max(one, two)], [min(few, many), max(few, many)])
    assert better >= worse


@given(st.lists(st.tuples(cosines, scores), min_size=2, max_size=20), st.floats(0.1, 10))
def test_an_embedder_with_wider_cosines_ranks_alike(pairs: list[tuple[float, float]], factor: float) -> None:
    dense, lexical = map(list, zip(*pairs, strict=True))
    here = fused(dense, lexical)
    wider = fused([factor * cosine for cosine in dense], lexical, spread=factor * 0.02)
    assert wider == pytest.approx([factor * score for score in here], rel=1e-3, abs=1e-4)
