"""Outcomes are written and read again as they were; evidence is found where it stands."""

import json
from dataclasses import asdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.evaluation.dataset import JudgedQuestion
from rag.evaluation.outcomes import Cited, Outcome, Place, Seconds, evidence_of

_TEXTS = st.text(max_size=20)
_PLACES = st.builds(Place, _TEXTS, st.integers(0, 99), st.integers(0, 99))
_TIMES = st.none() | st.floats(0, 100)
OUTCOMES = st.builds(
    Outcome,
    question=_TEXTS,
    answered=st.booleans(),
    text=_TEXTS,
    language=_TEXTS,
    confidence=st.none() | st.floats(0, 1),
    found=st.lists(_PLACES, max_size=3).map(tuple),
    citations=st.lists(st.builds(Cited, st.none() | _PLACES, st.none() | st.booleans()), max_size=3).map(tuple),
    written=st.integers(0, 9),
    dropped=st.integers(0, 9),
    seconds=st.builds(Seconds, _TIMES, _TIMES, _TIMES, st.floats(0, 100)),
    cut=st.none() | st.booleans(),
)


@given(OUTCOMES)
def test_what_is_written_is_read_again(outcome: Outcome) -> None:
    assert Outcome.from_row(json.loads(json.dumps(asdict(outcome)))) == outcome


@pytest.mark.parametrize("row", [{}, {"citations": [], "found": [], "seconds": {}}])
def test_anything_else_is_refused(row: dict[str, object]) -> None:
    with pytest.raises((KeyError, TypeError)):
        Outcome.from_row(row)


def test_evidence_is_where_it_stands_in_a_passage_that_answers() -> None:
    passages = {"a": "Satu. Dua. Dua.", "b": "Dua. Tiga.", "c": "Empat."}
    question = JudgedQuestion("1", "?", "id", ("a", "b"), evidence=("Dua.", "Tiga.", "Empat."))
    assert evidence_of(question, passages) == (Place("a", 6, 10), Place("b", 5, 10))
