"""The stages of an answer as spans of time, from the seconds of its receipt. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

# In their order: what comes before anything is told, the wait for the model, and what comes after.
BEFORE, WAIT, AFTER = ("load", "search"), "wait", ("judge", "first_token", "write", "cite")
STAGES = (*BEFORE, WAIT, *AFTER)


@dataclass(frozen=True, slots=True)
class Stage:
    """A stage that began and ended at these nanoseconds since 1970."""

    name: str
    start: int
    end: int


def spans(seconds: Mapping[str, float], *, found: int, waited: float, ended: int) -> list[Stage]:
    """The stages that there were, in their order. `found` is when the passages were told, `ended` when the answer was there.

    A receipt has lengths, not times. The stages before `found` end there, one after the other, and the last of the others
    ends with the answer.
    """
    waiting = [Stage(WAIT, found, found + _ns(waited))]
    return [*_ending_at(found, BEFORE, seconds), *waiting, *_ending_at(ended, AFTER, seconds)]


def _ending_at(end: int, names: Sequence[str], seconds: Mapping[str, float]) -> list[Stage]:
    found: list[Stage] = []
    for name in reversed([name for name in names if name in seconds]):
        start = end - _ns(seconds[name])
        found.append(Stage(name, start, end))
        end = start
    return found[::-1]


def _ns(seconds: float) -> int:
    return round(seconds * 1e9)
