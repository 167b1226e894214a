"""The command line as a user sees it: real processes, exit codes, one line for an error."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from rag.cli import question_commands, terminal
from rag.settings import Settings
from rag.types import Answer, Citation, Found, Marked, Parameters, Passage, Receipt, Span, Token
from rag.weights.catalogue import EMBEDDER, SMALL_LLM

ROOT = Path(__file__).parents[2]
INTERRUPTED = "rag: interrupted; run the same command again: what was finished is kept"
QUESTION = "Apa yang dikatakan Menteri Pertahanan tentang Venezuela?"


def rag(*arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-W", "error", "-m", "rag", *arguments]
    chosen = {**os.environ, **environment}
    return subprocess.run(command, capture_output=True, text=True, env=chosen, timeout=300, check=False)


def assert_one_line(result: "subprocess.CompletedProcess[str]", code: int, *words: str) -> None:
    """One line on standard error that ends with a hint, the right exit code, and no traceback."""
    assert result.returncode == code, result.stderr
    (line,) = result.stderr.splitlines()
    assert line.startswith("rag: ")
    assert ";" in line
    for word in words:
        assert word in line


def test_importing_the_command_line_is_light() -> None:
    heavy = {"torch", "sentence_transformers", "faiss", "llama_cpp", "litestar", "mcp", "numpy", "icu4py"}
    code = f"import sys, rag.cli.main; print({heavy!r} & set(sys.modules))"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "set()"


@pytest.mark.parametrize("command", ["index", "search", "ask", "chat", "replay", "serve", "mcp", "keys", "models", "doctor"])
def test_every_command_has_help_and_json(command: str) -> None:
    result = rag(command, "--help")
    assert result.returncode == 0
    assert "--json" in result.stdout
    assert "--home" in result.stdout


@pytest.mark.slow("starts a process for each command")
def test_a_missing_index_names_the_command_that_makes_it(home: Path) -> None:
    assert_one_line(rag("ask", QUESTION, RAG_HOME=str(home)), 4, "there is no index", "run `rag index`")
    assert_one_line(rag("search", QUESTION, RAG_HOME=str(home)), 4, "run `rag index`")
    assert_one_line(rag("serve", RAG_HOME=str(home)), 4, "run `rag index`")


@pytest.mark.parametrize("question", ["", "  ", "?", "x" * 2000])
def test_an_invalid_question_is_refused(home: Path, question: str) -> None:
    assert_one_line(rag("ask", question, RAG_HOME=str(home)), 2, "the question")


@pytest.mark.slow("starts a process for each command")
def test_missing_weights_name_the_command_that_fetches_them(home: Path, tmp_path: Path) -> None:
    result = rag("index", RAG_HOME=str(home), RAG_CACHE=str(tmp_path / "none"))
    assert_one_line(result, 5, "are not in", f"run `rag models fetch {EMBEDDER}`")


def test_the_words_that_answer_are_shown_above_the_answer(capsys: pytest.CaptureFixture[str]) -> None:
    question_commands._show_live(Marked(Citation("d1", "a.txt", "0" * 64, 3, 12, "12 \n persen"), 0.874))
    assert capsys.readouterr().out == "» 12 persen  (a.txt, 87%)\n\n"


HOSTILE = "a\x1b]0;x\x07\x9b31m\u202eb\r"


def _passage() -> Passage:
    return Passage("d1", f"{HOSTILE}\n.txt", "id", 0, len(HOSTILE), HOSTILE, 0.5, 0.5, 1.0, None, None, Span(0, len(HOSTILE)))


def test_control_characters_are_shown_escaped(capsys: pytest.CaptureFixture[str]) -> None:
    citation = Citation("d1", f"{HOSTILE}\n.txt", "0" * 64, 0, len(HOSTILE), HOSTILE)
    receipt = Receipt("0", "s", "e", "j", "l", "p", Parameters("", 4, 0.35, "flag", 4096, 160), {})
    answer = Answer("q", "id", True, HOSTILE, (), (citation,), 0.9, (_passage(),), receipt, note=HOSTILE)
    for event in (Found((_passage(),)), Token(HOSTILE), Marked(citation, 0.9)):
        question_commands._show_live(event)
    question_commands._print_answer(answer, Path(), live=False)
    question_commands._print_answer(replace(answer, answered=False), Path(), live=False)
    terminal.complain(HOSTILE + "\n")
    terminal.print_json(answer)
    terminal.print_line(answer)
    said = capsys.readouterr()
    for obeyed in "\x1b\x07\x9b\u202e\r":
        assert obeyed not in said.out + said.err
    for shown in (r"\x1b]0;x\x07\x9b31m\u202eb", r"\u001b", r"\u009b"):
        assert shown in said.out
    assert r"a\x1b]0;x\x07\x9b31m\u202eb\x0d\x0a.txt" in said.out
    assert json.loads(said.out.splitlines()[-1])["text"] == HOSTILE


@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&- >&- 2>&-"])
def test_a_command_works_with_closed_standard_streams(closed: str, tmp_path: Path) -> None:
    def run(*arguments: str) -> "subprocess.CompletedProcess[str]":
        command = ["sh", "-c", f'exec "$@" {closed}', "sh", sys.executable, "-W", "error", "-m", "rag", *arguments]
        home = {**os.environ, "RAG_HOME": str(tmp_path)}
        return subprocess.run(command, capture_output=True, text=True, env=home, timeout=300, check=False)

    done = run("keys", "create", "laptop")
    assert (done.returncode, "Traceback" in done.stderr) == (0, False)
    refused = run("keys", "revoke", "nobody")
    # Errors are never printed on standard output, which programs read.
    assert (refused.returncode, refused.stdout) == (2, "")


def test_an_unknown_setting_is_refused() -> None:
    assert_one_line(rag("doctor", RAG_PASAGES="3"), 2, "did you mean RAG_PASSAGES?")


@pytest.mark.real
def test_index_then_ask_then_nothing_to_do(real_settings: Settings, home: Path) -> None:
    environment = {"RAG_HOME": str(home), "RAG_LLM": SMALL_LLM}
    (home / "seeds" / "empty.txt").write_bytes(b"")
    first = rag("index", **environment)
    assert first.returncode == 3
    assert "empty.txt: it is empty; write something into it" in first.stderr
    assert "indexed: 1 added" in first.stderr
    (home / "seeds" / "empty.txt").unlink()
    again = rag("index", "--json", **environment)
    assert again.returncode == 0
    assert json.loads(again.stdout)["embedded"] == 0
    answer = rag("ask", "Siapa nama Menteri Pertahanan Iran?", "--min-confidence", "0", **environment)
    assert answer.returncode == 0, answer.stderr
    assert "[1] 000_609b8a5cf1dcb706.txt, characters 894-1094:" in answer.stdout
    assert "termasuk Venezuela.”" in answer.stdout
    found = json.loads(rag("search", QUESTION, "--json", "--count", "1", **environment).stdout)
    assert "Venezuela" in found["passages"][0]["text"]
    # Offline, since the hub's own client retries for minutes where there is no network.
    other = {"RAG_EMBEDDER": "other/model", "HF_HUB_OFFLINE": "1"}
    assert_one_line(rag("ask", QUESTION, RAG_HOME=str(home), **other), 5, "other/model")


@pytest.mark.real
def test_nothing_asks_the_network(home: Path, tmp_path: Path) -> None:
    (tmp_path / "block").mkdir()
    (tmp_path / "block" / "sitecustomize.py").write_text(
        "import socket\ndef refuse(*a): raise SystemExit('network: %r' % (a,))\n"
        "socket.socket.connect = socket.socket.connect_ex = refuse\nsocket.getaddrinfo = refuse\n"
    )
    environment = {"RAG_HOME": str(home), "RAG_LLM": SMALL_LLM, "PYTHONPATH": str(tmp_path / "block")}
    assert rag("index", **environment).returncode == 0
    assert rag("ask", QUESTION, **environment).returncode == 0


@pytest.mark.real
@pytest.mark.parametrize("seconds", [0.5, 2.0, 6.0])
def test_interrupting_leaves_one_line_and_the_last_good_index(home: Path, seconds: float) -> None:
    environment = {**os.environ, "RAG_HOME": str(home)}
    assert rag("index", RAG_HOME=str(home)).returncode == 0
    before = (home / "index" / "current").read_text()
    shutil.copy(home / "seeds" / "000_609b8a5cf1dcb706.txt", home / "seeds" / "b.txt")
    # Every chunk another text: equal ones are embedded once, and the build would have ended.
    (home / "seeds" / "b.txt").write_text("".join(f"Harga beras naik {n} rupiah di Jakarta. " for n in range(60_000)))
    command = [sys.executable, "-m", "rag", "index"]
    with subprocess.Popen(
        command,
        env=environment,
        stderr=subprocess.PIPE,
        text=True,
        # A runner in the background hands its children an ignored SIGINT, which Python would keep ignoring.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509 - one thread here
    ) as process:
        time.sleep(seconds)
        process.send_signal(signal.SIGINT)
        _, complaint = process.communicate(timeout=60)
    assert (process.returncode, complaint.strip().splitlines()[-1]) == (130, INTERRUPTED)
    assert "Traceback" not in complaint
    assert (home / "index" / "current").read_text() == before


# As pybind11 and numpy do when Ctrl-C comes during their import; `{where}` is the command, or the code before it.
INTERRUPTED_IMPORT = """
import os, signal
import rag.cli.main, rag.cli.upkeep_commands
from rag.__main__ import run

def importing(*_, **__):
    try:
        os.kill(os.getpid(), signal.SIGINT)
    except KeyboardInterrupt:
        raise ImportError("initialization failed")

{where} = importing
run()
"""


@pytest.mark.parametrize("where", ["rag.cli.upkeep_commands.doctor", "rag.cli.main.main"])
def test_an_interruption_that_a_library_turns_into_its_own_error_is_still_one(where: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", INTERRUPTED_IMPORT.format(where=where), "doctor"],
        env={**os.environ, "RAG_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    assert (done.returncode, done.stderr.strip()) == (130, INTERRUPTED)


@pytest.mark.parametrize(
    ("argument", "hint"),
    [("--pasages=3", "did you mean --passages?"), ("--min_confidence", "did you mean --min-confidence?"), ("--zzz", "--help")],
)
def test_an_unknown_flag_is_refused_with_the_nearest(argument: str, hint: str) -> None:
    assert_one_line(rag("doctor", argument), 2, argument.partition("=")[0], hint)
