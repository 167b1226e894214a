"""Evaluations as tables of text: one function for each kind of `rag eval`. Pure."""

from collections.abc import Iterable, Iterator, Sequence

from rag.evaluation.answer_measures import EVENTS, Beside, Point, Timing
from rag.evaluation.answer_measures import MEASURES as ANSWER_MEASURES
from rag.evaluation.answer_measures import Group as AnswerGroup
from rag.evaluation.answers_eval import AnswerEvaluation
from rag.evaluation.judge_eval import DEPTH, RERANK_MEASURES, JudgeEvaluation, Reranking
from rag.evaluation.measures import MEASURES, Estimate, Verdicts
from rag.evaluation.retrieval_eval import MODES, Evaluation, Group

_FIRST = 16
_CELL = 24


def retrieval_table(evaluation: Evaluation) -> str:
    """Means with 95 % intervals: a block for each language, with a line for each mode and the gain of hybrid over dense."""
    left_out = f", {evaluation.left_out} questions without an answering passage left out" if evaluation.left_out else ""
    lines = [f"{evaluation.questions} questions, {evaluation.passages} passages{left_out}"]
    for group in evaluation.groups:
        lines += ["", *_retrieval_block(group)]
    times = ", ".join(f"{mode} {evaluation.milliseconds[mode]:.1f}" for mode in MODES)
    return "\n".join([*lines, "", f"milliseconds a question (median): {times}"])


def row(name: str, cells: Iterable[str], first: int = _FIRST) -> str:
    """A line of a table: its name, padded to `first` characters, then its cells."""
    return (name.ljust(first) + "".join(cell.ljust(_CELL) for cell in cells)).rstrip()


def shown(value: Estimate | None, *, signed: bool = False) -> str:
    """A number with its interval; a dash if it is undefined."""
    form = "{:+.3f} [{:+.3f}, {:+.3f}]" if signed else "{:.3f} [{:.3f}, {:.3f}]"
    return form.format(value.value, value.low, value.high) if value else "-"


def _retrieval_block(group: Group) -> list[str]:
    return [
        row(f"{group.language} ({group.questions})", MEASURES),
        *(row(mode, (shown(group.modes[mode][measure]) for measure in MEASURES)) for mode in MODES),
        row("hybrid - dense", (shown(group.gain[measure], signed=True) for measure in MEASURES)),
    ]


_VERDICTS = ("AUROC", "average precision", "calibration error")
_NEGATIVES = {
    "paired": "passages that look as if they answered",
    "pool": "passages that people found not to answer",
    "retrieved": "the best found passage that is not known to answer",
}


def judge_table(evaluation: JudgeEvaluation) -> str:
    """A block for each part, with a line for each language and 95 % intervals; last the parts left out, and why."""
    found, speed = evaluation, evaluation.milliseconds
    counts = f"{found.questions} questions, {found.unanswerable} without an answering passage, {found.passages} passages"
    lines = [f"judge {found.judge}: {counts}"]
    for block in (_answers_block(found), _spans_block(found), _reranking_block(found.reranking), _support_block(found)):
        if rows := list(block):
            lines += ["", *rows]
    lines += ["", f"milliseconds (median): a passage {speed.passage:.1f}, a question's {speed.passages} {speed.question:.1f}"]
    return "\n".join(lines + [f"left out: {reason}" for reason in found.left_out])


def _answers_block(evaluation: JudgeEvaluation) -> Iterator[str]:
    kinds = " and ".join(_NEGATIVES[kind] for kind in evaluation.answers.negatives)
    yield f"answers: does the passage answer the question (negatives: {kinds})"
    yield row("", (*_VERDICTS, "pairs that answer"))
    yield from (row(one.language, _verdict_cells(one)) for one in evaluation.answers.groups)
    yield from _reliability_rows(evaluation.answers.groups[0], "answers")


def _spans_block(evaluation: JudgeEvaluation) -> Iterator[str]:
    if evaluation.spans:
        yield "span: the marked words against people's answers, where one stands in the passage"
        yield row("", ("exact match", "token F1", "questions"))
    for one in evaluation.spans:
        yield row(one.language, (shown(one.exact_match), shown(one.f1), str(one.questions)))


def _reranking_block(groups: Sequence[Reranking]) -> Iterator[str]:
    if groups:
        yield f"re-ranking: the first {DEPTH} of hybrid search, ordered anew"
    for one in groups:
        yield row(f"{one.language} ({one.questions})", RERANK_MEASURES)
        yield row("retrieval", (shown(one.retrieval[name]) for name in RERANK_MEASURES))
        yield row("re-ranked", (shown(one.reranked[name]) for name in RERANK_MEASURES))
        yield row("gain", (shown(one.gain[name], signed=True) for name in RERANK_MEASURES))


