"""Output of all commands: lines, JSON, progress, styles and links. Text of documents cannot control the terminal."""

import json
import os
import sys
from dataclasses import asdict, is_dataclass
from pathlib import Path
from threading import RLock
from typing import TYPE_CHECKING, Any, TextIO

from rag import settings

if TYPE_CHECKING:
    from rag.engine import Engine
    from rag.types import Passage

BOLD, DIM = "1", "2"
# Characters that a terminal obeys: control characters, and those that change the direction of the text around them.
_CONTROLS = (*range(0x20), *range(0x7F, 0xA0), *range(0x202A, 0x202F), *range(0x2066, 0x206A))
_ESCAPES = {code: f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" for code in _CONTROLS}
_ESCAPES_IN_LINES = {code: escape for code, escape in _ESCAPES.items() if chr(code) not in "\t\n"}
# Those below the space are escaped by JSON itself.
_ESCAPES_IN_JSON = {code: f"\\u{code:04x}" for code in _CONTROLS if code >= 0x7F}


def visible(text: str) -> str:
    r"""The text with control characters escaped, such as `\x1b`: documents and their names may contain them."""
    return text.translate(_ESCAPES)


def visible_lines(text: str) -> str:
    """As `visible`, but line breaks and tabs stay."""
    return text.translate(_ESCAPES_IN_LINES)


def complain(line: str) -> None:
    """Print one line on standard error."""
    print(f"rag: {visible(line)}", file=sys.stderr)


def print_json(value: object) -> None:
    """Print a JSON value on standard output, indented."""
    print(_json(value, indent=1))


def print_line(value: object) -> None:
    """Print a JSON value as one line of standard output, and flush it."""
    print(_json(value), flush=True)


def _json(value: object, indent: int | None = None) -> str:
    return json.dumps(value, ensure_ascii=False, indent=indent, default=_plain).translate(_ESCAPES_IN_JSON)


def _plain(value: object) -> object:
    return asdict(value) if is_dataclass(value) and not isinstance(value, type) else str(value)


def engine_of(chosen: settings.Settings) -> "Engine":
    """An engine. Its libraries are imported only here, so that other commands start fast."""
    from rag.engine import Engine

    return Engine(chosen)


def searching_engine_of(chosen: settings.Settings) -> "Engine":
    """An engine that loads what a search needs in the background."""
    engine = engine_of(chosen)
    engine.models.begin_searching()
    return engine


# The unit of each stage of a build, of warming and of an evaluation.
_UNITS = {"reading": "document", "embedding": "chunk", "warming": "passage", "asking": "question", "judging": "item"}


def bar(**options: Any) -> Any:
    """A progress bar of tqdm, with its options."""
    from tqdm import tqdm

    # By default tqdm also locks between processes, with a semaphore. `__main__` exits without cleaning up, and Python 3.14 then
    # reports that semaphore as leaked.
    tqdm.set_lock(RLock())
    return tqdm(**options)


class Progress:
    """Shows the progress of a build or an evaluation on standard error: a bar on a terminal, nothing elsewhere."""

    def __init__(self) -> None:
        self._bar: Any = None

    def __call__(self, stage: str, done: int, total: int) -> None:
        """Report that `done` of `total` are done in the stage. The stage `waiting` means that another process is building."""
        if stage == "waiting":
            print("another `rag index` is running in this home; waiting for it", file=sys.stderr)
            return
        if self._bar is None:
            self._bar = bar(total=total, unit=_UNITS[stage], desc=stage, disable=not sys.stderr.isatty())
        self._bar.update(done - self._bar.n)
        if done == total:
            self._bar.close()
            self._bar = None


def print_progress(stage: str, done: int, total: int) -> None:
    """Report the progress of a build as a line of JSON on standard output, for programs."""
    print_line({"stage": stage, "done": done, "total": total})


def place(passage: "Passage") -> str:
    """The place of a passage: path, range of characters, page."""
    page = f", page {passage.page}" if passage.page else ""
    return f"{visible(passage.path)}:{passage.start}-{passage.end}{page}"


def one_line(text: str) -> str:
    """The text on one line, with control characters escaped."""
    return visible(" ".join(text.split()))


def styled(text: str, style: str, stream: TextIO | None = None) -> str:
    """The text in bold or dim on a terminal; unchanged elsewhere, and if NO_COLOR is set."""
    if "NO_COLOR" in os.environ or not _is_terminal(stream or sys.stdout):
        return text
    return f"\x1b[{style}m{text}\x1b[0m"


def linked(text: str, file: Path) -> str:
    """The text as a link to the file (OSC 8) on a terminal; unchanged elsewhere, and if there is no such file."""
    if not _is_terminal(sys.stdout) or not file.exists():
        return text
    return f"\x1b]8;;{file.absolute().as_uri()}\x1b\\{text}\x1b]8;;\x1b\\"


def _is_terminal(stream: TextIO) -> bool:
    return stream.isatty() and os.environ.get("TERM") != "dumb"
