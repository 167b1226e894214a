"""Statistics: measures of rankings and of probabilities, with confidence intervals. Pure.

ir-measures (trec_eval) computes the measures of rankings, and scikit-learn AUROC and average precision, so that numbers compare
with those of others. This is the only importer of both. The intervals are our own.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

# The usual names, and those of ir-measures.
MEASURES = {
    "nDCG@10": "nDCG@10",
    "MRR@10": "RR@10",
    "recall@1": "R@1",
    "recall@5": "R@5",
    "recall@10": "R@10",
    "recall@20": "R@20",
}
# Resamples of the bootstrap: with 400 questions the ends of an interval differ by less than 0.001 between seeds.
_RESAMPLES = 2000
_SEED = 20
_OUTSIDE = (2.5, 97.5)


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean over questions, or another statistic, with the ends of its 95 % confidence interval."""

    value: float
    low: float
    high: float


def per_question(rankings: Sequence[Sequence[str]], relevant: Sequence[Collection[str]]) -> Mapping[str, NDArray[np.float64]]:
    """The value of each measure for each question, by name of the measure. A ranking is a list of ids, best first."""
    import ir_measures

    judged = {str(i): dict.fromkeys(ids, 1) for i, ids in enumerate(relevant)}
    # trec_eval sorts by score, and equal scores by id: so the score is our rank.
    run = {str(i): {id_: -float(place) for place, id_ in enumerate(ids)} for i, ids in enumerate(rankings)}
    names = {str(ir_measures.parse_measure(theirs)): ours for ours, theirs in MEASURES.items()}
    values = {name: np.zeros(len(rankings)) for name in MEASURES}
    for metric in ir_measures.iter_calc([ir_measures.parse_measure(name) for name in names], judged, run):
        values[names[str(metric.measure)]][int(metric.query_id)] = metric.value
    return values


def estimate(values: NDArray[np.float64]) -> Estimate:
    """The mean with its percentile-bootstrap interval over questions. For differences of two rankings it is a paired test."""
    rng = np.random.default_rng(_SEED)
    means = np.array([values[rng.integers(0, len(values), len(values))].mean() for _ in range(_RESAMPLES)])
    low, high = np.percentile(means, _OUTSIDE)
    return Estimate(float(values.mean()), float(low), float(high))


def resampled(
    measures: Callable[[NDArray[np.intp]], NDArray[np.float64]],
    clusters: Sequence[str],
    bounds: tuple[float, float] = (0, 1),
) -> list[Estimate | None]:
    """Statistics of rows with percentile-bootstrap intervals over questions, clipped to `bounds`.

    `measures` maps row numbers of shape (rows,) to values of shape (measures,). `clusters` has the question of each row: the
    rows of a question are resampled together, because they are not independent. An undefined value (NaN) is None; resamples in
    which it is undefined do not count.
    """
    _, of = np.unique(np.array(clusters), return_inverse=True)
    rows, questions = np.arange(len(of)), int(of.max()) + 1
    whole = measures(rows)
    rng = np.random.default_rng(_SEED)
    values = np.full((_RESAMPLES, len(whole)), np.nan)
    for draw in range(len(values)):
        times = np.bincount(rng.integers(0, questions, questions), minlength=questions)
        values[draw] = measures(np.repeat(rows, times[of]))
    return [_around(value, values[:, i], bounds) for i, value in enumerate(whole.tolist())]


def _around(value: float, values: NDArray[np.float64], bounds: tuple[float, float]) -> Estimate | None:
    """The interval without the bias of resampling: rows drawn twice repeat their noise, which raises a calibration error."""
    defined = values[~np.isnan(values)]
    if np.isnan(value) or not len(defined):
        return None
    low, high = np.clip(np.percentile(defined, _OUTSIDE) - defined.mean() + value, *bounds)
    return Estimate(value, float(low), float(high))


