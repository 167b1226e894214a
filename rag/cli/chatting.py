"""`rag chat`: questions one after another, each understood by those before it."""

import argparse
import signal
import sys
from collections.abc import Iterator
from types import FrameType
from typing import TYPE_CHECKING, NoReturn

from rag import settings
from rag.cli import question_commands
from rag.cli.terminal import complain, print_line, searching_engine_of
from rag.errors import RagError

if TYPE_CHECKING:
    from rag.engine import Engine
    from rag.types import Answer, Turn


def chat(parsed: argparse.Namespace, chosen: settings.Settings) -> None:
    """`rag chat`: answers until the input ends (Ctrl-D); Ctrl-C stops an answer. Nothing of it is kept."""
    from rag.answering.follow_up import MOST_TURNS
    from rag.types import Turn

    engine = searching_engine_of(chosen)
    engine.snapshot()  # what is wrong with it is better told before one has typed
    engine.models.begin_answering()
    turns: list[Turn] = []
    for question in _questions():
        answer = _interruptible(engine, question, parsed, turns)
        if answer:
            turns = [*turns, Turn(answer.understood_as or question, answer.text)][-MOST_TURNS:]
        print(flush=True)
    engine.models.store.settle()


def _questions() -> Iterator[str]:
    """What is typed, line by line; on a terminal after a prompt, with its history under the arrow keys."""
    if not sys.stdin.isatty():
        yield from (line for line in sys.stdin if line.strip())
        return
    import readline  # noqa: F401 - `input` edits lines where it is imported

    print("Ask. Ctrl-C stops an answer, Ctrl-D ends.\n", file=sys.stderr)
    while True:
        try:
            line = input("> ")
        except EOFError:
            print()
            return
        if line.strip():
            yield line


def _interruptible(engine: "Engine", question: str, parsed: argparse.Namespace, turns: "list[Turn]") -> "Answer | None":
    """The answer; None where Ctrl-C stopped it, or where it went wrong and a person can ask something else."""
    pressed = False

    def stop(_signal: int, _frame: FrameType | None) -> NoReturn:
        nonlocal pressed
        pressed = True
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGINT, stop)
    try:
        return _answered(engine, question, parsed, turns)
    except BaseException as error:
        # Some native library may have made another error of the interruption.
        if not pressed and not (isinstance(error, RagError) and sys.stdin.isatty()):
            raise
        complain("stopped" if pressed else str(error))
        return None
    finally:
        signal.signal(signal.SIGINT, before)


def _answered(engine: "Engine", question: str, parsed: argparse.Namespace, turns: "list[Turn]") -> "Answer":
    if not parsed.json:
        return question_commands.show(engine, question, parsed.where, turns)
    from rag.engine import whole

    answer = whole(engine.ask(question, parsed.where, history=turns))
    print_line(answer)
    return answer
