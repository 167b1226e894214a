"""What refusing is worth under every threshold of confidence, from outcomes under one. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from rag.evaluation.outcomes import Asked

_STEPS = 100


@dataclass(frozen=True, slots=True)
class Point:
    """What a threshold does: of the refusals, the share that is right; of each kind of questions, the share refused.

    A share of none is None.
    """

    threshold: float
    precision: float | None
    recall: float | None
    answerable_refused: float | None


def curve(asked: Sequence[Asked], threshold: float) -> tuple[Point, ...]:
    """Points for the thresholds 0, 0.01, … 1, of outcomes that were made under `threshold`.

    What was refused although its confidence reached the threshold (nothing supported what was written, nor was there a
    quote) is refused under any. What was refused for its confidence alone counts as answered under a lower one.
    """
    return tuple(_point(asked, step / _STEPS, threshold) for step in range(_STEPS + 1))


def _point(asked: Sequence[Asked], at: float, threshold: float) -> Point:
    refused = [_refused(one, at, threshold) for one in asked]
    wrongly = sum(refused[i] for i, one in enumerate(asked) if one.answerable)
    rightly = sum(refused) - wrongly
    answerable = sum(one.answerable for one in asked)
    return Point(at, _share(rightly, sum(refused)), _share(rightly, len(asked) - answerable), _share(wrongly, answerable))


def _refused(one: Asked, at: float, threshold: float) -> bool:
    confidence = one.outcome.confidence or 0.0
    return confidence < at or (not one.outcome.answered and confidence >= threshold)


def _share(part: int, of: int) -> float | None:
    return part / of if of else None
