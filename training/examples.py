"""What the judge learns from: questions with passages and claims with evidence. Values only."""

from collections.abc import Sequence
from dataclasses import dataclass

from rag.types import Span


@dataclass(frozen=True, slots=True)
class Asked:
    """A question and a passage. `answers` are ranges of the passage; without any, the passage does not answer.

    None: it answers, and nobody said with which words.
    """

    source: str
    question: str
    passage: str
    answers: tuple[Span, ...] | None


@dataclass(frozen=True, slots=True)
class Claimed:
    """A claim, its evidence, and whether that supports it."""

    source: str
    claim: str
    evidence: str
    supported: bool


Example = Asked | Claimed


def located(text: str, answer: str, start: int) -> Span | None:
    """Where the answer stands: at `start`, else at the nearest place that has these words; None where no place does.

    Some offsets of public sets are wrong (11 of 5,044 in idkmrc.train).
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
