"""The language of filters: `language=id,en and folder=berita and date>=2026-01-01`. Pure."""

import re

from rag.errors import QuestionError
from rag.types import Condition

FIELDS = ("document", "folder", "language", "date")
_CONDITION = re.compile(r"""\s*(\w+)\s*(!=|<=|>=|=|<|>)\s*((?:"[^"]*"|[^\s",]+)(?:\s*,\s*(?:"[^"]*"|[^\s",]+))*)\s*""")
_VALUE = re.compile(r'"([^"]*)"|([^\s",]+)')
_AND = re.compile(r"and\s", re.IGNORECASE)
_DATE = re.compile(r"\d{4}(-\d{2}(-\d{2})?)?")
_MEND = 'write it like: language=id,en and folder=berita and document="a b.pdf" and date>=2026-01'


def parse(where: str) -> tuple[Condition, ...]:
    """The conditions, all of which a document must meet; none for an empty text. Raises QuestionError."""
    conditions: list[Condition] = []
    rest = where.strip()
    while rest:
        match = _CONDITION.match(rest)
        if match is None:
            raise QuestionError(f"the filter cannot be read from {rest[:40]!r} on", _MEND)
        conditions.append(_condition(*match.groups()))
        rest = rest[match.end() :]
        if rest:
            joint = _AND.match(rest)
            if joint is None or not rest[joint.end() :].strip():
                raise QuestionError(f"the filter needs `and` before {rest[:40]!r}, and a condition after it", _MEND)
            rest = rest[joint.end() :]
    return tuple(conditions)


def _condition(field: str, operator: str, values: str) -> Condition:
    field = field.lower()
    if field not in FIELDS:
        raise QuestionError(f"the filter knows no field {field}, only {', '.join(FIELDS)}", _MEND)
    if field != "date" and operator not in {"=", "!="}:
        raise QuestionError(f"the filter compares {field} with = or !=, not {operator}", _MEND)
    found = tuple(quoted or plain for quoted, plain in _VALUE.findall(values))
    if field == "date":
        for value in found:
            if not _DATE.fullmatch(value):
                raise QuestionError(f"{value} is no date", "write YYYY-MM-DD, YYYY-MM or YYYY")
    return Condition(field, "=" if operator == "!=" else operator, found, negated=operator == "!=")
