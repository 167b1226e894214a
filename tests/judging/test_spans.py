"""The best range of tokens, beside a search of all of them."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from rag.judging import spans

# Whole numbers, so that sums are exact.
LOGITS = st.integers(2, 70).flatmap(lambda n: arrays(np.float32, (n, 2), elements=st.integers(-9, 9).map(float)))


@settings(deadline=None, max_examples=200)
@given(LOGITS, st.data())
def test_it_is_the_best_of_all_ranges(logits: Any, data: st.DataObject) -> None:
    first = data.draw(st.integers(1, len(logits) - 1))
    count = data.draw(st.integers(1, len(logits) - first))
    starts, ends = logits[:, 0], logits[:, 1]
    found = spans.best(starts, ends, first, count)
    assert found is not None
    assert first <= found.first <= found.last < first + count
    assert found.last - found.first < spans._MOST
    inside = range(first, first + count)
    sums = [starts[a] + ends[b] for a in inside for b in inside if 0 <= b - a < spans._MOST]
    assert starts[found.first] + ends[found.last] == max(sums)
    assert found.margin == max(sums) - starts[0] - ends[0]


def test_an_answer_is_not_longer_than_any_is_and_not_backwards() -> None:
    starts, ends = np.zeros(200, np.float32), np.zeros(200, np.float32)
    starts[10] = ends[10 + spans._MOST] = ends[5] = 5
    found = spans.best(starts, ends, 1, 199)
    assert found is not None
    assert found.margin == 5
    ends[10 + spans._MOST - 1] = 5
    assert spans.best(starts, ends, 1, 199) == spans.Marked(10, 10 + spans._MOST - 1, 10.0)


@pytest.mark.parametrize("count", [0, -1])
def test_where_there_are_no_tokens_there_is_no_answer(count: int) -> None:
    assert spans.best(np.ones(3, np.float32), np.ones(3, np.float32), 1, count) is None
