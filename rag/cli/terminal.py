"""What every command says things with: lines, JSON, progress."""

import json
import os
import sys
from dataclasses import asdict, is_dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from rag import settings

if TYPE_CHECKING:
    from rag.engine import Engine
    from rag.types import Passage

BOLD, DIM = "1", "2"
# What a terminal obeys instead of showing it: control characters, and those that turn the direction of what is around them.
_OBEYED = (*range(0x20), *range(0x7F, 0xA0), *range(0x202A, 0x202F), *range(0x2066, 0x206A))
_SEEN = {code: f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" for code in _OBEYED}
_SEEN_IN_LINES = {code: seen for code, seen in _SEEN.items() if chr(code) not in "\t\n"}
# JSON escapes those below the space itself.
_SEEN_IN_JSON = {code: f"\\u{code:04x}" for code in _OBEYED if code >= 0x7F}


def visible(text: str) -> str:
    r"""The text with what a terminal would obey written out, as `\x1b`: documents and their names may hold it."""
    return text.translate(_SEEN)


def visible_lines(text: str) -> str:
    """As `visible`, of a text of several lines."""
    return text.translate(_SEEN_IN_LINES)


def complain(line: str) -> None:
    """One line on standard error."""
    print(f"rag: {visible(line)}", file=sys.stderr)


def print_json(value: object) -> None:
    """One JSON value on standard output."""
    print(_json(value, indent=1))


def print_line(value: object) -> None:
    """One JSON value on a line of standard output, at once."""
    print(_json(value), flush=True)


def _json(value: object, indent: int | None = None) -> str:
    return json.dumps(value, ensure_ascii=False, indent=indent, default=_plain).translate(_SEEN_IN_JSON)


def _plain(value: object) -> object:
    return asdict(value) if is_dataclass(value) and not isinstance(value, type) else str(value)


def engine_of(chosen: settings.Settings) -> "Engine":
    """An engine; its libraries are imported only now."""
    from rag.engine import Engine

    return Engine(chosen)


def searching_engine_of(chosen: settings.Settings) -> "Engine":
    """An engine that opens what a search takes beside what else has to be done before it."""
    engine = engine_of(chosen)
    engine.models.begin_searching()
    return engine


# What each stage of a build, of warming and of an evaluation counts.
_UNITS = {"reading": "document", "embedding": "chunk", "warming": "passage", "asking": "question", "judging": "item"}


class Progress:
    """Shows on standard error how far a build or an evaluation is: a bar on a terminal, nothing elsewhere."""

    def __init__(self) -> None:
        self._bar: Any = None

    def __call__(self, stage: str, done: int, total: int) -> None:
        """`done` of `total` of the stage are done. `waiting` has neither: another process builds."""
        if stage == "waiting":
            print("another `rag index` is at work here; waiting for it", file=sys.stderr)
            return
        from tqdm import tqdm

        if self._bar is None:
            self._bar = tqdm(total=total, unit=_UNITS[stage], desc=stage, disable=not sys.stderr.isatty())
        self._bar.update(done - self._bar.n)
        if done == total:
            self._bar.close()
            self._bar = None


def print_progress(stage: str, done: int, total: int) -> None:
    """How far a build is, as a line of JSON on standard output, for programs."""
    print_line({"stage": stage, "done": done, "total": total})


def place(passage: "Passage") -> str:
    """Where a passage stands."""
    page = f", page {passage.page}" if passage.page else ""
    return f"{visible(passage.path)}:{passage.start}-{passage.end}{page}"


def one_line(text: str) -> str:
    """The text without line breaks, nor anything that a terminal would obey."""
    return visible(" ".join(text.split()))


def styled(text: str, style: str, stream: TextIO | None = None) -> str:
    """The text bold or dim on a terminal that is to have colours, else as it is."""
    if "NO_COLOR" in os.environ or not _is_terminal(stream or sys.stdout):
        return text
    return f"\x1b[{style}m{text}\x1b[0m"


def linked(text: str, file: Path) -> str:
    """The text as a link that opens the file (OSC 8), on a terminal; else as it is."""
    if not _is_terminal(sys.stdout) or not file.exists():
        return text
    return f"\x1b]8;;{file.absolute().as_uri()}\x1b\\{text}\x1b]8;;\x1b\\"


def _is_terminal(stream: TextIO) -> bool:
    return stream.isatty() and os.environ.get("TERM") != "dumb"
