"""The commands that answer: `rag search`, `rag ask`, `rag chat`, `rag replay`, `rag serve` and `rag mcp`.

On a terminal an answer is shown while it is made; elsewhere, and as JSON, only when it is complete.
"""

import argparse
import signal
import sys
import textwrap
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, NoReturn

from rag import settings
from rag.cli.terminal import (
    BOLD,
    DIM,
    complain,
    engine_of,
    linked,
    one_line,
    place,
    print_json,
    print_line,
    searching_engine_of,
    styled,
    visible,
    visible_lines,
)
from rag.errors import RagError

if TYPE_CHECKING:
    from rag.engine import Engine
    from rag.types import Answer, Event, Passage, Turn

# Characters of a passage that are shown in a preview.
_PREVIEW = 110


def search(parsed: argparse.Namespace, chosen: settings.Settings) -> None:
    """`rag search`: the passages, each with its place and scores."""
    passages = searching_engine_of(chosen).search(parsed.question, parsed.count, parsed.where, judged=parsed.judged)
    if parsed.json:
        print_json({"question": parsed.question, "passages": passages})
        return
    for number, passage in enumerate(passages, 1):
        print(f"{number}. {place(passage)}  {_scores(passage)}\n   {one_line(passage.text)}\n")


def _scores(passage: "Passage") -> str:
    judged = "" if passage.confidence is None else f"answers {passage.confidence:.0%}, "
    return f"{passage.score:.2f} ({judged}meaning {passage.dense:.3f}, words {passage.lexical:.1f})"


def ask(parsed: argparse.Namespace, chosen: settings.Settings) -> None:
    """`rag ask`: the answer with its citations, or a refusal with the nearest passages."""
    engine = searching_engine_of(chosen)
    if parsed.json:
        print_json(engine.ask(parsed.question, parsed.where))
    else:
        show(engine, parsed.question, parsed.where)
    sys.stdout.flush()
    engine.models.store.settle()


def show(engine: "Engine", question: str, where: str, history: "Sequence[Turn]" = ()) -> "Answer":
    """Ask, and print the answer; on a terminal also while it is made. Raises as `Engine.ask` does."""
    from rag.engine import whole

    live = sys.stdout.isatty()
    answer = whole(engine.stream(question, where, history=history), _show_live if live else lambda _: None)
    _print_answer(answer, engine.settings.seeds, live=live)
    return answer


def _show_live(event: "Event") -> None:
    """Print an event: the answer as it is written, and on standard error the passages it is looked for in."""
    from rag.types import Found, Marked, Token, Understood

    if isinstance(event, Found):
        previews = "\n".join(_preview(passage) for passage in event.passages)
        print(styled(previews, DIM, sys.stderr), file=sys.stderr)
    elif isinstance(event, Understood):
        print(f"↳ {one_line(event.question)}", flush=True)
    elif isinstance(event, Marked):
        where = visible(event.citation.path)
        print(f"» {styled(one_line(event.citation.text), BOLD)}  ({where}, {event.confidence:.0%})\n", flush=True)
    elif isinstance(event, Token):
        print(visible_lines(event.text), end="", flush=True)


def _print_answer(answer: "Answer", seeds: Path, *, live: bool) -> None:
    if live:
        print("\n")
    elif answer.understood_as:
        print(f"↳ {one_line(answer.understood_as)}")
    print(visible_lines(answer.text))
    if answer.note:
        print(f"({visible(answer.note)})")
    if answer.answered:
        for number, citation in enumerate(answer.citations, 1):
            page = f"page {citation.page}, " if citation.page else ""
            where = linked(visible(citation.path), seeds / citation.path)
            print(f"\n{styled(f'[{number}]', BOLD)} {where}, {page}characters {citation.start}-{citation.end}:")
            print(styled(f"    “{one_line(citation.text)}”", DIM))
    elif answer.passages:
        print("\n" + "\n".join(_preview(passage) for passage in answer.passages[:3]))


