"""Outcomes are written and read unchanged, and the places of evidence are found.

A killed run is resumed; a run with other files, models or settings is refused.
"""

import json
import os
from dataclasses import asdict, replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.errors import QuestionError, StorageError
from rag.evaluation.dataset import JudgedQuestion
from rag.evaluation.outcomes import Cited, Ledger, Outcome, Place, Run, Seconds, evidence_of
from tests.evaluation.outcomes import asked, cited

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
def test_an_outcome_is_read_as_it_was_written(outcome: Outcome) -> None:
    assert Outcome.from_row(json.loads(json.dumps(asdict(outcome)))) == outcome


@pytest.mark.parametrize("row", [{}, {"citations": [], "found": [], "seconds": {}}])
def test_anything_else_is_refused(row: dict[str, object]) -> None:
    with pytest.raises((KeyError, TypeError)):
        Outcome.from_row(row)


def test_evidence_is_located_in_the_passages_that_answer() -> None:
    passages = {"a": "Satu. Dua. Dua.", "b": "Dua. Tiga.", "c": "Empat."}
    question = JudgedQuestion("1", "?", "id", ("a", "b"), evidence=("Dua.", "Tiga.", "Empat."))
    assert evidence_of(question, passages) == (Place("a", 6, 10), Place("b", 5, 10))


RUN = Run("c", "q", "0.1", "e", "j", "l", "p", {"passages": 4, "seed": None})
# With a line separator, at which `str.splitlines` would split the line.
FIRST, SECOND = asked("1", "Satu\u2028dua.", cited("rice")).outcome, asked("2", None).outcome


def test_a_resumed_run_has_the_outcomes(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "outcomes.jsonl"
    ledger = Ledger(path, RUN)
    ledger.append("rag", FIRST)
    ledger.append("plain", SECOND)
    assert Ledger(path, RUN).outcomes == ledger.outcomes == {"rag": {"1": FIRST}, "plain": {"2": SECOND}}
    assert len(path.read_text("utf-8").split("\n")) == 4


@pytest.mark.parametrize("lost", [1, 20, 200])
def test_an_incomplete_line_is_dropped_and_written_again(tmp_path: Path, lost: int) -> None:
    path = tmp_path / "outcomes.jsonl"
    ledger = Ledger(path, RUN)
    ledger.append("rag", FIRST)
    ledger.append("rag", SECOND)
    os.truncate(path, path.stat().st_size - lost)
    again = Ledger(path, RUN)
    assert again.outcomes["rag"] == {"1": FIRST}
    again.append("rag", SECOND)
    assert Ledger(path, RUN).outcomes["rag"] == {"1": FIRST, "2": SECOND}


def test_an_empty_file_is_used(tmp_path: Path) -> None:
    path = tmp_path / "outcomes.jsonl"
    path.touch()
    Ledger(path, RUN).append("rag", FIRST)
    assert Ledger(path, RUN).outcomes["rag"] == {"1": FIRST}


def test_a_run_with_other_parts_is_refused_and_they_are_named(tmp_path: Path) -> None:
    path = tmp_path / "outcomes.jsonl"
    Ledger(path, RUN)
    with pytest.raises(QuestionError, match=r"a run with different llm and parameters; give --outcomes another file"):
        Ledger(path, replace(RUN, llm="x", parameters={"passages": 5}))
    Ledger(path, RUN)


@pytest.mark.parametrize("content", ["hello\n", "[]\n", "{}\n", '{"run": {}}\n{"way": "rag"}\n', "a note"])
def test_another_file_is_refused_and_not_changed(tmp_path: Path, content: str) -> None:
    path = tmp_path / "outcomes.jsonl"
    path.write_text(content)
    with pytest.raises(QuestionError, match="is not a file of outcomes"):
        Ledger(path, RUN)
    assert path.read_text() == content


def test_without_a_file_nothing_is_kept(tmp_path: Path) -> None:
    ledger = Ledger(None, RUN)
    ledger.append("rag", FIRST)
    assert ledger.outcomes["rag"] == {"1": FIRST}
    assert list(tmp_path.iterdir()) == []


def test_a_path_that_cannot_be_written_is_a_storage_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError):
        Ledger(tmp_path / "file" / "outcomes.jsonl", RUN)
