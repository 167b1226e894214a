"""Readers of JSON lines and of tables."""

import csv
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any


def lines(path: Path) -> Iterator[dict[str, Any]]:
    """The objects in a file of JSON lines."""
    with path.open(encoding="utf-8") as file:
        for line in file:
            yield json.loads(line)


def table(path: Path, delimiter: str = ",") -> Iterator[Mapping[str, str]]:
    """The rows of a CSV file whose first line has the names of the columns."""
    with path.open(encoding="utf-8", newline="") as file:
        yield from csv.DictReader(file, delimiter=delimiter)