def by_language(spoken: Sequence[str]) -> list[tuple[str, NDArray[np.intp]]]:
    """The row numbers of all rows, called "all", then those of each language if there are several."""
    languages, of = np.array(spoken), sorted(set(spoken))
    apart = [(language, np.flatnonzero(languages == language)) for language in of] if len(of) > 1 else []
    return [("all", np.arange(len(spoken))), *apart]


# Bins of equal mass (Nguyen and O'Connor 2015): with bins of equal width a confident judge would leave most of them empty.
_BINS = 10


@dataclass(frozen=True, slots=True)
class Bin:
    """Pairs of similar confidence: the mean confidence, the share with a positive label, and their number."""

    confidence: float
    share: float
    count: int


@dataclass(frozen=True, slots=True)
class Verdicts:
    """Probabilities against labels. `auroc` and `average_precision` are None if all labels are equal."""

    language: str
    pairs: int
    positives: int
    auroc: Estimate | None
    average_precision: Estimate | None
    calibration_error: Estimate
    curve: tuple[Bin, ...]


def verdicts(language: str, labels: NDArray[np.bool_], confidences: NDArray[np.float64], questions: Sequence[str]) -> Verdicts:
    """Measure probabilities of shape (pairs,) against labels of shape (pairs,). `questions` has the question of each pair."""

    def measures(rows: NDArray[np.intp]) -> NDArray[np.float64]:
        chosen, given = labels[rows], confidences[rows]
        return np.array([auroc(chosen, given), average_precision(chosen, given), calibration_error(chosen, given)])

    area, precision, error = resampled(measures, questions)
    assert error is not None
    return Verdicts(language, len(labels), int(labels.sum()), area, precision, error, tuple(curve(labels, confidences)))


def auroc_with_interval(labels: NDArray[np.bool_], scores: NDArray[np.float64], questions: Sequence[str]) -> Estimate | None:
    """The area under the ROC curve (AUROC) of scores of shape (pairs,), on any scale; None if all labels are equal."""
    (found,) = resampled(lambda rows: np.array([auroc(labels[rows], scores[rows])]), questions)
    return found


def auroc(labels: NDArray[np.bool_], scores: NDArray[np.float64]) -> float:
    """The probability that a positive pair scores higher than a negative one; a tie is 0.5. NaN if all labels are equal."""
    if labels.all() or not labels.any():
        return float("nan")
    from sklearn.metrics import auc, roc_curve

    # Equal to `roc_auc_score`, which spends most of its time on checking for more than two classes.
    found: float = auc(*roc_curve(labels, scores)[:2])
    return found


def average_precision(labels: NDArray[np.bool_], scores: NDArray[np.float64]) -> float:
    """The mean of the precision at each positive pair, in the order of scores; NaN if all labels are equal."""
    if labels.all() or not labels.any():
        return float("nan")
    from sklearn.metrics import average_precision_score

    found: float = average_precision_score(labels, scores)
    return found


def calibration_error(labels: NDArray[np.bool_], confidences: NDArray[np.float64]) -> float:
    """The expected calibration error: the mean over pairs of |confidence - share| of their bin."""
    bins = curve(labels, confidences)
    return sum(one.count * abs(one.confidence - one.share) for one in bins) / len(labels)


def curve(labels: NDArray[np.bool_], confidences: NDArray[np.float64]) -> list[Bin]:
    """The reliability curve over bins of equal mass. Equal confidences share a bin, so the order of the pairs has no effect."""
    ascending = np.sort(confidences)
    # Twice the mean rank of equal confidences. By the first rank, a hundred ones would fall into the bin of the zero before
    # them.
    ranks = np.searchsorted(ascending, confidences) + np.searchsorted(ascending, confidences, side="right") - 1
    of = ranks * _BINS // (2 * len(confidences))
    inside = [of == one for one in np.unique(of)]
    return [Bin(float(confidences[one].mean()), float(labels[one].mean()), int(one.sum())) for one in inside]
