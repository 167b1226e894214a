from math import log

from hypothesis import given, settings
from hypothesis import strategies as st

from rag.indexing.merging import Size, to_merge

EXACT_MOST = 2000
FAN_OUT = 8


class History:
    """Segments as builds leave them, in sizes only."""

    def __init__(self) -> None:
        self.segments: list[Size] = []
        self.added = self.removed = self.rewritten = 0
        self.most_live = 1

    def build(self, new: int, losses: list[float]) -> None:
        """Lose a share of each segment, and add."""
        lost = [int(size.live * share) for size, share in zip(self.segments, [*losses, *[0.0] * 1000], strict=False)]
        self.segments = [Size(s.live - n, s.held, s.exact) for s, n in zip(self.segments, lost, strict=True)]
        chosen = to_merge(self.segments, new, EXACT_MOST)
        merged = sum(self.segments[i].live for i in chosen)
        self.segments = [size for i, size in enumerate(self.segments) if i not in chosen]
        if total := merged + new:
            self.segments.append(Size(total, total, exact=total <= EXACT_MOST))
        self.added, self.removed, self.rewritten = self.added + new, self.removed + sum(lost), self.rewritten + merged
        self.most_live = max(self.most_live, sum(size.live for size in self.segments))


steps = st.lists(
    st.tuples(
        st.one_of(st.integers(0, 20), st.integers(0, 5000)),
        st.one_of(st.just([]), st.lists(st.floats(0, 1), max_size=20)),
    ),
    min_size=1,
    max_size=150,
)


@settings(max_examples=300, deadline=None)
@given(steps)
def test_segments_stay_few_and_no_chunk_is_rewritten_often(builds: list[tuple[int, list[float]]]) -> None:
    history = History()
    for new, losses in builds:
        history.build(new, losses)
        tiers = 2 + log(history.most_live, FAN_OUT)
        # Removals can push as many segments again down into a tier.
        assert len(history.segments) <= 2 * FAN_OUT * tiers
        assert history.rewritten <= (tiers + 1) * (history.added + history.removed)
        # What is left of an inverted file after removals may be searched exactly beside the others, until the next build.
        assert sum(s.live for s in history.segments if s.exact) <= 2 * EXACT_MOST
        assert all(2 * s.live >= s.held for s in history.segments)
        assert sum(s.live for s in history.segments) == history.added - history.removed


def test_ten_thousand_additions_of_one_chunk() -> None:
    history = History()
    for _ in range(10_000):
        history.build(1, [])
        assert len(history.segments) <= (FAN_OUT - 1) * (2 + log(history.most_live, FAN_OUT))
    assert history.rewritten <= 10_000 * (1 + log(10_000, FAN_OUT))


def test_a_few_segments_are_left_alone() -> None:
    assert to_merge([Size(100, 100, exact=True)] * 6, 100, EXACT_MOST) == set()
    assert to_merge([Size(100, 100, exact=True)] * 7, 100, EXACT_MOST) == set(range(7))


def test_a_large_segment_is_not_rewritten_for_a_small_one() -> None:
    large = Size(900, 1000, exact=True)
    assert to_merge([large, *[Size(1, 1, exact=True)] * 7], 1, EXACT_MOST) == set(range(1, 8))


def test_a_segment_of_which_most_was_removed_is_rewritten() -> None:
    assert to_merge([Size(49, 100, exact=False), Size(50, 100, exact=False)], 0, EXACT_MOST) == {0}


def test_exact_segments_become_one_inverted_file_when_they_are_large_together() -> None:
    sizes = [Size(1500, 1500, exact=True), Size(90_000, 90_000, exact=False), Size(400, 400, exact=True)]
    assert to_merge(sizes, 100, EXACT_MOST) == set()
    assert to_merge(sizes, 101, EXACT_MOST) == {0, 2}
