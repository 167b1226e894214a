"""What is noted of the request under way, in whatever thread it is worked on: its id, and what its line in the log says."""

import re
import secrets
from contextvars import ContextVar
from dataclasses import dataclass, field

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
