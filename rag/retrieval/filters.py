"""Parses filters such as `language=id,en and folder=berita and date>=2026-01-01`. Pure.

`State.candidates` in `indexing/protocol.py` says what a condition means.
"""

import re
from datetime import date

from rag.errors import QuestionError
from rag.types import Condition

FIELDS = ("document", "folder", "language", "date")
# Each value is a branch of a query, and SQLite limits their depth to a thousand.
_MOST_CHARACTERS, _MOST_VALUES = 2000, 100
# A value must not begin with an operator: `language==id` would find nothing, without a reason.
_ONE = r"""(?:"[^"]*"|[^\s",=<>!][^\s",]*)"""
_CONDITION = re.compile(rf"\s*(\w+)\s*(!=|<=|>=|=|<|>)\s*({_ONE}(?:\s*,\s*{_ONE})*)\s*")
_VALUE = re.compile(r'"([^"]*)"|([^\s",]+)')
_AND = re.compile(r"and\s", re.IGNORECASE)
_DATE = re.compile(r"[0-9]{4}(-[0-9]{2}(-[0-9]{2})?)?")
_HINT = 'write it like: language=id,en and folder=berita and document="a b.pdf" and date>=2026-01'


def parse(where: str) -> tuple[Condition, ...]:
    """The conditions of a filter, all of which a document must meet. An empty filter has none. Raises QuestionError."""
    if len(where) > _MOST_CHARACTERS:
        raise QuestionError(
            f"the filter has {len(where)} characters, more than {_MOST_CHARACTERS}", "put the documents into a folder"
        )
    if any("\ud800" <= character <= "\udfff" for character in where):
        raise QuestionError("the filter has characters that cannot be written in UTF-8", "replace them with *")
    conditions: list[Condition] = []
    rest = where.strip()
    while rest:
        match = _CONDITION.match(rest)
        if match is None:
            raise QuestionError(f"syntax error in the filter at {rest[:40]!r}", _HINT)
        conditions.append(_condition(*match.groups()))
        rest = rest[match.end() :]
        if rest:
            joint = _AND.match(rest)
            if joint is None or not rest[joint.end() :].strip():
                raise QuestionError(f"the filter needs `and` before {rest[:40]!r}, and a condition after it", _HINT)
            rest = rest[joint.end() :]
    return tuple(conditions)


def _condition(field: str, operator: str, values: str) -> Condition:
    field = field.lower()
    if field not in FIELDS:
        raise QuestionError(f"unknown field {field} in the filter; use {', '.join(FIELDS)}", _HINT)
    if field != "date" and operator not in {"=", "!="}:
        raise QuestionError(f"the filter compares {field} with = or !=, not {operator}", _HINT)
    found = tuple(quoted or plain for quoted, plain in _VALUE.findall(values))
    if len(found) > _MOST_VALUES:
        raise QuestionError(
            f"the filter names {len(found)} values, more than {_MOST_VALUES}", "put the documents into a folder"
        )
    if "" in found:
        raise QuestionError(f"a value of {field} is empty", _HINT)
    if field == "language":
        found = tuple(value.lower() for value in found)
    if field == "date":
        for value in found:
            _require_date(value)
    return Condition(field, "=" if operator == "!=" else operator, found, negated=operator == "!=")


def _require_date(value: str) -> None:
    """Raises QuestionError unless the value is a year, a month or a day."""
    try:
        if _DATE.fullmatch(value):
            date.fromisoformat(value + "0000-01-01"[len(value) :])
            return
    except ValueError:
        pass
    raise QuestionError(f"{value} is not a date", "write YYYY-MM-DD, YYYY-MM or YYYY")
