"""`rag eval judge`: which passages answer, the marked words, the order after re-ranking, support of claims, and speed.

Knows nothing of engines and indexes: `evaluate` is given a `Judge`, a `SupportCheck` and a `Finder`. Support is also measured
for a baseline that counts common words.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from rag.evaluation import answerability
from rag.evaluation.answerability import Answerability, Asked, SpanMatch
from rag.evaluation.dataset import Claim, JudgeData, JudgedQuestion
from rag.evaluation.measures import Estimate, Verdicts, auroc_with_interval, by_language, estimate, per_question, verdicts
from rag.judging import scoring
from rag.judging.scoring import shared_words
from rag.types import Judge, Judgement, SupportCheck

# Called with the number of items done, and of all, in each part.
Progress = Callable[[int, int], None]
# Passages of a question that are judged.
DEPTH = 10
RERANK_MEASURES = ("recall@1", "nDCG@10")


@dataclass(frozen=True, slots=True)
class FoundPassage:
    """A retrieved passage: its id, and the text and score of its best chunk."""

    id: str
    text: str
    score: float


class Finder(Protocol):
    """Finds passages of a corpus, each with the text that a judge reads."""

    def find(self, question: str, count: int) -> Sequence[FoundPassage]:
        """At most `count` passages, best first, each once."""


@dataclass(frozen=True, slots=True)
class Reranking:
    """Results for the questions of one language, or all: measures of both orders, and the paired gain of re-ranking."""

    language: str
    questions: int
    retrieval: Mapping[str, Estimate]
    reranked: Mapping[str, Estimate]
    gain: Mapping[str, Estimate]


def rerank(
    questions: Sequence[JudgedQuestion],
    found: Sequence[Sequence[FoundPassage]],
    judge: Judge,
    progress: Progress,
) -> list[list[str]]:
    """For each question the ids of the found passages in the judge's order."""
    orders = []
    for done, (question, passages) in enumerate(zip(questions, found, strict=True)):
        progress(done, len(questions))
        judgements = judge.judge(question.text, [passage.text for passage in passages])
        confidences = [judgement.confidence for judgement in judgements]
        orders.append([passages[i].id for i in scoring.order(confidences, [passage.score for passage in passages])])
    progress(len(questions), len(questions))
    return orders


def measure_reranking(
    questions: Sequence[JudgedQuestion], retrieved: Sequence[Sequence[str]], reranked: Sequence[Sequence[str]]
) -> tuple[Reranking, ...]:
    """Measures of both orders, over all questions and by language."""
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


# Claims that are checked between two reports of progress.
_AT_ONCE = 16


@dataclass(frozen=True, slots=True)
class Support:
    """Probabilities of support against labels; `overlap_auroc` is the AUROC of the baseline that counts common words."""

    verdicts: Verdicts
    overlap_auroc: Estimate | None


def measure_support(
    claims: Sequence[Claim], passages: Mapping[str, str], check: SupportCheck, progress: Progress
) -> tuple[Support, ...]:
    """Check each claim against the passages that it cites."""
    pairs = [(claim.text, "\n\n".join(passages[one] for one in claim.cited)) for claim in claims]
    supported: list[float] = []
    for at in range(0, len(pairs), _AT_ONCE):
        progress(at, len(pairs))
        supported += check.supports(pairs[at : at + _AT_ONCE])
    progress(len(pairs), len(pairs))
    labels = np.array([claim.attributable for claim in claims])
    confidences = np.array(supported)
    common = np.array([shared_words(*pair, claim.language) for pair, claim in zip(pairs, claims, strict=True)])
    questions = np.array([claim.question for claim in claims])
    return tuple(
        Support(
            verdicts(language, labels[rows], confidences[rows], questions[rows].tolist()),
            auroc_with_interval(labels[rows], common[rows], questions[rows].tolist()),
        )
        for language, rows in by_language([claim.language for claim in claims])
    )


@dataclass(frozen=True, slots=True)
class Speed:
    """Median milliseconds for a passage, and for all passages of a question. `passages` is the most that a question has."""

    passage: float
    question: float
    passages: int


