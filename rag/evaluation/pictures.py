"""Curves of an evaluation as PNG files. The only importer of matplotlib, which is optional (`rag[evaluation]`)."""

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from rag.errors import QuestionError
from rag.evaluation.answers_eval import AnswerEvaluation
from rag.evaluation.judge_eval import JudgeEvaluation
from rag.evaluation.measures import Verdicts
from rag.files import storage_errors

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_INCHES = (4.5, 5.5)
_BAR = 0.02


def require() -> None:
    """Raises QuestionError if matplotlib is not installed. To be called before anything is measured."""
    if find_spec("matplotlib") is None:
        raise QuestionError("pictures need matplotlib", "run pip install 'rag[evaluation]'")


def draw(evaluation: JudgeEvaluation, folder: Path) -> list[Path]:
    """Draw `answers.png` and, if support was measured, `supports.png`, over all languages. Raises StorageError."""
    curves = {"answers": evaluation.answers.groups[0]}
    if evaluation.support:
        curves["supports"] = evaluation.support[0].verdicts
    with storage_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        return [_reliability(folder / f"{name}.png", name, verdicts) for name, verdicts in curves.items()]


def draw_abstention(evaluation: AnswerEvaluation, folder: Path) -> Path:
    """Draw `abstention.png`: precision and recall of refusing for every threshold, over all languages. Raises StorageError."""
    figure = _figure()
    above, below = figure.subplots(2, 1)
    rated = [(one.recall, one.precision) for one in evaluation.curve if one.recall is not None and one.precision is not None]
    above.plot([recall for recall, _ in rated], [precision for _, precision in rated], marker=".", clip_on=False)
    above.set(xlim=(0, 1), ylim=(0, 1), xlabel="recall of refusing", ylabel="precision of refusing")
    above.set_title(f"refusing, {evaluation.groups[0].answerable} answerable and {evaluation.groups[0].unanswerable} others")
    thresholds = [one.threshold for one in evaluation.curve]
    for name, shares in (
        ("others", [one.recall for one in evaluation.curve]),
        ("answerable", [one.answerable_refused for one in evaluation.curve]),
    ):
        if None not in shares:
            below.plot(thresholds, shares, label=f"{name} refused")
    below.axvline(evaluation.threshold, linestyle="--", color="grey", label="the threshold in use")
    below.set(xlim=(0, 1), ylim=(0, 1), xlabel="confidence threshold", ylabel="share")
    below.legend()
    with storage_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        return _saved(figure, folder / "abstention.png")


def _figure() -> "Figure":
    from matplotlib.figure import Figure

    return Figure(figsize=_INCHES, layout="constrained")


def _saved(figure: "Figure", path: Path) -> Path:
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    FigureCanvasAgg(figure)
    figure.savefig(path)
    return path


def _reliability(path: Path, name: str, verdicts: Verdicts) -> Path:
    """Draw the share of positives against confidence: on the diagonal the confidences are calibrated."""
    figure = _figure()
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    _curve(above, name, verdicts)
    below.bar([one.confidence for one in verdicts.curve], [one.count for one in verdicts.curve], width=_BAR)
    below.set_xlabel("confidence")
    below.set_ylabel("pairs")
    return _saved(figure, path)


def _curve(axes: "Axes", name: str, verdicts: Verdicts) -> None:
    axes.plot([0, 1], [0, 1], linestyle="--", color="grey")
    axes.plot([one.confidence for one in verdicts.curve], [one.share for one in verdicts.curve], marker="o", clip_on=False)
    axes.set(xlim=(0, 1), ylim=(0, 1), ylabel=f"share that {name}")
    axes.set_title(f"{name}: calibration error {verdicts.calibration_error.value:.3f}, {verdicts.pairs} pairs")
