"""Each measure of answers, and the curve over thresholds: on outcomes counted by hand, and on random ones."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rag.evaluation import measures
from rag.evaluation.answer_measures import MEASURES, Group, compare, curve, measure
from rag.evaluation.outcomes import Asked, Place, Seconds
from tests.evaluation.outcomes import asked, cited, unanswerable

# At the threshold 0.35: right, right, refused for its confidence; refused, refused by the model itself, answered.
OUTCOMES = [
    asked("1", confidence=0.9),
    asked("2", confidence=0.5),
    asked("3", None, confidence=0.3),
    unanswerable("4", confidence=0.1),
    unanswerable("5", confidence=0.7),
    unanswerable("6", "Pada 1999.", confidence=0.4),
]


@pytest.mark.parametrize(
    ("threshold", "precision", "recall", "answerable_refused"),
    [(0.0, 1, 1 / 3, 0), (0.2, 1, 2 / 3, 0), (0.35, 2 / 3, 2 / 3, 1 / 3), (0.45, 3 / 4, 1, 1 / 3), (1.0, 1 / 2, 1, 1)],
)
def test_a_threshold_refuses_lower_confidences(
    threshold: float, precision: float, recall: float, answerable_refused: float
) -> None:
    (point,) = [point for point in curve(OUTCOMES, 0.35) if point.threshold == threshold]
    assert point.precision == pytest.approx(precision)
    assert point.recall == pytest.approx(recall)
    assert point.answerable_refused == pytest.approx(answerable_refused)


def test_the_threshold_in_use_gives_what_happened() -> None:
    point = curve(OUTCOMES, 0.35)[35]
    refused = [one for one in OUTCOMES if not one.outcome.answered]
    assert point.recall == sum(not one.answerable for one in refused) / 3
    assert point.answerable_refused == sum(one.answerable for one in refused) / 3


def test_a_share_of_nothing_is_none() -> None:
    only = curve([asked("1")], 0.35)
    assert (only[0].precision, only[0].recall, only[0].answerable_refused) == (None, None, 0)
    assert curve([unanswerable("1")], 0.35)[0].answerable_refused is None


@given(st.lists(st.tuples(st.booleans(), st.booleans(), st.floats(0, 1)), min_size=1, max_size=12), st.floats(0, 1))
def test_a_higher_threshold_never_refuses_less(rows: list[tuple[bool, bool, float]], threshold: float) -> None:
    outcomes: list[Asked] = [
        asked(str(i), "x" if says and sure >= threshold else None, answerable=answers, confidence=sure)
        for i, (says, answers, sure) in enumerate(rows)
    ]
    for lower, higher in pairwise(curve(outcomes, threshold)):
        assert (lower.recall or 0) <= (higher.recall or 0)
        assert (lower.answerable_refused or 0) <= (higher.answerable_refused or 0)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measures, "_RESAMPLES", 30)


def value(name: str, *outcomes: Asked) -> float | None:
    """The measure over all; None if it is undefined."""
    found = measure(outcomes)[0].measures[name]
    return found.value if found else None


def test_a_right_outcome_is_the_gold_answer_or_a_refusal() -> None:
    outcomes = [
        asked("1", "Pada tahun 2020."),
        asked("2", "Pada tahun 12020."),
        asked("3", None),
        unanswerable("4"),
        unanswerable("5", "Pada 2020."),
    ]
    assert value("right outcome", *outcomes) == 2 / 5
    assert value("contains gold", *outcomes) == 1 / 3
    assert value("token F1", *outcomes) == pytest.approx((2 * 1 / 4 + 0 + 0) / 3)


def test_questions_without_a_gold_answer_say_nothing_of_it() -> None:
    outcomes = [asked("1", answers=()), asked("2", "Pada 2020.")]
    assert value("right outcome", *outcomes) == 1
    assert value("contains gold", outcomes[0]) is None
    assert value("token F1", outcomes[0]) is None


def test_refusals_are_right_where_nothing_answers() -> None:
    outcomes = [asked("1"), asked("2", None), asked("3"), unanswerable("4"), unanswerable("5"), unanswerable("6", "x")]
    assert value("abstention precision", *outcomes) == pytest.approx(2 / 3)
    assert value("abstention recall", *outcomes) == pytest.approx(2 / 3)
    assert value("answerable refused", *outcomes) == pytest.approx(1 / 3)
    assert value("abstention precision", outcomes[0]) is None
    assert value("abstention recall", outcomes[0]) is None


def test_citations_are_of_passages_that_answer() -> None:
    outcomes = [
        asked("1", "x", cited("rice"), cited("sugar", verified=False)),
        asked("2", "x", cited("sugar"), relevant=("rice", "sugar")),
        asked("3", None),
        unanswerable("4", "x", cited("sugar")),
    ]
    assert value("citation precision", *outcomes) == pytest.approx((1 / 2 + 1) / 2)
    assert value("citation recall", *outcomes) == pytest.approx((1 + 1 / 2 + 0) / 3)
    assert value("first citation right", *outcomes) == pytest.approx(2 / 3)
    assert value("citations verified", *outcomes) == pytest.approx(3 / 4)


def test_a_label_is_valid_where_it_names_what_was_shown_and_quotes_nothing() -> None:
    outcomes = [
        asked("1", "x", cited("rice", verified=None), cited(None, verified=None)),
        asked("2", "x", cited("rice", verified=None)),
        asked("3", "x"),
        asked("4", None),
    ]
    assert value("citations valid", *outcomes) == pytest.approx(1 / 3)
    assert value("citation precision", *outcomes) == pytest.approx((1 / 2 + 1) / 2)
    assert value("citations verified", *outcomes) is None


def test_cited_characters_are_compared_with_those_that_people_chose() -> None:
    evidence = (Place("rice", 0, 10), Place("rice", 20, 30))
    outcomes = [
        asked("1", "x", cited("rice", 5, 25), cited("rice", 0, 10), evidence=evidence),
        asked("2", "x", cited("sugar", 0, 10), evidence=evidence),
        asked("3", None, evidence=evidence),
        asked("4", "x", cited("rice", 0, 10)),
    ]
    assert value("evidence precision", *outcomes) == pytest.approx((15 / 25 + 0) / 2)
    assert value("evidence recall", *outcomes) == pytest.approx((15 / 20 + 0 + 0) / 3)


def test_the_language_is_that_of_answers_with_letters() -> None:
    outcomes = [asked("1"), asked("2", spoken="en"), asked("3", "2020", spoken="und"), asked("4", None, spoken="en")]
    assert value("in its language", *outcomes) == 1 / 2


def test_retrieval_and_dropped_sentences_are_counted() -> None:
    outcomes = [asked("1", sentences=(3, 1)), asked("2", None, sentences=(1, 1), found=("sugar",)), unanswerable("3")]
    assert value("sentences dropped", *outcomes) == pytest.approx(2 / 5)
    assert value("gold passage found", *outcomes) == 1 / 2


def test_of_the_answers_those_that_were_cut_are_counted() -> None:
    assert value("cut off", asked("1", cut=True), asked("2"), asked("3", cut=None), asked("4", None, cut=True)) == 1 / 2


def test_languages_are_measured_apart() -> None:
    outcomes = [asked("1"), asked("2", None, language="en"), unanswerable("3")]
    groups = measure(outcomes)
    assert [(one.language, one.answerable, one.unanswerable) for one in groups] == [("all", 2, 1), ("en", 1, 0), ("id", 1, 1)]
    everyone, english, indonesian = (one.measures["right outcome"] for one in groups)
    assert everyone
    assert english
    assert indonesian
    assert [everyone.value, english.value, indonesian.value] == pytest.approx([2 / 3, 0, 1])


def test_seconds_are_medians_of_the_answers_in_which_an_event_came() -> None:
    times = [Seconds(0.1, None, 1.0, 2.0), Seconds(0.2, 0.3, None, 4.0), Seconds(0.6, None, 3.0, 30.0)]
    (group,) = measure([asked(str(i), seconds=one) for i, one in enumerate(times)])
    assert {event: timing.count for event, timing in group.seconds.items()} == {"found": 3, "marked": 1, "token": 2, "whole": 3}
    whole = group.seconds["whole"]
    assert [whole.median.value, whole.tenth, whole.ninetieth] == pytest.approx([4.0, 2.4, 24.8])
    assert whole.median.low <= 4 <= whole.median.high
    assert group.seconds["token"].median.value == 2


def test_two_ways_are_compared_question_by_question() -> None:
    plain = [asked("1", "x"), asked("2"), unanswerable("3", "x")]
    product = [asked("1"), asked("2"), unanswerable("3")]
    (found,) = compare(plain, product)
    gain = found.gain["right outcome"]
    assert gain
    assert gain.value == pytest.approx(2 / 3)
    assert 0 <= gain.low <= gain.value <= gain.high <= 1
    assert found.gain["contains gold"]
    assert found.gain["evidence recall"] is None
    backward = compare(product, plain)[0].gain["right outcome"]
    assert backward
    assert backward.value == pytest.approx(-2 / 3)


def test_two_ways_are_compared_by_language() -> None:
    plain = [asked("1", "x"), asked("2", language="en"), asked("3", "x"), asked("4")]
    product = [asked("1"), asked("2", "x", language="en"), asked("3"), asked("4")]
    gains = [one.gain["right outcome"] for one in compare(plain, product)]
    assert [gain and gain.value for gain in gains] == pytest.approx([1 / 4, -1, 2 / 3])


_PASSAGES = st.sampled_from(["rice", "sugar", None])
_CITED = st.builds(cited, _PASSAGES, st.integers(0, 20), st.integers(0, 40), verified=st.none() | st.booleans())


@st.composite
def any_outcome(draw: st.DrawFn) -> Asked:
    says = draw(st.none() | st.sampled_from(["Pada 2020.", "x", "2020 2020"]))
    citations = draw(st.lists(_CITED, max_size=3)) if says else []
    evidence = (Place("rice", 3, 9),) if draw(st.booleans()) else ()
    written = draw(st.integers(0, 3))
    return asked(
        str(draw(st.integers(0, 5))),
        says,
        *citations,
        language=draw(st.sampled_from(["id", "en"])),
        answerable=draw(st.booleans()),
        evidence=evidence,
        sentences=(written, draw(st.integers(0, written))),
    )


def _shares(group: Group) -> list[float]:
    return [end for found in group.measures.values() if found for end in (found.low, found.value, found.high)]


@settings(deadline=None, max_examples=25)
@given(st.lists(any_outcome(), min_size=1, max_size=6))
def test_every_measure_is_a_share_and_knows_what_it_is_of(outcomes: list[Asked]) -> None:
    for earned, possible in (of(one) for of in MEASURES.values() for one in outcomes):
        assert 0 <= earned <= possible
    for group in measure(outcomes):
        assert all(0 <= share <= 1 for share in _shares(group))
        assert group.measures.keys() == MEASURES.keys()