@dataclass(frozen=True, slots=True)
class JudgeEvaluation:
    """Each part over all questions and by language. A part that was left out is empty, and `left_out` has the reason."""

    judge: str
    passages: int
    questions: int
    unanswerable: int
    claims: int
    uncited: int
    answers: Answerability
    spans: tuple[SpanMatch, ...]
    reranking: tuple[Reranking, ...]
    support: tuple[Support, ...]
    milliseconds: Speed
    left_out: tuple[str, ...]


class _TimedJudge:
    """A `Judge` that reads all passages at once, and records their number and the seconds."""

    def __init__(self, judge: Judge) -> None:
        self._judge, self.certain = judge, judge.certain
        self.laps: list[tuple[int, float]] = []

    def judge(self, question: str, passages: Sequence[str]) -> Iterator[Judgement]:
        start = time.perf_counter()
        judgements = list(self._judge.judge(question, passages))
        if passages:
            self.laps.append((len(passages), time.perf_counter() - start))
        return iter(judgements)

    def speed(self) -> Speed:
        passage = median(seconds / count for count, seconds in self.laps)
        question = median(seconds for _, seconds in self.laps)
        return Speed(round(1000 * passage, 2), round(1000 * question, 2), max(count for count, _ in self.laps))


def evaluate(
    data: JudgeData,
    judge: Judge,
    check: SupportCheck | None,
    finder: Finder | None,
    *,
    name: str,
    progress: Progress = lambda _done, _total: None,
) -> JudgeEvaluation:
    """Measure the judge called `name`. `finder` may be None if no question is answerable: then there is nothing to re-rank."""
    questions = data.retrieval.questions
    found = list(_found(questions, finder, progress)) if finder else []
    reranker, reader = _TimedJudge(judge), _TimedJudge(judge)
    retrieved = [[passage.id for passage in passages] for passages in found]
    reranked = rerank(questions, found, reranker, progress) if questions else []
    asked, negatives = answerability.asked(data, retrieved)
    judgements = list(_judged(asked, reader, progress))
    marks = answerability.marks(judgements)
    spans = answerability.measure_spans(asked, judgements) if marks else ()
    passages = {passage.id: passage.text for passage in data.retrieval.passages}
    supported = measure_support(data.claims, passages, check, progress) if data.claims and check else ()
    return JudgeEvaluation(
        judge=name,
        passages=len(passages),
        questions=len(questions),
        unanswerable=len(data.unanswerable),
        claims=len(data.claims or ()),
        uncited=data.uncited,
        answers=Answerability(negatives, answerability.measure(asked, judgements)),
        spans=spans,
        reranking=measure_reranking(questions, retrieved, reranked) if questions else (),
        support=supported,
        # Chunks as for an answer, if some were judged.
        milliseconds=(reranker if reranker.laps else reader).speed(),
        left_out=tuple(_left_out(data, marks=marks, matched=bool(spans), checks=check is not None)),
    )


def _found(questions: Sequence[JudgedQuestion], finder: Finder, progress: Progress) -> Iterator[Sequence[FoundPassage]]:
    for done, question in enumerate(questions):
        progress(done, len(questions))
        yield finder.find(question.text, DEPTH)
    progress(len(questions), len(questions))


def _judged(asked: Sequence[Asked], judge: Judge, progress: Progress) -> Iterator[list[Judgement]]:
    for done, one in enumerate(asked):
        progress(done, len(asked))
        yield list(judge.judge(one.question.text, [passage.text for passage in one.passages]))
    progress(len(asked), len(asked))


def _left_out(data: JudgeData, *, marks: bool, matched: bool, checks: bool) -> Iterator[str]:
    """The parts that could not be measured, with the reason."""
    if not marks:
        yield "span: this judge marks no answers"
    elif not matched:
        yield "span: no question's answer stands word for word in its passage"
    if not data.retrieval.questions:
        yield "re-ranking: no question has an answering passage"
    if data.claims is None:
        yield "support: no --claims were given"
    elif not checks:
        yield "support: this judge does not check claims"
