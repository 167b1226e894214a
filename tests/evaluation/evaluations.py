"""Evaluations built by hand, for the tables and the pictures."""

from rag.evaluation.answer_measures import MEASURES as ANSWER_MEASURES
from rag.evaluation.answer_measures import Beside, Point, Timing
from rag.evaluation.answer_measures import Group as AnswerGroup
from rag.evaluation.answerability import Answerability, SpanMatch
from rag.evaluation.answers_eval import AnswerEvaluation
from rag.evaluation.judge_eval import JudgeEvaluation, Reranking, Speed, Support
from rag.evaluation.measures import MEASURES, Bin, Estimate, Verdicts
from rag.evaluation.outcomes import Run
from rag.evaluation.retrieval_eval import Evaluation, Group

HALF, MOST, GAIN = Estimate(0.5, 0.4, 0.6), Estimate(0.9, 0.85, 0.95), Estimate(0.4, 0.3, 0.5)
CURVE = (Bin(0.1, 0.0, 3), Bin(0.9, 1.0, 2))
VERDICTS = Verdicts("all", 5, 2, MOST, HALF, Estimate(0.1, 0.05, 0.15), CURVE)

RETRIEVAL = Evaluation(
    passages=3,
    questions=2,
    left_out=4,
    groups=(
        Group(
            "all",
            2,
            {
                "dense": dict.fromkeys(MEASURES, HALF),
                "lexical": dict.fromkeys(MEASURES, HALF),
                "hybrid": dict.fromkeys(MEASURES, MOST),
            },
            dict.fromkeys(MEASURES, GAIN),
        ),
    ),
    milliseconds={"dense": 1.25, "lexical": 2.0, "hybrid": 3.04},
)
RERANKING = {"recall@1": HALF, "nDCG@10": HALF}
JUDGE = JudgeEvaluation(
    judge="fake",
    passages=9,
    questions=3,
    unanswerable=2,
    claims=2,
    uncited=7,
    answers=Answerability(("paired", "pool"), (VERDICTS, Verdicts("en", 1, 1, None, None, HALF, CURVE[:1]))),
    spans=(SpanMatch("all", 2, HALF, MOST),),
    reranking=(Reranking("all", 3, RERANKING, {"recall@1": MOST, "nDCG@10": MOST}, {"recall@1": GAIN, "nDCG@10": GAIN}),),
    support=(Support(VERDICTS, HALF),),
    milliseconds=Speed(12.34, 99.9, 8),
    left_out=(),
)


def _group(value: Estimate, seconds: dict[str, Timing]) -> AnswerGroup:
    measures = {**dict.fromkeys(ANSWER_MEASURES, value), "evidence recall": None}
    return AnswerGroup("all", 2, 1, measures, seconds)


PRODUCT = _group(MOST, {"found": Timing(3, HALF, 0.25, 0.75), "whole": Timing(2, MOST, 1.0, 2.5)})
PLAIN = _group(HALF, {"token": Timing(3, MOST, 1.0, 2.0), "whole": Timing(3, MOST, 1.0, 2.0)})
ANSWERS = AnswerEvaluation(
    run=Run("", "", "", "", "j" * 64, "llm", "", {}),
    passages=4,
    left_out=5,
    threshold=0.35,
    groups=(PRODUCT,),
    curve=tuple(Point(step / 100, None if step < 50 else 0.75, step / 100, 0.25) for step in range(101)),
    plain=(Beside(PLAIN, PRODUCT, dict.fromkeys(ANSWER_MEASURES, GAIN)),),
)
