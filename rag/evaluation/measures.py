"""What a ranking is worth, question by question, and how sure a mean of it is. Pure. The only importer of ir_measures.

The measures are counted by ir-measures (trec_eval), so that numbers compare with those of other people; the intervals are ours.

What probabilities of yes or no are worth: how well they divide, and whether they are true. Pure.

The only importer of sklearn, which counts area under the ROC curve and average precision, so that numbers compare with those of
other people.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

# Names as people say them, and as ir-measures does.
MEASURES = {
    "nDCG@10": "nDCG@10",
    "MRR@10": "RR@10",
    "recall@1": "R@1",
    "recall@5": "R@5",
    "recall@10": "R@10",
    "recall@20": "R@20",
}
# Resamples of the bootstrap: the ends of an interval move by less than 0.001 from seed to seed with 400 questions.
_RESAMPLES = 2000
_SEED = 20
_OUTSIDE = (2.5, 97.5)


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean over questions, or another measure of them, with the ends of its 95 % interval."""

    value: float
    low: float
    high: float


def per_question(rankings: Sequence[Sequence[str]], relevant: Sequence[Collection[str]]) -> Mapping[str, NDArray[np.float64]]:
    """Each measure's value for each question, by the measure's name. A ranking is ids, best first."""
    import ir_measures

    judged = {str(i): dict.fromkeys(ids, 1) for i, ids in enumerate(relevant)}
    # trec_eval ranks by score, and equal scores by id: our order is the score.
    run = {str(i): {id_: -float(place) for place, id_ in enumerate(ids)} for i, ids in enumerate(rankings)}
    names = {str(ir_measures.parse_measure(theirs)): ours for ours, theirs in MEASURES.items()}
    values = {name: np.zeros(len(rankings)) for name in MEASURES}
    for metric in ir_measures.iter_calc([ir_measures.parse_measure(name) for name in names], judged, run):
        values[names[str(metric.measure)]][int(metric.query_id)] = metric.value
    return values


def estimate(values: NDArray[np.float64]) -> Estimate:
    """The mean with its percentile-bootstrap interval over questions. Differences of two rankings make it a paired one."""
    rng = np.random.default_rng(_SEED)
    means = np.array([values[rng.integers(0, len(values), len(values))].mean() for _ in range(_RESAMPLES)])
    low, high = np.percentile(means, _OUTSIDE)
    return Estimate(float(values.mean()), float(low), float(high))


def resampled(
    measures: Callable[[NDArray[np.intp]], NDArray[np.float64]],
    clusters: Sequence[str],
    bounds: tuple[float, float] = (0, 1),
) -> list[Estimate | None]:
    """Measures of rows, within `bounds` each, with percentile-bootstrap intervals over the questions that the rows belong to.

    `measures` makes values (measures,) of the numbers of rows (rows,); `clusters` names the question of each row: rows of one
    stay together, for they are not independent. None for a measure that is not defined (NaN); resamples where it is not do not
    count.
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
    """The interval without the bias of resampling: rows drawn twice are noise twice, which raises an error of calibration."""
    defined = values[~np.isnan(values)]
    if np.isnan(value) or not len(defined):
        return None
    low, high = np.clip(np.percentile(defined, _OUTSIDE) - defined.mean() + value, *bounds)
    return Estimate(value, float(low), float(high))


def by_language(spoken: Sequence[str]) -> list[tuple[str, NDArray[np.intp]]]:
    """The numbers of all rows, under "all"; then those of each language, where there are several."""
    languages, of = np.array(spoken), sorted(set(spoken))
    apart = [(language, np.flatnonzero(languages == language)) for language in of] if len(of) > 1 else []
    return [("all", np.arange(len(spoken))), *apart]


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
