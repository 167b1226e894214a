"""Output of the commands: what reaches a terminal, and what reaches a pipe or a file."""

import io
import json
import sys
from pathlib import Path

import pytest

from rag.cli import terminal
from rag.cli.terminal import BOLD, DIM, Progress
from rag.types import Passage

HOSTILE = "a\x1b[31m\x9b\u202eb\u2066"
ESCAPED = r"a\x1b[31m\x9b\u202eb\u2066"


class TerminalStream(io.StringIO):
    """A stream that says that it is a terminal."""

    def isatty(self) -> bool:
        return True


def on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make standard output a terminal with colours. To be called in a test: pytest replaces the stream after the fixtures."""
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(sys, "stdout", TerminalStream())


def build(progress: Progress) -> None:
    for done in range(4):
        progress("reading", done, 3)
    for done in (0, 5):
        progress("embedding", done, 5)


def test_progress_is_a_bar_for_each_stage_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = TerminalStream()
    monkeypatch.setattr(sys, "stderr", stream)
    build(Progress())
    shown = stream.getvalue()
    assert "reading: 100%" in shown
    assert "3/3" in shown
    assert "embedding: 100%" in shown
    assert "5/5" in shown
    assert shown.count("\n") == 2


def test_progress_is_silent_elsewhere(capsys: pytest.CaptureFixture[str]) -> None:
    build(Progress())
    assert capsys.readouterr() == ("", "")


def test_waiting_for_another_build_is_reported_everywhere(capsys: pytest.CaptureFixture[str]) -> None:
    Progress()("waiting", 0, 0)
    assert capsys.readouterr().err == "another `rag index` is running in this home; waiting for it\n"


def test_progress_for_programs_is_a_line_of_json(capsys: pytest.CaptureFixture[str]) -> None:
    terminal.print_progress("embedding", 2, 5)
    assert json.loads(capsys.readouterr().out) == {"stage": "embedding", "done": 2, "total": 5}


def test_control_characters_are_escaped_and_other_text_is_not() -> None:
    assert terminal.visible(HOSTILE) == ESCAPED
    assert terminal.visible("kata 漢字 é 😀 \\") == "kata 漢字 é 😀 \\"
    assert terminal.visible("a\tb\nc\r") == r"a\x09b\x0ac\x0d"
    assert terminal.visible_lines("a\tb\nc\r") == "a\tb\nc\\x0d"
    assert terminal.one_line(f" {HOSTILE}\n  b ") == f"{ESCAPED} b"


def test_json_escapes_control_characters_and_keeps_the_value(capsys: pytest.CaptureFixture[str]) -> None:
    value = {"text": f"{HOSTILE}\n漢字", "path": Path("a.txt")}
    terminal.print_json(value)
    terminal.print_line(value)
    shown = capsys.readouterr().out
    assert not any(control in shown for control in "\x1b\x9b\u202e\u2066")
    assert "漢字" in shown
    *_, line = shown.splitlines()
    assert json.loads(line) == {"text": value["text"], "path": "a.txt"}


def test_a_complaint_is_one_line_on_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    terminal.complain(f"{HOSTILE}\nb")
    assert capsys.readouterr() == ("", f"rag: {ESCAPED}\\x0ab\n")


def test_text_is_styled_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    on_a_terminal(monkeypatch)
    assert terminal.styled("kata", BOLD) == "\x1b[1mkata\x1b[0m"
    assert terminal.styled("kata", DIM, TerminalStream()) == "\x1b[2mkata\x1b[0m"
    assert terminal.styled("kata", DIM, io.StringIO()) == "kata"


@pytest.mark.parametrize(("variable", "value"), [("NO_COLOR", "1"), ("NO_COLOR", ""), ("TERM", "dumb")])
def test_text_is_not_styled_against_the_users_wish(monkeypatch: pytest.MonkeyPatch, variable: str, value: str) -> None:
    on_a_terminal(monkeypatch)
    monkeypatch.setenv(variable, value)
    assert terminal.styled("kata", BOLD) == "kata"


def test_text_is_not_styled_in_a_pipe(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setattr(sys, "stdout", io.StringIO())
    assert terminal.styled("kata", BOLD) == "kata"


def test_a_file_is_linked_on_a_terminal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    on_a_terminal(monkeypatch)
    file = tmp_path / "a b.txt"
    assert terminal.linked("kata", file) == "kata"
    file.touch()
    assert terminal.linked("kata", file) == f"\x1b]8;;{file.as_uri()}\x1b\\kata\x1b]8;;\x1b\\"
    monkeypatch.setenv("TERM", "dumb")
    assert terminal.linked("kata", file) == "kata"


def test_a_file_is_not_linked_in_a_pipe(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(sys, "stdout", io.StringIO())
    assert terminal.linked("kata", tmp_path) == "kata"


def test_a_place_has_the_path_the_range_and_the_page() -> None:
    passage = Passage("d1", "a\x1b.pdf", "id", 10, 14, "kata", 0.5)
    assert terminal.place(passage) == r"a\x1b.pdf:10-14"
    paged = Passage("d1", "a.pdf", "id", 10, 14, "kata", 0.5, page=3)
    assert terminal.place(paged) == "a.pdf:10-14, page 3"
