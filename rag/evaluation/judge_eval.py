"""How good a judge is: which passages answer, with which words, in which order, which claims are supported, and how fast.

Knows nothing of engines or indexes: it is handed a `Judge`, a `SupportCheck` and a `Finder`.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from statistics import median

from rag.evaluation import answerability, reranking, support
from rag.evaluation.answerability import Answerability, Asked, SpanMatch
from rag.evaluation.dataset import JudgeData, JudgedQuestion
from rag.evaluation.reranking import DEPTH, Finder, FoundPassage, Reranking
from rag.evaluation.support import Support
from rag.types import Judge, Judgement, SupportCheck

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
    reranked = reranking.rerank(questions, found, reranker, told) if questions else []
    asked, negatives = answerability.asked(data, retrieved)
    judgements = list(_judged(asked, reader, told))
    marks = answerability.marks(judgements)
    spans = answerability.measure_spans(asked, judgements) if marks else ()
    passages = {passage.id: passage.text for passage in data.retrieval.passages}
    supported = support.measure(data.claims, passages, check, told) if data.claims and check else ()
    return JudgeEvaluation(
        judge=name,
        passages=len(passages),
        questions=len(questions),
        unanswerable=len(data.unanswerable),
        claims=len(data.claims or ()),
        uncited=data.uncited,
        answers=Answerability(negatives, answerability.measure(asked, judgements)),
        spans=spans,
        reranking=reranking.measure(questions, retrieved, reranked) if questions else (),
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
