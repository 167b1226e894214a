"""An evaluation of a judge as tables to read. Pure."""

from collections.abc import Iterator, Sequence

from rag.evaluation.judge_eval import JudgeEvaluation
from rag.evaluation.probabilities import Verdicts
from rag.evaluation.report import row, shown
from rag.evaluation.reranking import DEPTH, RERANK_MEASURES, Reranking

_VERDICTS = ("AUROC", "average precision", "calibration error")
_NEGATIVES = {
    "paired": "passages that look as if they answered",
    "pool": "passages that people found not to answer",
    "retrieved": "the best found passage that is not known to answer",
}


def table(evaluation: JudgeEvaluation) -> str:
    """A block for each part, a line for each language, with 95 % intervals; last what was left out, and why."""
    found, speed = evaluation, evaluation.milliseconds
    counts = f"{found.questions} questions, {found.unanswerable} without an answering passage, {found.passages} passages"
    lines = [f"judge {found.judge}: {counts}"]
    for block in (_answers(found), _spans(found), _reranking(found.reranking), _support(found)):
        if told := list(block):
            lines += ["", *told]
    lines += ["", f"milliseconds (median): a passage {speed.passage:.1f}, a question's {speed.passages} {speed.question:.1f}"]
    return "\n".join(lines + [f"left out: {reason}" for reason in found.left_out])


def _answers(evaluation: JudgeEvaluation) -> Iterator[str]:
    kinds = " and ".join(_NEGATIVES[kind] for kind in evaluation.answers.negatives)
    yield f"answers: does the passage answer the question (negatives: {kinds})"
    yield row("", (*_VERDICTS, "pairs that answer"))
    yield from (row(one.language, _measures(one)) for one in evaluation.answers.groups)
    yield from _curve(evaluation.answers.groups[0], "answers")


def _spans(evaluation: JudgeEvaluation) -> Iterator[str]:
    if evaluation.spans:
        yield "span: the marked words against people's answers, where one stands in the passage"
        yield row("", ("exact match", "token F1", "questions"))
    for one in evaluation.spans:
        yield row(one.language, (shown(one.exact_match), shown(one.f1), str(one.questions)))


def _reranking(groups: Sequence[Reranking]) -> Iterator[str]:
    if groups:
        yield f"re-ranking: the first {DEPTH} of hybrid search, ordered anew"
    for one in groups:
        yield row(f"{one.language} ({one.questions})", RERANK_MEASURES)
        yield row("retrieval", (shown(one.retrieval[name]) for name in RERANK_MEASURES))
        yield row("re-ranked", (shown(one.reranked[name]) for name in RERANK_MEASURES))
        yield row("gain", (shown(one.gain[name], signed=True) for name in RERANK_MEASURES))


def _support(evaluation: JudgeEvaluation) -> Iterator[str]:
    if evaluation.support:
        left_out = f" ({evaluation.uncited} claims that cite nothing left out)" if evaluation.uncited else ""
        yield f"support: does the cited evidence support the claim{left_out}"
        yield row("", (*_VERDICTS, "supported claims", "AUROC of common words"))
    for one in evaluation.support:
        yield row(one.verdicts.language, (*_measures(one.verdicts), shown(one.overlap_auroc)))
    if evaluation.support:
        yield from _curve(evaluation.support[0].verdicts, "supported")


def _measures(one: Verdicts) -> tuple[str, ...]:
    return (
        shown(one.auroc),
        shown(one.average_precision),
        shown(one.calibration_error),
        f"{one.positives} of {one.pairs}",
    )


def _curve(one: Verdicts, positive: str) -> Iterator[str]:
    """The reliability curve, a column for each bin."""
    yield "  confidence    " + "".join(f"{bin_.confidence:7.3f}" for bin_ in one.curve)
    yield f"  {positive:14}" + "".join(f"{bin_.share:7.3f}" for bin_ in one.curve)
    yield "  pairs         " + "".join(f"{bin_.count:7}" for bin_ in one.curve)
