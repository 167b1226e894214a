"""The service's log: what is noted about the request under way, in any of its threads, and how log lines look.

Lines are for people, or JSON objects. They never contain a question unless RAG_LOG_QUESTIONS allows it; nor the message of an
unexpected error, which may quote a question or a document: only its class and its stack trace.
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

# A request id that a client sends is used if it is safe in a header, a URN and a log line.
_SAFE_ID = re.compile(r"[A-Za-z0-9._~-]{1,64}")


@dataclass(slots=True)
class Noted:
    """A request's id, and the fields of its log line. `questions` is whether the question may be one of them."""

    id: str
    questions: bool = False
    fields: dict[str, object] = field(default_factory=dict)


_current: ContextVar[Noted | None] = ContextVar("noted", default=None)


def begin(given: str, *, questions: bool) -> Noted:
    """Notes for a request that begins in this context, under the id it came with if that is safe, else under a new one."""
    noted = Noted(given if _SAFE_ID.fullmatch(given) else secrets.token_hex(8), questions)
    _current.set(noted)
    return noted


def note(**fields: object) -> None:
    """Add fields to the log line of the request under way; does nothing outside of one."""
    if noted := _current.get():
        noted.fields.update(fields)


def note_question(question: str) -> None:
    """Add the question to the log line of the request under way, where that is allowed."""
    if (noted := _current.get()) and noted.questions:
        noted.fields["question"] = question


def request_id() -> str:
    """The id of the request under way; empty outside of one."""
    noted = _current.get()
    return noted.id if noted else ""


class _Formatter(logging.Formatter):
    def __init__(self, *, questions: bool) -> None:
        super().__init__()
        self._questions = questions

    def values(self, record: logging.LogRecord) -> dict[str, object]:
        """The fields of the line, beside the message."""
        values: dict[str, object] = dict(getattr(record, "fields", {}))
        if request := request_id():
            values["request"] = request
        return values

    def error(self, record: logging.LogRecord) -> str:
        error = record.exc_info[1] if record.exc_info else None
        return "".join(_traceback(error, whole=self._questions)) if error else ""


class JsonLines(_Formatter):
    """A JSON object for each record: time, level, logger, message, then its fields."""

    def format(self, record: logging.LogRecord) -> str:
        """The line, in ASCII, so that no reader depends on an encoding."""
        head = {"time": _time(record), "level": record.levelname.lower(), "logger": record.name, "message": record.getMessage()}
        error = {"error": trace} if (trace := self.error(record)) else {}
        return json.dumps({**head, **self.values(record), **error}, default=str)


class ConsoleLines(_Formatter):
    """A line for people: the time of day, the level of warnings and errors, the message, then the fields."""

    def format(self, record: logging.LogRecord) -> str:
        """The line, and the traceback of an error below it."""
        level = "" if record.levelno <= logging.INFO else f"{record.levelname} "
        text = " ".join((record.getMessage(), *(f"{name}={_shown(value)}" for name, value in self.values(record).items())))
        trace = self.error(record)
        return f"{_time(record)[11:19]} {level}{text}" + (f"\n{trace}" if trace else "")


def configure(settings: Settings, stream: TextIO) -> None:
    """Send the log of the process to `stream`: rag's at level INFO, and its libraries' at WARNING."""
    people = settings.log == CONSOLE or (settings.log == AUTO and stream.isatty())
    handler = logging.StreamHandler(stream)
    handler.setFormatter((ConsoleLines if people else JsonLines)(questions=settings.log_questions))
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    logging.captureWarnings(capture=True)
    logging.getLogger("rag").setLevel(logging.INFO)


def _time(record: logging.LogRecord) -> str:
    return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")


def _shown(value: object) -> str:
    """The value on one line: text with white space, quotes or control characters as JSON."""
    text = str(value)
    return text if text.isprintable() and text and not any(sign in text for sign in ' "\\') else json.dumps(text)


def _traceback(error: BaseException, *, whole: bool) -> Iterator[str]:
    if whole:
        yield from traceback.format_exception(error)
        return
    earlier = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if earlier:
        yield from _traceback(earlier, whole=whole)
        yield "then\n"
    yield from traceback.format_tb(error.__traceback__)
    yield f"{type(error).__qualname__} (RAG_LOG_QUESTIONS=true logs its message)\n"
