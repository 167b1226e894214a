"""Training examples: questions with passages, and claims with evidence. Values only."""

from collections.abc import Sequence
from dataclasses import dataclass

from rag.types import Span


@dataclass(frozen=True, slots=True)
class Asked:
    """A question and a passage. `answers` are ranges of the passage; without any, the passage does not answer.

    None means that the passage answers, but the words are unknown.
    """

    source: str
    question: str
    passage: str
    answers: tuple[Span, ...] | None


@dataclass(frozen=True, slots=True)
class Claimed:
    """A claim, its evidence, and whether the evidence supports it."""

    source: str
    claim: str
    evidence: str
    supported: bool


Example = Asked | Claimed


def located(text: str, answer: str, start: int) -> Span | None:
    """The range of the answer in the text: at `start`, else the nearest occurrence; None if there is none.

    Some offsets in public data sets are wrong (11 of 5,044 in idkmrc.train).
    """
    answer = answer.strip()
    if not answer:
        return None
    places = _places(text, answer)
    nearest = min(places, key=lambda place: abs(place - start), default=None)
    return None if nearest is None else Span(nearest, nearest + len(answer))


def _places(text: str, answer: str) -> Sequence[int]:
    places, at = [], text.find(answer)
    while at >= 0:
        places.append(at)
        at = text.find(answer, at + 1)
    return places
