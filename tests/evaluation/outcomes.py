"""Builders of questions with outcomes."""

from rag.evaluation.dataset import JudgedQuestion
from rag.evaluation.outcomes import Asked, Cited, Outcome, Place, Seconds


def cited(passage: str | None, start: int = 0, end: int = 10, *, verified: bool | None = True) -> Cited:
    return Cited(Place(passage, start, end) if passage else None, verified)


def asked(
    identity: str = "1",
    said: str | None = "Harga naik pada 2020.",
    *citations: Cited,
    language: str = "id",
    answers: tuple[str, ...] = ("2020",),
    relevant: tuple[str, ...] = ("rice",),
    answerable: bool = True,
    evidence: tuple[Place, ...] = (),
    spoken: str | None = None,
    confidence: float | None = 0.9,
    found: tuple[str, ...] = ("rice", "sugar"),
    sentences: tuple[int, int] = (1, 0),
    seconds: Seconds | None = None,
    cut: bool | None = False,
) -> Asked:
    """An answer with the text `said`, or a refusal for None; `sentences` are the numbers written and dropped."""
    written, dropped = sentences
    outcome = Outcome(
        question=identity,
        answered=said is not None,
        text=said or "",
        language=spoken or language,
        confidence=confidence,
        found=tuple(Place(passage, 0, 20) for passage in found),
        citations=citations,
        written=written,
        dropped=dropped,
        seconds=seconds or Seconds(0.1, None, 1.0, 2.0),
        cut=cut,
    )
    question = JudgedQuestion(
        identity, "kapan", language, relevant if answerable else (), answers if answerable else (), evidence=()
    )
    return Asked(question, answerable, evidence, outcome)


def unanswerable(identity: str = "0", said: str | None = None, *citations: Cited, confidence: float | None = 0.1) -> Asked:
    return asked(identity, said, *citations, answerable=False, confidence=confidence)
