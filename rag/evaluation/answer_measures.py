"""Measures of answers: correctness, citations, refusals and times, from outcomes. Pure.

A measure gives each question a score and its maximum possible score; its value is the sum of the scores divided by the sum of
the maxima. So a question that does not concern a measure has a maximum of 0, shares of questions and shares of citations are
computed alike, and the intervals resample questions.

The curve shows precision and recall of refusing for every threshold of confidence, from outcomes made under one threshold.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rag.evaluation import answerability
from rag.evaluation.measures import Estimate, by_language, resampled
from rag.evaluation.outcomes import Asked, Place
from rag.language import UNKNOWN

_STEPS = 100


@dataclass(frozen=True, slots=True)
class Point:
    """A threshold with its results: the share of refusals that are right, and the share of each kind of questions refused.

    A share of nothing is None.
    """

    threshold: float
    precision: float | None
    recall: float | None
    answerable_refused: float | None


def curve(asked: Sequence[Asked], threshold: float) -> tuple[Point, ...]:
    """Points for the thresholds 0, 0.01, … 1, from outcomes that were made under `threshold`.

    A question that was refused although its confidence reached the threshold, because nothing supported the answer, is refused
    under every threshold. One that was refused for its confidence alone counts as answered under a lower threshold.
    """
    return tuple(_point(asked, step / _STEPS, threshold) for step in range(_STEPS + 1))


def _point(asked: Sequence[Asked], at: float, threshold: float) -> Point:
    refused = [_refused(one, at, threshold) for one in asked]
    wrongly = sum(refused[i] for i, one in enumerate(asked) if one.answerable)
    rightly = sum(refused) - wrongly
    answerable = sum(one.answerable for one in asked)
    return Point(at, _share(rightly, sum(refused)), _share(rightly, len(asked) - answerable), _share(wrongly, answerable))


def _refused(one: Asked, at: float, threshold: float) -> bool:
    confidence = one.outcome.confidence or 0.0
    return confidence < at or (not one.outcome.answered and confidence >= threshold)


def _share(part: int, of: int) -> float | None:
    return part / of if of else None


Earned = tuple[float, float]
_NOTHING: Earned = (0, 0)
EVENTS = ("found", "marked", "token", "whole")


def right(one: Asked) -> Earned:
    """The gold answer for an answerable question, a refusal for an unanswerable one."""
    return contains_gold(one) if one.answerable else (not one.outcome.answered, 1)


def contains_gold(one: Asked) -> Earned:
    """Of the answerable: the text contains an answer of people."""
    if not one.answerable or not one.question.answers:
        return _NOTHING
    return answerability.contains(one.outcome.text, one.question.answers), 1


def token_f1(one: Asked) -> Earned:
    """Of the answerable: token F1 with the best answer of people; 0 for a refusal."""
    if not one.answerable or not one.question.answers:
        return _NOTHING
    text, question = one.outcome.text, one.question
    return (answerability.f1(text, question.answers, question.language) if text else 0), 1


def gold_found(one: Asked) -> Earned:
    """Of the answerable: a passage that answers was among those retrieved."""
    found = {place.passage for place in one.outcome.found}
    return bool(found & set(one.question.relevant)), one.answerable


def citation_precision(one: Asked) -> Earned:
    """Of the answerable that were answered: the share of citations to a passage that answers."""
    cited = [citation.place for citation in one.outcome.citations]
    if not one.answerable or not cited:
        return _NOTHING
    return sum(place is not None and place.passage in one.question.relevant for place in cited) / len(cited), 1


def citation_recall(one: Asked) -> Earned:
    """Of the answerable: the share of the answering passages that are cited; 0 for a refusal."""
    if not one.answerable:
        return _NOTHING
    cited = {place.passage for place in _cited(one)}
    return len(cited & set(one.question.relevant)) / len(one.question.relevant), 1


def first_citation_right(one: Asked) -> Earned:
    """Of the answerable: the first citation is to a passage that answers."""
    first = next((citation.place for citation in one.outcome.citations), None)
    return first is not None and first.passage in one.question.relevant, one.answerable


def citations_valid(one: Asked) -> Earned:
    """Of the answerable that were answered: there is a citation, and each is to something that was shown to the model."""
    citations = one.outcome.citations
    valid = bool(citations) and all(citation.place is not None for citation in citations)
    return (valid, 1) if one.answerable and one.outcome.answered else _NOTHING


def evidence_precision(one: Asked) -> Earned:
    """Of the answered questions with evidence: the share of the cited characters that people chose."""
    cited, chosen = _characters(_cited(one)), _characters(one.evidence)
    return (len(cited & chosen) / len(cited), 1) if cited and chosen else _NOTHING


def evidence_recall(one: Asked) -> Earned:
    """Of the questions with evidence: the share of the characters chosen by people that are cited."""
    cited, chosen = _characters(_cited(one)), _characters(one.evidence)
    return (len(cited & chosen) / len(chosen), 1) if chosen else _NOTHING


def verified(one: Asked) -> Earned:
    """Of the citations with a quotation: the stored original has the words at the cited place."""
    quoting = [citation.verified for citation in one.outcome.citations if citation.verified is not None]
    return sum(quoting), len(quoting)


def abstention_precision(one: Asked) -> Earned:
    """Of the refusals: the question is unanswerable."""
    return not one.outcome.answered and not one.answerable, not one.outcome.answered


def abstention_recall(one: Asked) -> Earned:
    """Of the unanswerable: refused."""
    return not one.outcome.answered and not one.answerable, not one.answerable


def answerable_refused(one: Asked) -> Earned:
    """Of the answerable: refused."""
    return not one.outcome.answered and one.answerable, one.answerable


def in_language(one: Asked) -> Earned:
    """Of the answers whose language is known: in the language of the question."""
    spoken = one.outcome.language
    return (spoken == one.question.language, 1) if one.outcome.answered and spoken != UNKNOWN else _NOTHING


def sentences_dropped(one: Asked) -> Earned:
    """Of the sentences written: not shown, because nothing supports them."""
    return one.outcome.dropped, one.outcome.written


def cut_off(one: Asked) -> Earned:
    """Of the answers: the model was stopped before the end."""
    return (one.outcome.cut, 1) if one.outcome.answered and one.outcome.cut is not None else _NOTHING


MEASURES: Mapping[str, Callable[[Asked], Earned]] = {
    "right outcome": right,
    "contains gold": contains_gold,
    "token F1": token_f1,
    "gold passage found": gold_found,
    "citation precision": citation_precision,
    "citation recall": citation_recall,
    "first citation right": first_citation_right,
    "citations valid": citations_valid,
    "evidence precision": evidence_precision,
    "evidence recall": evidence_recall,
    "citations verified": verified,
    "abstention precision": abstention_precision,
    "abstention recall": abstention_recall,
    "answerable refused": answerable_refused,
    "in its language": in_language,
    "sentences dropped": sentences_dropped,
    "cut off": cut_off,
}
_Estimates = Mapping[str, Estimate | None]


@dataclass(frozen=True, slots=True)
class Timing:
    """Seconds until an event, over the answers that have it: the median, and the 10th and 90th percentile."""

    count: int
    median: Estimate
    tenth: float
    ninetieth: float


@dataclass(frozen=True, slots=True)
class Group:
    """Results for the questions of one language, or all. A measure is None if no question says anything about it."""

    language: str
    answerable: int
    unanswerable: int
    measures: _Estimates
    seconds: Mapping[str, Timing]


@dataclass(frozen=True, slots=True)
class Beside:
    """The plain way and the product on the same questions, and the paired gain of the product."""

    plain: Group
    rag: Group
    gain: _Estimates


def measure(asked: Sequence[Asked]) -> tuple[Group, ...]:
    """All measures, over all questions and by language."""
    earned = _earned(asked)
    return tuple(_group(name, [asked[i] for i in rows], earned[rows]) for name, rows in _languages(asked))


def compare(plain: Sequence[Asked], rag: Sequence[Asked]) -> tuple[Beside, ...]:
    """Both ways over the same questions, in the same order."""
    both = np.stack([_earned(plain), _earned(rag)])
    groups = zip(measure(plain), measure(rag), _languages(rag), strict=True)
    ids = np.array([one.question.id for one in rag])
    return tuple(Beside(before, after, _gains(ids[rows].tolist(), both[:, rows])) for before, after, (_, rows) in groups)


def _group(language: str, asked: Sequence[Asked], earned: NDArray[np.float64]) -> Group:
    ids = [one.question.id for one in asked]
    estimates = resampled(lambda rows: _shares(earned[rows]), ids)
    answerable = sum(one.answerable for one in asked)
    times = {event: timing for event in EVENTS if (timing := _timing(asked, event))}
    return Group(language, answerable, len(asked) - answerable, dict(zip(MEASURES, estimates, strict=True)), times)


def _gains(ids: Sequence[str], both: NDArray[np.float64]) -> _Estimates:
    """The paired gain of the second way over the first. `both` has shape (2, questions, measures, 2)."""
    gains = resampled(lambda rows: _shares(both[1, rows]) - _shares(both[0, rows]), ids, bounds=(-1, 1))
    return dict(zip(MEASURES, gains, strict=True))


def _timing(asked: Sequence[Asked], event: str) -> Timing | None:
    seconds = np.array([value for one in asked if (value := getattr(one.outcome.seconds, event)) is not None])
    if not len(seconds):
        return None
    numbers = [str(row) for row in range(len(seconds))]
    (median,) = resampled(lambda rows: np.array([np.median(seconds[rows])]), numbers, bounds=(0, np.inf))
    assert median is not None
    low, high = np.percentile(seconds, (10, 90))
    return Timing(len(seconds), median, float(low), float(high))


def _earned(asked: Sequence[Asked]) -> NDArray[np.float64]:
    """Score and maximum score of each question for each measure, shape (questions, measures, 2)."""
    return np.array([[of(one) for of in MEASURES.values()] for one in asked], dtype=np.float64)


def _shares(earned: NDArray[np.float64]) -> NDArray[np.float64]:
    """The value of each measure; NaN if nothing could be earned."""
    sums = earned.sum(axis=0)
    values = np.full(len(sums), np.nan)
    np.divide(sums[:, 0], sums[:, 1], out=values, where=sums[:, 1] > 0)
    return values


def _languages(asked: Sequence[Asked]) -> list[tuple[str, NDArray[np.intp]]]:
    return by_language([one.question.language for one in asked])


def _cited(one: Asked) -> list[Place]:
    return [citation.place for citation in one.outcome.citations if citation.place is not None]


def _characters(places: Sequence[Place]) -> set[tuple[str, int]]:
    return {(place.passage, at) for place in places for at in range(place.start, place.end)}
