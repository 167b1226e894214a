"""The command line: parse arguments, run a command, turn any error into one line and an exit code."""

import argparse
import os
import signal
import sys
from collections.abc import Callable, Sequence
from dataclasses import fields
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from rag import __version__, settings
from rag.cli import evaluation_commands, index_commands, question_commands, upkeep_commands
from rag.cli.terminal import complain
from rag.errors import QuestionError, RagError, StorageError

_INTERRUPTED = 130


def main(arguments: Sequence[str] | None = None, interrupted: Callable[[], bool] = lambda: False) -> int:
    """Run one command and return its exit code: 0, that of the error (see `rag.errors`), or 130 for Ctrl-C.

    `interrupted` tells of a Ctrl-C that reached us as another error than KeyboardInterrupt.
    """
    parsed, unknown = _parser().parse_known_args(arguments)
    try:
        _refuse(unknown)
        code = int(parsed.run(parsed, settings.load(os.environ, vars(parsed))) or 0)
        sys.stdout.flush()
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 - whatever it is, a person gets a line, not a trace
        return _told(KeyboardInterrupt() if interrupted() else error)
    return code


def _told(error: BaseException) -> int:
    """The exit code of the error, after one line about it."""
    line, code = f"a mistake in rag itself: {type(error).__name__}: {error}; please report it with the command you ran", 1
    match error:
        case RagError():
            line, code = str(error), error.exit_code
        case KeyboardInterrupt():
            line, code = "interrupted; run the same command again: what was finished is kept", _INTERRUPTED
        case BrokenPipeError():
            # The reader of our output has gone (as `head` does); there is nobody left to tell.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return 128 + signal.SIGPIPE
        case UnicodeEncodeError():
            line = f"the terminal cannot show {error.object[error.start]!a}; set PYTHONIOENCODING=utf-8"
        case OSError():
            line = f"{error.strerror or error} ({error.filename or 'output'}); run `rag doctor`"
            code = StorageError.exit_code
    complain(line)
    return code


def _refuse(unknown: Sequence[str]) -> None:
    """Raises QuestionError for the first argument that the command does not take, with the nearest setting."""
    if not unknown:
        return
    name, flags = unknown[0].partition("=")[0], [_flag(field.name) for field in fields(settings.Settings)]
    near = get_close_matches(name, flags, n=1)
    raise QuestionError(f"there is no {name} here", f"did you mean {near[0]}?" if near else "see what there is with --help")


def _flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="rag", description="Ask your own documents. Every sentence of an answer is cited.")
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    index = _command(commands, "index", index_commands.index, "bring the index in line with seeds/")
    index.add_argument(
        "paths", nargs="*", metavar="PATH", help="files or folders to copy into seeds/ first; - for standard input"
    )
    index.add_argument("--name", metavar="FILE", help="what standard input is called in seeds/, as notes.md")
    how = index.add_mutually_exclusive_group()
    how.add_argument("--rebuild", action="store_true", help="reuse nothing of the old index")
    how.add_argument("--watch", action="store_true", help="go on, and index what changes in seeds/ until interrupted")
    how.add_argument("--warm", action="store_true", help="then read every passage, so that no question waits for it")
    how.add_argument("--verify", action="store_true", help="build nothing; read the whole index and say what is wrong with it")
    index.add_argument("--progress", action="store_true", help="tell each step, and the report, as a line of JSON")
    search = _command(commands, "search", question_commands.search, "find the passages nearest to a question")
    search.add_argument("question")
    search.add_argument("--count", type=int, default=5, help="passages to show (5)")
    search.add_argument("--judged", action="store_true", help="let the judge read the passages, and put them in its order")
    ask = _command(commands, "ask", question_commands.ask, "answer a question from the documents")
    ask.add_argument("question")
    about = "ask again what an answer was asked, of the same snapshot, and say whether the answer is the same"
    again = _command(commands, "replay", question_commands.replay, about)
    again.add_argument("answer", type=Path, metavar="ANSWER.json", help="what `rag ask --json` wrote")
    chat = _command(
        commands, "chat", question_commands.chat, "answer one question after another, each understood by those before it"
    )
    for command in (search, ask, chat):
        command.add_argument(
            "--where", default="", metavar="FILTER", help="as in: language=id and folder=news and date>=2026-01"
        )
    kept = _command(
        commands, "snapshots", index_commands.snapshots, "list the states of the index, go back to one, remove old ones"
    )
    kept.add_argument("action", nargs="?", choices=("list", "rollback", "prune"), default="list")
    kept.add_argument("id", nargs="?", help="the snapshot to go back to")
    kept.add_argument("--keep", type=int, default=1, metavar="N", help="how many prune leaves (1)")
    _command(commands, "serve", question_commands.serve, "answer over HTTP")
    _command(
        commands, "mcp", question_commands.mcp, "answer a client of the Model Context Protocol, over standard input and output"
    )
    _keys(commands)
    _evaluations(commands)
    weights = _command(commands, "models", upkeep_commands.run_models, "list, fetch or verify the weights")
    weights.add_argument("action", nargs="?", choices=("list", "fetch", "verify"), default="list")
    weights.add_argument("names", nargs="*", metavar="NAME", help="models; those of the settings where none is named")
    _command(commands, "doctor", evaluation_commands.doctor, "check the settings, weights and index")
    return parser


