"""An evaluation as a table to read. Pure."""

from collections.abc import Iterable

from rag.evaluation.measures import MEASURES, Estimate
from rag.evaluation.retrieval_eval import MODES, Evaluation, Group

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


def row(name: str, cells: Iterable[str], first: int = _FIRST) -> str:
    """A line of the table: what it is about, in `first` characters, then its cells."""
    return (name.ljust(first) + "".join(cell.ljust(_CELL) for cell in cells)).rstrip()


def shown(value: Estimate | None, *, signed: bool = False) -> str:
    """A number with its interval; a dash where it is not defined."""
    form = "{:+.3f} [{:+.3f}, {:+.3f}]" if signed else "{:.3f} [{:.3f}, {:.3f}]"
    return form.format(value.value, value.low, value.high) if value else "-"


def _block(group: Group) -> list[str]:
    return [
        row(f"{group.language} ({group.questions})", MEASURES),
        *(row(mode, (shown(group.modes[mode][measure]) for measure in MEASURES)) for mode in MODES),
        row("hybrid - dense", (shown(group.gain[measure], signed=True) for measure in MEASURES)),
    ]
