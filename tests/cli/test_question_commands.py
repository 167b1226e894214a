"""`rag chat` as a user sees it: through a pipe, and on a terminal."""

import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from rag.cli import question_commands
from rag.engine import Engine
from rag.settings import environment
from rag.types import Token, Understood
from tests.conftest import ROOT, SEED
from tests.web.conftest import PATIENCE, QUESTION

FIRST, FOLLOW_UP = "Siapa Menteri Pertahanan Iran?", "Apa katanya tentang Venezuela?"
# The command with a model that never stops writing.
ENDLESS = (
    "import sys, rag.engine; from tests.conftest import FakeEngine, FakeModels; from tests.fakes import SlowReader; "
    "FakeModels.reader = SlowReader(); rag.engine.Engine = FakeEngine; "
    "from rag.cli.main import main; sys.exit(main(['chat']))"
)


@pytest.fixture
def variables(engine: Engine) -> dict[str, str]:
    inherited = {name: value for name, value in os.environ.items() if name != "NO_COLOR"}
    return {**inherited, **environment(engine.settings), "PYTHONPATH": str(ROOT), "TERM": "xterm"}


def piped(variables: dict[str, str], typed: str, *flags: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-W", "error", "-m", "tests.fake_rag", "chat", *flags]
    return subprocess.run(command, input=typed, capture_output=True, text=True, env=variables, cwd=ROOT, check=False)


@pytest.mark.slow("starts a process for each command")
def test_a_follow_up_is_understood_by_the_question_before_it(variables: dict[str, str]) -> None:
    result = piped(variables, f"{FIRST}\n\n{FOLLOW_UP}\n", "--json")
    assert (result.returncode, result.stderr) == (0, "")
    first, second = (json.loads(line) for line in result.stdout.splitlines() if line)
    assert (first["question"], first["understood_as"]) == (FIRST, "")
    assert second["question"] == FOLLOW_UP
    assert "Ashtiani" in second["understood_as"]
    assert "Venezuela" in second["citations"][0]["text"]


@pytest.mark.slow("starts a process for each command")
def test_piped_output_has_neither_colours_nor_links(variables: dict[str, str]) -> None:
    result = piped(variables, f"{FIRST}\n{FOLLOW_UP}\n")
    assert result.returncode == 0
    assert "\x1b" not in result.stdout + result.stderr
    assert "[1]" in result.stdout
    assert "↳ " in result.stdout


def test_an_invalid_piped_question_ends_the_chat_with_its_exit_code(variables: dict[str, str]) -> None:
    result = piped(variables, "?\n")
    assert result.returncode == 2
    assert result.stderr.startswith("rag: the question is empty; ")


class Terminal:
    """A process on a pseudo-terminal: types text there, and has all that it shows."""

    def __init__(self, command: list[str], variables: dict[str, str]) -> None:
        self._end, other = pty.openpty()
        self.process = subprocess.Popen(command, stdin=other, stdout=other, stderr=other, env=variables, cwd=ROOT)
        os.close(other)
        self.shown, self._seen = "", 0

    def type(self, text: str) -> None:
        os.write(self._end, text.encode())

    def until(self, pattern: str) -> None:
        """Read until the pattern is shown, after the one before."""
        while not (found := re.compile(pattern).search(self.shown, self._seen)):
            assert select.select([self._end], [], [], PATIENCE)[0], f"no {pattern} in {self.shown!r}"
            self.shown += os.read(self._end, 4096).decode("utf-8", "replace")
        self._seen = found.end()

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self._end)


@pytest.fixture
def terminals() -> Iterator[list[Terminal]]:
    opened: list[Terminal] = []
    yield opened
    for terminal in opened:
        terminal.close()


def chat(terminals: list[Terminal], variables: dict[str, str], *command: str) -> Terminal:
    terminals.append(Terminal([sys.executable, *command], variables))
    terminals[-1].until("> ")
    return terminals[-1]


@pytest.mark.slow("starts a process for each command")
def test_on_a_terminal_a_citation_opens_its_file_and_control_d_ends(
    terminals: list[Terminal], variables: dict[str, str], engine: Engine
) -> None:
    terminal = chat(terminals, variables, "-m", "tests.fake_rag", "chat")
    terminal.type(QUESTION + "\n")
    terminal.until(r"characters \d+-\d+:")
    link = f"\x1b]8;;{(engine.settings.seeds / SEED).as_uri()}\x1b\\{SEED}\x1b]8;;\x1b\\"
    assert link in terminal.shown
    assert "\x1b[1m[1]\x1b[0m" in terminal.shown
    terminal.until("> ")
    terminal.type("\x04")
    assert terminal.process.wait(PATIENCE) == 0


@pytest.mark.slow("starts a process for each command")
def test_no_color_leaves_out_colours(terminals: list[Terminal], variables: dict[str, str]) -> None:
    terminal = chat(terminals, {**variables, "NO_COLOR": "1"}, "-m", "tests.fake_rag", "chat")
    terminal.type(QUESTION + "\n")
    terminal.until(r"characters \d+-\d+:")
    assert "\x1b[1m" not in terminal.shown
    assert "\x1b[2m" not in terminal.shown


@pytest.mark.slow("starts a process for each command")
def test_control_c_stops_an_answer_and_another_question_is_taken(terminals: list[Terminal], variables: dict[str, str]) -> None:
    terminal = chat(terminals, variables, "-c", ENDLESS)
    for _ in range(2):
        terminal.type(QUESTION + "\n")
        terminal.until("kata kata")
        terminal.process.send_signal(signal.SIGINT)
        terminal.until("stopped")
        terminal.until("> ")
    terminal.type("?\n")
    terminal.until("the question is empty")
    terminal.until("> ")  # else Ctrl-D may come before the line is edited, and is lost
    terminal.type("\x04")
    assert terminal.process.wait(PATIENCE) == 0


def test_text_of_documents_cannot_control_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    question_commands._show_live(Understood("Siapa \x1b[2J?"))
    question_commands._show_live(Token("halo\n\x1b]52;c;cm0=\x07"))
    assert capsys.readouterr().out == "↳ Siapa \\x1b[2J?\nhalo\n\\x1b]52;c;cm0=\\x07"