def _preview(passage: "Passage") -> str:
    """The place of the passage, and the words to look at first."""
    span = passage.highlight
    words = passage.text[span.start - passage.start : span.end - passage.start] if span else passage.text
    return f"  ? {place(passage)}  {visible(textwrap.shorten(words, _PREVIEW, placeholder='…'))}"


def replay(parsed: argparse.Namespace, chosen: settings.Settings) -> int:
    """`rag replay`: repeats the question of an answer. Fails if a part it was made with is missing, or the answer differs."""
    from rag import replay as replaying

    past = replaying.read(parsed.answer)
    engine = engine_of(replaying.settings_of(past, chosen))
    if lacking := list(replaying.lacking(past, engine)):
        for error in lacking:
            complain(str(error))
        return lacking[0].exit_code
    found = replaying.replay(past, engine)
    if parsed.json:
        print_json(found)
    else:
        for part in ("text", "citations", "verdicts"):
            print(f"{part}: {'not ' if part in found.differing else ''}the same")
    if not found.differing:
        return 0
    error = replaying.changed(past, found)
    if not parsed.json:
        print(f"\nthen: {visible_lines(past.text)}\nnow:  {visible_lines(found.answer.text)}")
    complain(str(error))
    return error.exit_code


def serve(_parsed: argparse.Namespace, chosen: settings.Settings) -> None:
    """`rag serve`: runs until interrupted."""
    engine = searching_engine_of(chosen)
    from rag.web import serving

    serving.serve(engine, complain)


def mcp(_parsed: argparse.Namespace, chosen: settings.Settings) -> None:
    """`rag mcp`: runs until the client closes standard input. Standard output has nothing but the protocol."""
    from rag.web.mcp.server import serve

    serve(searching_engine_of(chosen))


def chat(parsed: argparse.Namespace, chosen: settings.Settings) -> None:
    """`rag chat`: answers until the input ends (Ctrl-D). Ctrl-C stops an answer. The conversation is not kept."""
    from rag.answering.follow_up import MOST_TURNS
    from rag.types import Turn

    engine = searching_engine_of(chosen)
    engine.snapshot()  # report a missing or damaged index before the user types
    engine.models.begin_answering()
    turns: list[Turn] = []
    for question in _questions():
        answer = _interruptible(engine, question, parsed, turns)
        if answer:
            turns = [*turns, Turn(answer.understood_as or question, answer.text)][-MOST_TURNS:]
        print(flush=True)
    engine.models.store.settle()


def _questions() -> Iterator[str]:
    """The lines of standard input; on a terminal after a prompt, with a history."""
    if not sys.stdin.isatty():
        yield from (line for line in sys.stdin if line.strip())
        return
    import readline  # noqa: F401 - importing it lets `input` edit lines

    print("Ask a question. Ctrl-C stops an answer, Ctrl-D ends the chat.\n", file=sys.stderr)
    while True:
        try:
            line = input("> ")
        except EOFError:
            print()
            return
        if line.strip():
            yield line


def _interruptible(engine: "Engine", question: str, parsed: argparse.Namespace, turns: "list[Turn]") -> "Answer | None":
    """The answer; None if Ctrl-C stopped it, or if it failed on a terminal, where the user can go on."""
    pressed = False

    def stop(_signal: int, _frame: FrameType | None) -> NoReturn:
        nonlocal pressed
        pressed = True
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGINT, stop)
    try:
        return _answered(engine, question, parsed, turns)
    except BaseException as error:
        # A native library may have turned the interruption into another error.
        if not pressed and not (isinstance(error, RagError) and sys.stdin.isatty()):
            raise
        complain("stopped" if pressed else str(error))
        return None
    finally:
        signal.signal(signal.SIGINT, before)


def _answered(engine: "Engine", question: str, parsed: argparse.Namespace, turns: "list[Turn]") -> "Answer":
    if not parsed.json:
        return show(engine, question, parsed.where, turns)

    answer = engine.ask(question, parsed.where, history=turns)
    print_line(answer)
    return answer
