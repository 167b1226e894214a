"""What a judge makes of retrieval's order: the best chunks of the best passages, judged as for an answer and ordered anew.

Knows nothing of engines or indexes: it is handed what was found.

Does the cited evidence support a claim: a check against people's verdicts, beside the plain way of counting common words.

How good a judge is: which passages answer, with which words, in which order, which claims are supported, and how fast.

Knows nothing of engines or indexes: it is handed a `Judge`, a `SupportCheck` and a `Finder`.
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


def measure_reranking(
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


# Claims that are checked between two words of progress.
_AT_ONCE = 16


@dataclass(frozen=True, slots=True)
class Support:
    """Probabilities of support against labels, and the area under the ROC curve that counting common words has on them."""

    verdicts: Verdicts
    overlap_auroc: Estimate | None


def measure_support(
    claims: Sequence[Claim], passages: Mapping[str, str], check: SupportCheck, told: Callable[[int, int], None]
) -> tuple[Support, ...]:
    """Check each claim against what it cites. `told` hears how many of how many claims are done."""
    pairs = [(claim.text, "\n\n".join(passages[one] for one in claim.cited)) for claim in claims]
    supported: list[float] = []
    for at in range(0, len(pairs), _AT_ONCE):
        told(at, len(pairs))
        supported += check.supports(pairs[at : at + _AT_ONCE])
    told(len(pairs), len(pairs))
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


Told = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Speed:
    """Median milliseconds for a passage, and for the passages of a question; `passages` is how many a question has, at most."""

    passage: float
    question: float
    passages: int


@dataclass(frozen=True, slots=True)
class JudgeEvaluation:
    """Each part over all and by language; empty where it was left out, and then `left_out` says why."""

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
    """A `Judge` that reads all passages at once, and remembers how many they were and the seconds it took."""

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
    told: Told = lambda _done, _total: None,
) -> JudgeEvaluation:
    """Measure the judge of this name. `finder` may lack where no question has an answering passage: nothing is looked for.

    `told` hears how many of how many questions, and then claims, of a part are done.
    """
    questions = data.retrieval.questions
    found = list(_found(questions, finder, told)) if finder else []
    reranker, reader = _TimedJudge(judge), _TimedJudge(judge)
    retrieved = [[passage.id for passage in passages] for passages in found]
    reranked = rerank(questions, found, reranker, told) if questions else []
    asked, negatives = answerability.asked(data, retrieved)
    judgements = list(_judged(asked, reader, told))
    marks = answerability.marks(judgements)
    spans = answerability.measure_spans(asked, judgements) if marks else ()
    passages = {passage.id: passage.text for passage in data.retrieval.passages}
    supported = measure_support(data.claims, passages, check, told) if data.claims and check else ()
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
        # As for an answer: chunks, where there were some to judge.
        milliseconds=(reranker if reranker.laps else reader).speed(),
        left_out=tuple(_left_out(data, marks=marks, matched=bool(spans), checks=check is not None)),
    )


def _found(questions: Sequence[JudgedQuestion], finder: Finder, told: Told) -> Iterator[Sequence[FoundPassage]]:
    for done, question in enumerate(questions):
        told(done, len(questions))
        yield finder.find(question.text, DEPTH)
    told(len(questions), len(questions))


def _judged(asked: Sequence[Asked], judge: Judge, told: Told) -> Iterator[list[Judgement]]:
    for done, one in enumerate(asked):
        told(done, len(asked))
        yield list(judge.judge(one.question.text, [passage.text for passage in one.passages]))
    told(len(asked), len(asked))


def _left_out(data: JudgeData, *, marks: bool, matched: bool, checks: bool) -> Iterator[str]:
    """The parts that there is nothing to say of, and why."""
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
