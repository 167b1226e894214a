"""Does a passage answer the question, and with which words: a judge against people's verdicts, on whole passages.

A question's passages are one that answers it, or those that people found not to. Where a data set has none of the latter, the
best passage of retrieval that is not known to answer stands for them: it may answer all the same.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from rag.evaluation import matching
from rag.evaluation.dataset import CorpusPassage, JudgeData, JudgedQuestion
from rag.evaluation.measures import Estimate, by_language, estimate
from rag.evaluation.probabilities import Verdicts, verdicts
from rag.types import Judgement

Negatives = Literal["paired", "pool", "retrieved"]


@dataclass(frozen=True, slots=True)
class Asked:
    """A question with passages to judge, of which the first answers where `answerable`, and no other does."""

    question: JudgedQuestion
    passages: tuple[CorpusPassage, ...]
    answerable: bool


@dataclass(frozen=True, slots=True)
class Answerability:
    """Confidences against labels, over all and by language; `negatives` says where the passages that do not answer are from."""

    negatives: tuple[Negatives, ...]
    groups: tuple[Verdicts, ...]


@dataclass(frozen=True, slots=True)
class SpanMatch:
    """Marked words against people's answers, over the questions of a language whose answer stands in their passage."""

    language: str
    questions: int
    exact_match: Estimate
    f1: Estimate


def asked(data: JudgeData, found: Sequence[Sequence[str]]) -> tuple[list[Asked], tuple[Negatives, ...]]:
    """What is judged, and where the negatives are from. `found` has ids for each answerable question, best first."""
    passages = {passage.id: passage for passage in data.retrieval.passages}
    rejected = [(question, question.paired or question.pool) for question in data.unanswerable]
    refused = [Asked(question, tuple(passages[one] for one in ids), answerable=False) for question, ids in rejected if ids]
    kinds: list[Negatives] = sorted({"paired" if one.question.paired else "pool" for one in refused})
    answerable = []
    for question, ids in zip(data.retrieval.questions, found, strict=True):
        best = [one for one in ids if one not in question.relevant][:1] if not refused else []
        answerable.append(Asked(question, tuple(passages[one] for one in (question.relevant[0], *best)), answerable=True))
    return [*answerable, *refused], tuple(kinds) or ("retrieved",)


def measure(asked: Sequence[Asked], judgements: Sequence[Sequence[Judgement]]) -> tuple[Verdicts, ...]:
    """How well and how truly confidences say which passages answer. `judgements` has those of each question's passages."""
    labels = np.array([one.answerable and not place for one in asked for place in range(len(one.passages))])
    confidences = np.array([judgement.confidence for judged in judgements for judgement in judged])
    questions = [one.question for one in asked for _ in one.passages]
    return tuple(
        verdicts(language, labels[rows], confidences[rows], [questions[row].id for row in rows])
        for language, rows in by_language([question.language for question in questions])
    )


def marks(judgements: Sequence[Sequence[Judgement]]) -> bool:
    """Whether the judge marks words at all."""
    return any(judgement.span for judged in judgements for judgement in judged)


def measure_spans(asked: Sequence[Asked], judgements: Sequence[Sequence[Judgement]]) -> tuple[SpanMatch, ...]:
    """How well the marked words match, on the questions whose answer stands in their passage; empty where there are none."""
    verbatim = [(one, judged[0]) for one, judged in zip(asked, judgements, strict=True) if _stands(one)]
    if not verbatim:
        return ()
    values = {"exact": np.zeros(len(verbatim)), "f1": np.zeros(len(verbatim))}
    for row, (one, judgement) in enumerate(verbatim):
        span, question = judgement.span, one.question
        marked = one.passages[0].text[span.start : span.end] if span else ""
        values["exact"][row] = matching.exact(marked, question.answers)
        values["f1"][row] = matching.f1(marked, question.answers, question.language)
    groups = by_language([one.question.language for one, _ in verbatim])
    return tuple(_span_match(language, rows, values) for language, rows in groups)


def _stands(one: Asked) -> bool:
    """Whether an answer stands, word for word, in the passage that answers."""
    return one.answerable and any(answer.strip() and answer in one.passages[0].text for answer in one.question.answers)


def _span_match(language: str, rows: NDArray[np.intp], values: Mapping[str, NDArray[np.float64]]) -> SpanMatch:
    return SpanMatch(language, len(rows), estimate(values["exact"][rows]), estimate(values["f1"][rows]))