def _support_block(evaluation: JudgeEvaluation) -> Iterator[str]:
    if evaluation.support:
        left_out = f" ({evaluation.uncited} claims that cite nothing left out)" if evaluation.uncited else ""
        yield f"support: does the cited evidence support the claim{left_out}"
        yield row("", (*_VERDICTS, "supported claims", "AUROC of common words"))
    for one in evaluation.support:
        yield row(one.verdicts.language, (*_verdict_cells(one.verdicts), shown(one.overlap_auroc)))
    if evaluation.support:
        yield from _reliability_rows(evaluation.support[0].verdicts, "supported")


def _verdict_cells(one: Verdicts) -> tuple[str, ...]:
    return (
        shown(one.auroc),
        shown(one.average_precision),
        shown(one.calibration_error),
        f"{one.positives} of {one.pairs}",
    )


def _reliability_rows(one: Verdicts, positive: str) -> Iterator[str]:
    """The reliability curve, with a column for each bin."""
    yield "  confidence    " + "".join(f"{bin_.confidence:7.3f}" for bin_ in one.curve)
    yield f"  {positive:14}" + "".join(f"{bin_.share:7.3f}" for bin_ in one.curve)
    yield "  pairs         " + "".join(f"{bin_.count:7}" for bin_ in one.curve)


_FIRST_ANSWERS = 24
# Every tenth point of the curve is shown.
_EVERY = 10
# Measures that the plain way does not have: its labels quote no words, it drops no sentence, and its passages are the
# product's.
_OF_THE_PRODUCT = ("citations verified", "sentences dropped", "gold passage found")


def answers_table(evaluation: AnswerEvaluation) -> str:
    """Measures, seconds and the effect of other thresholds, with 95 % intervals; last the comparison with the plain way."""
    everyone, run = evaluation.groups[0], evaluation.run
    counts = f"{everyone.answerable} answerable questions, {everyone.unanswerable} others, {evaluation.passages} passages"
    left_out = f", {evaluation.left_out} questions that cannot stand alone left out" if evaluation.left_out else ""
    lines = [counts + left_out, f"llm {run.llm[:12]}, judge {run.judge[:12]}, refusing under {evaluation.threshold}"]
    for group in evaluation.groups:
        lines += ["", *_measures_block(group)]
    lines += ["", *_thresholds_block(evaluation)]
    for beside in evaluation.plain:
        lines += ["", *_comparison_block(beside)]
    return "\n".join(lines)


def _measures_block(group: AnswerGroup) -> Iterator[str]:
    yield f"{group.language} ({group.answerable} answerable, {group.unanswerable} others)"
    yield from (_row(name, shown(group.measures[name])) for name in ANSWER_MEASURES)
    yield _row("seconds until", "median", "middle 80 %", "answers")
    yield from (_row(f"  {event}", *_timing_cells(group.seconds[event])) for event in EVENTS if event in group.seconds)


def _timing_cells(timing: Timing) -> tuple[str, ...]:
    return shown(timing.median), f"{timing.tenth:.2f} to {timing.ninetieth:.2f}", str(timing.count)


def _thresholds_block(evaluation: AnswerEvaluation) -> Iterator[str]:
    """A line for each tenth threshold, over all languages."""
    yield _row("refusing under", "precision", "recall", "answerable refused")
    yield from (_row(f"  {point.threshold:.1f}", *_point_cells(point)) for point in evaluation.curve[::_EVERY])


def _point_cells(point: Point) -> tuple[str, ...]:
    shares = (point.precision, point.recall, point.answerable_refused)
    return tuple("-" if share is None else f"{share:.3f}" for share in shares)


def _comparison_block(beside: Beside) -> Iterator[str]:
    plain, product = beside.plain, beside.rag
    name = f"{product.language} ({product.answerable} + {product.unanswerable})"
    yield _row(name, "the plain way", "rag on the same", "rag - plain")
    for measure in (name for name in ANSWER_MEASURES if name not in _OF_THE_PRODUCT):
        gain = shown(beside.gain[measure], signed=True)
        yield _row(measure, shown(plain.measures[measure]), shown(product.measures[measure]), gain)
    for event in (event for event in EVENTS if event in plain.seconds):
        medians = (group.seconds[event].median if event in group.seconds else None for group in (plain, product))
        yield _row(f"seconds until {event}", *map(shown, medians))


def _row(name: str, *cells: str) -> str:
    return row(name, cells, _FIRST_ANSWERS)
