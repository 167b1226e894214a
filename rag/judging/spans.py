"""The likeliest answer among all ranges of a passage's tokens. Pure."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

# Tokens of an answer, at most. Of idkmrc's training answers 99.5 % are no longer.
_MOST = 48


@dataclass(frozen=True, slots=True)
class Marked:
    """Tokens `first` to `last`, both in it; `margin`, in log-odds, is how much likelier they are than no answer."""

    first: int
    last: int
    margin: float


def best(starts: NDArray[np.float32], ends: NDArray[np.float32], first: int, count: int) -> Marked | None:
    """The range of the `count` tokens from `first` on with the highest sum of logits; None where there are no tokens.

    Token 0 stands for "no answer", as in SQuAD 2.0 (Devlin et al. 2019, section 4.3).
    """
    if count <= 0:
        return None
    begin, finish = starts[first : first + count], ends[first : first + count]
    sums = np.where(_allowed(count), begin[:, None] + finish[None], -np.inf)
    at, to = np.unravel_index(int(sums.argmax()), sums.shape)
    return Marked(first + int(at), first + int(to), float(sums[at, to] - starts[0] - ends[0]))


def _allowed(count: int) -> NDArray[np.bool_]:
    """Which (first, last) are ranges: not backwards, and not too long."""
    ones = np.ones((count, count), dtype=bool)
    return np.triu(ones) & np.tril(ones, _MOST - 1)
