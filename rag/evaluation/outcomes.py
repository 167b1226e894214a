"""What became of a question that was asked: values without behaviour, written as a line of JSON and read again."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from rag.evaluation.dataset import JudgedQuestion

# The product's way, and the plain one that it is compared with.
Way = Literal["rag", "plain"]
WAYS: tuple[Way, ...] = ("rag", "plain")


@dataclass(frozen=True, slots=True)
class Place:
    """The half-open range [start, end) of the text of the corpus' passage of this id."""

    passage: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Cited:
    """What a citation names: nothing that was shown where `place` is None.

    `verified` says whether its words stand there in the stored original; None for a label, which quotes no words.
    """

    place: Place | None
    verified: bool | None


@dataclass(frozen=True, slots=True)
class Seconds:
    """From the question to the passages found, the words marked, the first token, and the end; None for what did not come."""

    found: float | None
    marked: float | None
    token: float | None
    whole: float


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one way made of the question of this id.

    `text` has no markers and is empty where it refused, `language` is that of the text, `found` are the chunks that were
    retrieved, best first, and `citations` stand in the order of the text. `confidence` is None for a way that has none.
    `dropped` counts sentences that were written and not shown, of `written`. `cut` is whether the model was stopped before it
    had ended, None in a ledger that is older than that question.
    """

    question: str
    answered: bool
    text: str
    language: str
    confidence: float | None
    found: tuple[Place, ...]
    citations: tuple[Cited, ...]
    written: int
    dropped: int
    seconds: Seconds
    cut: bool | None = None

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> "Outcome":
        """From what `dataclasses.asdict` made of one. Raises KeyError or TypeError for anything else."""
        cited = (Cited(Place(**one["place"]) if one["place"] else None, one["verified"]) for one in row["citations"])
        found = tuple(Place(**place) for place in row["found"])
        return cls(**{**row, "found": found, "citations": tuple(cited), "seconds": Seconds(**row["seconds"])})


@dataclass(frozen=True, slots=True)
class Asked:
    """A question with what became of it; `evidence` is where people's evidence stands in the passages that answer it."""

    question: JudgedQuestion
    answerable: bool
    evidence: tuple[Place, ...]
    outcome: Outcome


def evidence_of(question: JudgedQuestion, passages: Mapping[str, str]) -> tuple[Place, ...]:
    """Where each sentence of evidence first stands in a passage that answers; those that stand nowhere are left out."""
    places = []
    for sentence in question.evidence:
        standing = ((one, passages[one].find(sentence)) for one in question.relevant)
        places += [Place(one, at, at + len(sentence)) for one, at in standing if at >= 0][:1]
    return tuple(places)
