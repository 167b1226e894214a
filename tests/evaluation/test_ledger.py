"""A run that was killed goes on; one of other files, models or settings does not go on from it."""

import os
from dataclasses import replace
from pathlib import Path

import pytest

from rag.errors import QuestionError, StorageError
from rag.evaluation.ledger import Ledger, Run
from tests.evaluation.outcomes import asked, cited

RUN = Run("c", "q", "0.1", "e", "j", "l", "p", {"passages": 4, "seed": None})
# With a line separator, at which `str.splitlines` would break the line.
FIRST, SECOND = asked("1", "Satu\u2028dua.", cited("rice")).outcome, asked("2", None).outcome


def test_outcomes_are_there_when_the_run_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "outcomes.jsonl"
    ledger = Ledger(path, RUN)
    ledger.append("rag", FIRST)
    ledger.append("plain", SECOND)
    assert Ledger(path, RUN).outcomes == ledger.outcomes == {"rag": {"1": FIRST}, "plain": {"2": SECOND}}
    assert len(path.read_text("utf-8").split("\n")) == 4


@pytest.mark.parametrize("lost", [1, 20, 200])
def test_half_a_line_is_forgotten_and_written_anew(tmp_path: Path, lost: int) -> None:
    path = tmp_path / "outcomes.jsonl"
    ledger = Ledger(path, RUN)
    ledger.append("rag", FIRST)
    ledger.append("rag", SECOND)
    os.truncate(path, path.stat().st_size - lost)
    again = Ledger(path, RUN)
    assert again.outcomes["rag"] == {"1": FIRST}
    again.append("rag", SECOND)
    assert Ledger(path, RUN).outcomes["rag"] == {"1": FIRST, "2": SECOND}


def test_an_empty_file_is_begun(tmp_path: Path) -> None:
    path = tmp_path / "outcomes.jsonl"
    path.touch()
    Ledger(path, RUN).append("rag", FIRST)
    assert Ledger(path, RUN).outcomes["rag"] == {"1": FIRST}


def test_a_run_with_something_else_is_refused_and_says_with_what(tmp_path: Path) -> None:
    path = tmp_path / "outcomes.jsonl"
    Ledger(path, RUN)
    with pytest.raises(QuestionError, match=r"another llm and parameters; give --outcomes another file"):
        Ledger(path, replace(RUN, llm="x", parameters={"passages": 5}))
    Ledger(path, RUN)


@pytest.mark.parametrize("content", ["hello\n", "[]\n", "{}\n", '{"run": {}}\n{"way": "rag"}\n', "a note"])
def test_a_file_of_something_else_is_refused_and_left_as_it_is(tmp_path: Path, content: str) -> None:
    path = tmp_path / "outcomes.jsonl"
    path.write_text(content)
    with pytest.raises(QuestionError, match="has no outcomes"):
        Ledger(path, RUN)
    assert path.read_text() == content


def test_without_a_file_nothing_is_kept(tmp_path: Path) -> None:
    ledger = Ledger(None, RUN)
    ledger.append("rag", FIRST)
    assert ledger.outcomes["rag"] == {"1": FIRST}
    assert list(tmp_path.iterdir()) == []


def test_a_place_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError):
        Ledger(tmp_path / "file" / "outcomes.jsonl", RUN)
