"""An evaluation as a table to read. Pure."""

from collections.abc import Mapping

from rag.evaluation.metrics import MEASURES, Estimate
from rag.evaluation.retrieval import MODES, Evaluation, Group

_FIRST = 16
_CELL = 24


def table(evaluation: Evaluation) -> str:
    """Means with 95 % intervals: a block a language, a line a mode, and last what hybrid gains over dense."""
    left_out = f", {evaluation.left_out} questions without an answering passage left out" if evaluation.left_out else ""
    lines = [f"{evaluation.questions} questions, {evaluation.passages} passages{left_out}"]
    for group in evaluation.groups:
        lines += ["", *_block(group)]
    times = ", ".join(f"{mode} {evaluation.milliseconds[mode]:.1f}" for mode in MODES)
    return "\n".join([*lines, "", f"milliseconds a question (median): {times}"])


def _block(group: Group) -> list[str]:
    heading = f"{group.language} ({group.questions})"
    return [
        heading.ljust(_FIRST) + "".join(name.ljust(_CELL) for name in MEASURES).rstrip(),
        *(_line(mode, group.modes[mode], "{:.3f} [{:.3f}, {:.3f}]") for mode in MODES),
        _line("hybrid - dense", group.gain, "{:+.3f} [{:+.3f}, {:+.3f}]"),
    ]


def _line(name: str, measures: Mapping[str, Estimate], form: str) -> str:
    cells = (form.format(measures[m].mean, measures[m].low, measures[m].high).ljust(_CELL) for m in MEASURES)
    return (name.ljust(_FIRST) + "".join(cells)).rstrip()
