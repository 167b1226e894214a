"""What a judge makes of retrieval's order: the best chunks of the best passages, judged as for an answer and ordered anew.

Knows nothing of engines or indexes: it is handed what was found.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from rag.evaluation.dataset import JudgedQuestion
from rag.evaluation.measures import Estimate, by_language, estimate, per_question
from rag.judging import scoring
from rag.types import Judge

# Passages that are judged.
DEPTH = 10
RERANK_MEASURES = ("recall@1", "nDCG@10")


@dataclass(frozen=True, slots=True)
class FoundPassage:
    """A passage that retrieval found: its id, the text of its best chunk, and that chunk's score."""

    id: str
    text: str
    score: float


class Finder(Protocol):
    """Finds passages of the corpus, with what a judge is to read of them."""

    def find(self, question: str, count: int) -> Sequence[FoundPassage]:
        """At most `count` passages, best first, each once."""


@dataclass(frozen=True, slots=True)
class Reranking:
    """The questions of one language, or all: measures of both orders, and what judging gains, question by question."""

    language: str
    questions: int
    retrieval: Mapping[str, Estimate]
    reranked: Mapping[str, Estimate]
    gain: Mapping[str, Estimate]


def rerank(
    questions: Sequence[JudgedQuestion],
    found: Sequence[Sequence[FoundPassage]],
    judge: Judge,
    told: Callable[[int, int], None],
) -> list[list[str]]:
    """For each question the ids of what was found, ordered anew. `told` hears how many of how many questions are done."""
    orders = []
    for done, (question, passages) in enumerate(zip(questions, found, strict=True)):
        told(done, len(questions))
        judgements = judge.judge(question.text, [passage.text for passage in passages])
        confidences = [judgement.confidence for judgement in judgements]
        orders.append([passages[i].id for i in scoring.order(confidences, [passage.score for passage in passages])])
    told(len(questions), len(questions))
    return orders


def measure(
    questions: Sequence[JudgedQuestion], retrieved: Sequence[Sequence[str]], reranked: Sequence[Sequence[str]]
) -> tuple[Reranking, ...]:
    """Both orders side by side."""
    relevant = [question.relevant for question in questions]
    before, after = per_question(retrieved, relevant), per_question(reranked, relevant)
    groups = by_language([question.language for question in questions])
    return tuple(_group(language, rows, before, after) for language, rows in groups)


_Values = Mapping[str, NDArray[np.float64]]


def _group(language: str, rows: NDArray[np.intp], before: _Values, after: _Values) -> Reranking:
    return Reranking(
        language,
        len(rows),
        {name: estimate(before[name][rows]) for name in RERANK_MEASURES},
        {name: estimate(after[name][rows]) for name in RERANK_MEASURES},
        {name: estimate(after[name][rows] - before[name][rows]) for name in RERANK_MEASURES},
    )
