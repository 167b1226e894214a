"""Which segments a build merges into the one it writes: few to search in, and no chunk rewritten often. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

# Segments of a tier become one of the next when there are so many: a chunk is rewritten once a tier, and a search looks into at
# most this many segments a tier.
_FAN_OUT = 8


@dataclass(frozen=True, slots=True)
class Size:
    """Chunks of a segment that can be found, and all that it holds; whether its vectors are searched exactly."""

    live: int
    held: int
    exact: bool


def to_merge(sizes: Sequence[Size], new: int, exact_most: int) -> set[int]:
    """Indexes of the segments to be merged into one with `new` chunks.

    Those of which more than half was removed; eight of one tier (sizes within a factor of eight); and all that are searched
    exactly, once they hold more than `exact_most` together, so that one inverted file takes their place.
    """
    chosen = {i for i, size in enumerate(sizes) if size.live * 2 < size.held}
    exact = {i for i, size in enumerate(sizes) if size.exact}
    if new + sum(sizes[i].live for i in exact) > exact_most:
        # One that is over the limit by itself is merged only when there are others to join it.
        chosen |= exact
    while True:
        total = new + sum(sizes[i].live for i in chosen)
        near = {i for i, size in enumerate(sizes) if i not in chosen and _tier(size.live) <= _tier(total)}
        if len(near) < _FAN_OUT - 1:
            return chosen
        chosen |= near


def _tier(chunks: int) -> int:
    tier = 0
    while chunks >= _FAN_OUT:
        chunks, tier = chunks // _FAN_OUT, tier + 1
    return tier
