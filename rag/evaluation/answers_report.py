"""An evaluation of answers as tables to read. Pure."""

from collections.abc import Iterator

from rag.evaluation.abstention import Point
from rag.evaluation.answer_measures import EVENTS, MEASURES, Beside, Group, Timing
from rag.evaluation.answers import AnswerEvaluation
from rag.evaluation.report import row, shown

_FIRST = 24
# Of the curve, every so many-th point is shown.
_EVERY = 10
# What labels cannot be measured by: they quote no words, and nothing of what is written is dropped.
_OF_THE_PRODUCT = ("citations verified", "sentences dropped", "gold passage found")


def table(evaluation: AnswerEvaluation) -> str:
    """Measures, seconds and what other thresholds would do, with 95 % intervals; last the plain way beside it."""
    everyone, run = evaluation.groups[0], evaluation.run
    counts = f"{everyone.answerable} answerable questions, {everyone.unanswerable} others, {evaluation.passages} passages"
    left_out = f", {evaluation.left_out} questions that cannot stand alone left out" if evaluation.left_out else ""
    lines = [counts + left_out, f"llm {run.llm[:12]}, judge {run.judge[:12]}, refusing under {evaluation.threshold}"]
    for group in evaluation.groups:
        lines += ["", *_group(group)]
    lines += ["", *_curve(evaluation)]
    for beside in evaluation.plain:
        lines += ["", *_beside(beside)]
    return "\n".join(lines)


def _group(group: Group) -> Iterator[str]:
    yield f"{group.language} ({group.answerable} answerable, {group.unanswerable} others)"
    yield from (_row(name, shown(group.measures[name])) for name in MEASURES)
    yield _row("seconds until", "median", "middle 80 %", "answers")
    yield from (_row(f"  {event}", *_timing(group.seconds[event])) for event in EVENTS if event in group.seconds)


def _timing(timing: Timing) -> tuple[str, ...]:
    return shown(timing.median), f"{timing.tenth:.2f} to {timing.ninetieth:.2f}", str(timing.count)


def _curve(evaluation: AnswerEvaluation) -> Iterator[str]:
    """A line for every tenth threshold, over all languages."""
    yield _row("refusing under", "precision", "recall", "answerable refused")
    yield from (_row(f"  {point.threshold:.1f}", *_shares(point)) for point in evaluation.curve[::_EVERY])


def _shares(point: Point) -> tuple[str, ...]:
    shares = (point.precision, point.recall, point.answerable_refused)
    return tuple("-" if share is None else f"{share:.3f}" for share in shares)


def _beside(beside: Beside) -> Iterator[str]:
    plain, product = beside.plain, beside.rag
    name = f"{product.language} ({product.answerable} + {product.unanswerable})"
    yield _row(name, "the plain way", "rag on the same", "rag - plain")
    for measure in (name for name in MEASURES if name not in _OF_THE_PRODUCT):
        gain = shown(beside.gain[measure], signed=True)
        yield _row(measure, shown(plain.measures[measure]), shown(product.measures[measure]), gain)
    for event in (event for event in EVENTS if event in plain.seconds):
        medians = (group.seconds[event].median if event in group.seconds else None for group in (plain, product))
        yield _row(f"seconds until {event}", *map(shown, medians))


def _row(name: str, *cells: str) -> str:
    return row(name, cells, _FIRST)
