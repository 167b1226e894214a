"""The command line: parses arguments, runs a command, and turns any error into one line and an exit code."""

import argparse
import os
import signal
import sys
from collections.abc import Callable, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from rag import __version__, settings
from rag.cli import evaluation_commands, index_commands, question_commands, upkeep_commands
from rag.cli.terminal import complain
from rag.errors import QuestionError, RagError, StorageError

_INTERRUPTED = 130


def main(arguments: Sequence[str] | None = None, interrupted: Callable[[], bool] = lambda: False) -> int:
    """Run one command. Returns its exit code: 0, that of the error (see `rag.errors`), or 130 after Ctrl-C.

    `interrupted` returns whether Ctrl-C was pressed, since a library may turn KeyboardInterrupt into another error.
    """
    parsed, unknown = _parser().parse_known_args(arguments)
    try:
        _refuse_unknown(unknown)
        code = int(parsed.run(parsed, settings.load(os.environ, vars(parsed))) or 0)
        sys.stdout.flush()
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 - a user gets one line for any error, not a traceback
        return _report(KeyboardInterrupt() if interrupted() else error)
    return code


def _report(error: BaseException) -> int:
    """Print one line about the error. Returns its exit code."""
    line, code = f"internal error: {type(error).__name__}: {error}; please report it with the command you ran", 1
    match error:
        case RagError():
            line, code = str(error), error.exit_code
        case KeyboardInterrupt():
            line, code = "interrupted; run the same command again: what was finished is kept", _INTERRUPTED
        case BrokenPipeError():
            # The reader of standard output has closed it, as `head` does: this is not reported.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return 128 + signal.SIGPIPE
        case UnicodeEncodeError():
            line = f"the terminal cannot show {error.object[error.start]!a}; set PYTHONIOENCODING=utf-8"
        case OSError():
            line = f"{error.strerror or error} ({error.filename or 'output'}); run `rag doctor`"
            code = StorageError.exit_code
    complain(line)
    return code


def _refuse_unknown(arguments: Sequence[str]) -> None:
    """Raises QuestionError for the first unknown argument, with the nearest setting as the hint."""
    if not arguments:
        return
    name, flags = arguments[0].partition("=")[0], [settings.flag(field.name) for field in fields(settings.Settings)]
    raise QuestionError(f"there is no argument {name}", settings.nearest(name, flags, "see --help for the arguments"))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="rag", description="Ask your own documents. Every sentence of an answer is cited.")
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    index = _command(commands, "index", index_commands.index, "update the index to the documents in seeds/")
    index.add_argument(
        "paths", nargs="*", metavar="PATH", help="files or folders to copy into seeds/ first; - for standard input"
    )
    index.add_argument("--name", metavar="FILE", help="file name in seeds/ for standard input, such as notes.md")
    how = index.add_mutually_exclusive_group()
    how.add_argument("--rebuild", action="store_true", help="rebuild from scratch, reusing nothing of the old index")
    how.add_argument("--watch", action="store_true", help="keep running, and index each change in seeds/ until interrupted")
    how.add_argument("--warm", action="store_true", help="after indexing, preload every passage into the passage store")
    how.add_argument("--verify", action="store_true", help="build nothing; read the whole index and report damage")
    index.add_argument("--progress", action="store_true", help="print each step, and the report, as a line of JSON")
    search = _command(commands, "search", question_commands.search, "find the passages nearest to a question")
    search.add_argument("question")
    search.add_argument("--count", type=int, default=5, help="number of passages (default: 5)")
    search.add_argument("--judged", action="store_true", help="let the judge read and rank the passages")
    ask = _command(commands, "ask", question_commands.ask, "answer a question from the documents")
    ask.add_argument("question")
    about = "repeat the question of a saved answer on the same snapshot, and report whether the answer is the same"
    again = _command(commands, "replay", question_commands.replay, about)
    again.add_argument("answer", type=Path, metavar="ANSWER.json", help="the output of `rag ask --json`")
    chat = _command(commands, "chat", question_commands.chat, "answer questions in a conversation, with follow-up questions")
    for command in (search, ask, chat):
        command.add_argument(
            "--where",
            default="",
            metavar="FILTER",
            help="restrict the search, for example: language=id and folder=news and date>=2026-01",
        )
    kept = _command(
        commands, "snapshots", index_commands.snapshots, "list the snapshots of the index, roll back to one, or remove old ones"
    )
    kept.add_argument("action", nargs="?", choices=("list", "rollback", "prune"), default="list")
    kept.add_argument("id", nargs="?", help="the snapshot to roll back to")
    kept.add_argument("--keep", type=int, default=1, metavar="N", help="number of snapshots that prune keeps (default: 1)")
    _command(commands, "serve", question_commands.serve, "serve the HTTP API and the web page")
    _command(commands, "mcp", question_commands.mcp, "serve the Model Context Protocol over standard input and output")
    _keys(commands)
    _evaluations(commands)
    weights = _command(commands, "models", upkeep_commands.models, "list, download or verify the weights")
    weights.add_argument("action", nargs="?", choices=("list", "fetch", "verify"), default="list")
    weights.add_argument(
        "names", nargs="*", metavar="NAME", help="models of the catalogue (default: all; fetch: those of the settings)"
    )
    _command(commands, "doctor", upkeep_commands.doctor, "check the settings, weights, index and machine")
    return parser


