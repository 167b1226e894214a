"""The date that a document states, in any of many notations. Pure."""

import re
from collections.abc import Iterable
from datetime import date
from email.utils import parsedate_tz

# `2024-05-06T07:08:09Z`, `2024/05/06`, `20240506`, and PDF's `D:20240506070809+07'00'`.
_YEAR_FIRST = re.compile(r"\s*(?:D:)?(\d{4})([-/.]?)(\d{2})\2(\d{2})(?!\d*[-/.]\d)")
_FRONT_MATTER = re.compile(r"\A---[ \t]*\r?\n(.{0,10000}?)^---[ \t]*\r?$", re.DOTALL | re.MULTILINE)
_DATE_LINE = re.compile(r"^date[ \t]*:[ \t]*[\"']?([^\"'\r\n]+)", re.MULTILINE | re.IGNORECASE)
# The epochs of Unix, Windows, Excel and old Macs: written by programs that had no date.
_ZEROS = frozenset({date(1970, 1, 1), date(1601, 1, 1), date(1899, 12, 30), date(1900, 1, 1), date(1904, 1, 1)})


def first_day(stated: Iterable[object]) -> str:
    """The first value that is a date, as an ISO 8601 day in the time zone of its writer; empty where none is."""
    return next((day.isoformat() for value in stated if (day := _day(value))), "")


def front_matter_day(text: str) -> str:
    """The `date:` in the front matter of a Markdown text, as an ISO 8601 day; empty where there is none."""
    head = _FRONT_MATTER.match(text)
    line = _DATE_LINE.search(head[1]) if head else None
    return first_day([line[1]]) if line else ""


def _day(value: object) -> date | None:
    if not isinstance(value, str):
        return None
    if match := _YEAR_FIRST.match(value):
        parts: tuple[int, ...] = (int(match[1]), int(match[3]), int(match[4]))
    elif parsed := _mail_date(value):
        parts = parsed[:3]
    else:
        return None
    try:
        day = date(*parts)
    except ValueError:
        return None
    return None if day in _ZEROS or day.year < 1000 else day


def _mail_date(value: str) -> tuple[int, ...] | None:
    try:
        return parsedate_tz(value[:100])  # type: ignore[return-value]
    except (ValueError, IndexError, TypeError, OverflowError):  # the standard library fails on some malformed dates
        return None