def _keys(commands: Any) -> None:
    command = _command(commands, "keys", upkeep_commands.run_keys, "list, create or revoke the keys that `rag serve` asks for")
    command.add_argument("action", nargs="?", choices=("list", "create", "revoke"), default="list")
    command.add_argument("name", nargs="?", metavar="NAME", help="whose key it is, or what for")
    about = "what a new key allows, each with all before it: to ask, to change documents, to change what serves (read)"
    command.add_argument("--scope", choices=("read", "ingest", "admin"), default="read", help=about)
    command.add_argument("--days", type=int, metavar="N", help="when a new key ends (never)")


def _evaluations(commands: Any) -> None:
    about = "measure search, the judge or answers on questions whose answering passages are known"
    kinds = commands.add_parser("eval", help=about, description=about).add_subparsers(required=True, metavar="WHAT")
    retrieval = _command(
        kinds, "retrieval", evaluation_commands.evaluate_retrieval, "dense, lexical and hybrid search side by side"
    )
    judge = _command(
        kinds, "judge", evaluation_commands.evaluate_judge, "the judge's verdicts, marked words, order and checks of claims"
    )
    answers = _command(
        kinds, "answers", evaluation_commands.evaluate_answers, "whole answers: gold, citations, refusals, seconds"
    )
    extras = {retrieval: "", judge: ", answers, paired, pool", answers: ", answers, evidence, answerable"}
    for kind, extra in extras.items():
        kind.add_argument("--corpus", required=True, type=Path, metavar="FILE", help="JSON lines with id, title, text")
        about = f"JSON lines with id, question, lang, relevant{extra}"
        kind.add_argument("--questions", required=True, type=Path, metavar="FILE", help=about)
        kind.add_argument("--keep", type=Path, metavar="FOLDER", help="keep the corpus' index there, for the next run")
    about = "JSON lines with question_id, claim, cited, attributable"
    judge.add_argument("--claims", type=Path, metavar="FILE", help=about)
    judge.add_argument("--pictures", type=Path, metavar="FOLDER", help="write reliability diagrams there")
    answers.add_argument(
        "--sample", type=int, metavar="N", help="ask N answerable and N other questions, always the same (all)"
    )
    about = "ask N of each kind in the plain way too: all passages in one prompt (0)"
    answers.add_argument("--plain", type=int, default=0, metavar="N", help=about)
    about = "keep each outcome there, and go on after those that are there"
    answers.add_argument("--outcomes", type=Path, metavar="FILE", help=about)
    answers.add_argument("--pictures", type=Path, metavar="FOLDER", help="draw there what refusing is worth")


def _command(commands: Any, name: str, run: Any, about: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(name, help=about, description=about)
    parser.set_defaults(run=run)
    parser.add_argument("--json", action="store_true", help="print one JSON value")
    group = parser.add_argument_group("settings")
    for field in fields(settings.Settings):
        if field.default_factory is settings.Secret:  # other users of the machine see command lines
            continue
        variable = settings.PREFIX + field.name.upper()
        group.add_argument(_flag(field.name), help=f"{field.metadata['about']} [{variable}]".replace("%", "%%"), metavar="X")
    return parser