def _keys(commands: Any) -> None:
    command = _command(commands, "keys", upkeep_commands.keys, "list, create or revoke the API keys of `rag serve`")
    command.add_argument("action", nargs="?", choices=("list", "create", "revoke"), default="list")
    command.add_argument("name", nargs="?", metavar="NAME", help="name of the key, such as its owner or purpose")
    about = (
        "permission of a new key; each scope includes the previous ones: ask, change documents, rebuild the index "
        "(default: read)"
    )
    command.add_argument("--scope", choices=("read", "ingest", "admin"), default="read", help=about)
    command.add_argument("--days", type=int, metavar="N", help="number of days after which a new key expires (default: never)")


def _evaluations(commands: Any) -> None:
    about = "measure search, the judge or answers on a data set of questions"
    kinds = commands.add_parser("eval", help=about, description=about).add_subparsers(required=True, metavar="WHAT")
    retrieval = _command(kinds, "retrieval", evaluation_commands.evaluate_retrieval, "compare dense, lexical and hybrid search")
    judge = _command(
        kinds,
        "judge",
        evaluation_commands.evaluate_judge,
        "measure the judge: verdicts, marked words, re-ranking, support of claims",
    )
    answers = _command(
        kinds,
        "answers",
        evaluation_commands.evaluate_answers,
        "measure whole answers: correctness, citations, refusals, seconds",
    )
    extras = {retrieval: "", judge: ", answers, paired, pool", answers: ", answers, evidence, answerable"}
    for kind, extra in extras.items():
        kind.add_argument("--corpus", required=True, type=Path, metavar="FILE", help="JSON lines with id, title, text")
        about = f"JSON lines with id, question, lang, relevant{extra}"
        kind.add_argument("--questions", required=True, type=Path, metavar="FILE", help=about)
        kind.add_argument("--keep", type=Path, metavar="FOLDER", help="keep the index of the corpus there, for the next run")
    about = "JSON lines with question_id, claim, cited, attributable"
    judge.add_argument("--claims", type=Path, metavar="FILE", help=about)
    judge.add_argument("--pictures", type=Path, metavar="FOLDER", help="draw reliability diagrams there")
    answers.add_argument(
        "--sample", type=int, metavar="N", help="ask N answerable and N other questions, always the same ones (default: all)"
    )
    about = "also ask N of each kind with all passages in one prompt, as a baseline (default: 0)"
    answers.add_argument("--plain", type=int, default=0, metavar="N", help=about)
    about = "save each outcome in FILE and resume an interrupted run"
    answers.add_argument("--outcomes", type=Path, metavar="FILE", help=about)
    answers.add_argument("--pictures", type=Path, metavar="FOLDER", help="draw precision and recall of refusals there")


def _command(commands: Any, name: str, run: Any, about: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(name, help=about, description=about)
    parser.set_defaults(run=run)
    parser.add_argument("--json", action="store_true", help="print one JSON value")
    group = parser.add_argument_group("settings")
    for field in fields(settings.Settings):
        if field.default_factory is settings.Secret:  # other users of the machine can see command lines
            continue
        variable = settings.PREFIX + field.name.upper()
        group.add_argument(
            settings.flag(field.name), help=f"{field.metadata['about']} [{variable}]".replace("%", "%%"), metavar="X"
        )
    return parser
