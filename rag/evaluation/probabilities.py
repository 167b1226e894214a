"""What probabilities of yes or no are worth: how well they divide, and whether they are true. Pure.

The only importer of sklearn, which counts area under the ROC curve and average precision, so that numbers compare with those of
other people.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rag.evaluation.measures import Estimate, resampled

# Bins of equal mass (Nguyen and O'Connor 2015): with bins of equal width a sure judge would leave most of them empty.
_BINS = 10


@dataclass(frozen=True, slots=True)
class Bin:
    """Pairs of like confidence: its mean, the share of them whose label is yes, and how many they are."""

    confidence: float
    share: float
    count: int


@dataclass(frozen=True, slots=True)
class Verdicts:
    """Probabilities against labels. `auroc` and `average_precision` are None where all labels are alike."""

    language: str
    pairs: int
    positives: int
    auroc: Estimate | None
    average_precision: Estimate | None
    calibration_error: Estimate
    curve: tuple[Bin, ...]


def verdicts(language: str, labels: NDArray[np.bool_], confidences: NDArray[np.float64], questions: Sequence[str]) -> Verdicts:
    """Measure probabilities (pairs,) against labels (pairs,); `questions` names the one that each pair belongs to."""

    def measures(rows: NDArray[np.intp]) -> NDArray[np.float64]:
        chosen, given = labels[rows], confidences[rows]
        return np.array([auroc(chosen, given), average_precision(chosen, given), calibration_error(chosen, given)])

    area, precision, error = resampled(measures, questions)
    assert error is not None
    return Verdicts(language, len(labels), int(labels.sum()), area, precision, error, tuple(curve(labels, confidences)))


def auroc_with_interval(labels: NDArray[np.bool_], scores: NDArray[np.float64], questions: Sequence[str]) -> Estimate | None:
    """The area under the ROC curve of scores (pairs,) on any scale; None where all labels are alike."""
    (found,) = resampled(lambda rows: np.array([auroc(labels[rows], scores[rows])]), questions)
    return found


def auroc(labels: NDArray[np.bool_], scores: NDArray[np.float64]) -> float:
    """The probability that a pair labelled yes has the higher score of two, ties half; NaN where all labels are alike."""
    if labels.all() or not labels.any():
        return float("nan")
    from sklearn.metrics import auc, roc_curve

    # The same as its `roc_auc_score`, which spends most of its time on looking for more than two classes.
    found: float = auc(*roc_curve(labels, scores)[:2])
    return found


def average_precision(labels: NDArray[np.bool_], scores: NDArray[np.float64]) -> float:
    """The mean precision at each pair labelled yes, in the order of scores; NaN where all labels are alike."""
    if labels.all() or not labels.any():
        return float("nan")
    from sklearn.metrics import average_precision_score

    found: float = average_precision_score(labels, scores)
    return found


def calibration_error(labels: NDArray[np.bool_], confidences: NDArray[np.float64]) -> float:
    """The expected calibration error: how far confidence and share are apart, the mean over pairs of their bins' distance."""
    bins = curve(labels, confidences)
    return sum(one.count * abs(one.confidence - one.share) for one in bins) / len(labels)


def curve(labels: NDArray[np.bool_], confidences: NDArray[np.float64]) -> list[Bin]:
    """The reliability curve over bins of equal mass, by confidence. Equal confidences share one: the order given has no say."""
    ascending = np.sort(confidences)
    # Twice the mean rank of equal ones. By the first of them, a hundred ones would fall into the bin of a zero before them.
    ranks = np.searchsorted(ascending, confidences) + np.searchsorted(ascending, confidences, side="right") - 1
    of = ranks * _BINS // (2 * len(confidences))
    inside = [of == one for one in np.unique(of)]
    return [Bin(float(confidences[one].mean()), float(labels[one].mean()), int(one.sum())) for one in inside]
