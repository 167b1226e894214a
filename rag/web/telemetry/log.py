"""What is noted of the request under way, in whatever thread it is worked on: its id, and what its line in the log says.

How the service's log looks: lines for people, or an object of JSON on each line. No line says what was asked, unless it may.

An error that nobody foresaw may quote a question or a document. Then its kind and the places it went through are told, and
its text only where questions may be.
"""

import json
import logging
import re
import secrets
import traceback
from collections.abc import Iterator
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TextIO

from rag.settings import AUTO, CONSOLE, Settings

# Ids that others give are taken where they can stand in a header, a URN and a log as they are.
_SANE = re.compile(r"[A-Za-z0-9._~-]{1,64}")


@dataclass(slots=True)
class Noted:
    """A request's id, and the fields of its line; `questions` is whether what is asked may be among them."""

    id: str
    questions: bool = False
    fields: dict[str, object] = field(default_factory=dict)


_current: ContextVar[Noted | None] = ContextVar("noted", default=None)


def begin(given: str, *, questions: bool) -> Noted:
    """Notes for a request that begins in this context, under the id it came with where that is sane, else a new one."""
    noted = Noted(given if _SANE.fullmatch(given) else secrets.token_hex(8), questions)
    _current.set(noted)
    return noted


def note(**fields: object) -> None:
    """Add fields to the line of the request under way; outside of one nothing is noted."""
    if noted := _current.get():
        noted.fields.update(fields)


def note_question(question: str) -> None:
    """The same with what is asked, where that may be noted."""
    if (noted := _current.get()) and noted.questions:
        noted.fields["question"] = question


def request_id() -> str:
    """The id of the request under way; empty outside of one."""
    noted = _current.get()
    return noted.id if noted else ""


class _Told(logging.Formatter):
    def __init__(self, *, questions: bool) -> None:
        super().__init__()
        self._questions = questions

    def values(self, record: logging.LogRecord) -> dict[str, object]:
        """What there is to say beside the message."""
        values: dict[str, object] = dict(getattr(record, "fields", {}))
        if request := request_id():
            values["request"] = request
        return values

    def error(self, record: logging.LogRecord) -> str:
        error = record.exc_info[1] if record.exc_info else None
        return "".join(_traced(error, whole=self._questions)) if error else ""


class JsonLines(_Told):
    """An object of JSON for each record: time, level, logger, message, then its fields."""

    def format(self, record: logging.LogRecord) -> str:
        """The line, in ASCII: whatever reads it need not know of encodings."""
        head = {"time": _time(record), "level": record.levelname.lower(), "logger": record.name, "message": record.getMessage()}
        error = {"error": trace} if (trace := self.error(record)) else {}
        return json.dumps({**head, **self.values(record), **error}, default=str)


class ConsoleLines(_Told):
    """A line for people: the time of day, the message, then the fields; a level only where it is a warning or worse."""

    def format(self, record: logging.LogRecord) -> str:
        """The line, and where an error is told, the lines of its trace."""
        level = "" if record.levelno <= logging.INFO else f"{record.levelname} "
        said = " ".join((record.getMessage(), *(f"{name}={_shown(value)}" for name, value in self.values(record).items())))
        trace = self.error(record)
        return f"{_time(record)[11:19]} {level}{said}" + (f"\n{trace}" if trace else "")


def configure(settings: Settings, stream: TextIO) -> None:
    """Send the log of the whole process to `stream`: of rag what happens, of its libraries warnings only."""
    people = settings.log == CONSOLE or (settings.log == AUTO and stream.isatty())
    handler = logging.StreamHandler(stream)
    handler.setFormatter((ConsoleLines if people else JsonLines)(questions=settings.log_questions))
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    logging.captureWarnings(capture=True)
    logging.getLogger("rag").setLevel(logging.INFO)


def _time(record: logging.LogRecord) -> str:
    return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")


def _shown(value: object) -> str:
    """On one line whatever it holds: a text with white space or quotes is shown as JSON has it."""
    text = str(value)
    return text if text.isprintable() and text and not any(sign in text for sign in ' "\\') else json.dumps(text)


def _traced(error: BaseException, *, whole: bool) -> Iterator[str]:
    if whole:
        yield from traceback.format_exception(error)
        return
    earlier = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if earlier:
        yield from _traced(earlier, whole=whole)
        yield "then\n"
    yield from traceback.format_tb(error.__traceback__)
    yield f"{type(error).__qualname__} (its text is told with RAG_LOG_QUESTIONS=true)\n"
