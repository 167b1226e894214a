"""The Dockerfile as data: stages of instructions, each on one line. For what is checked of it, and for what runs it."""

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parent.parent


@dataclass(frozen=True)
class Step:
    """An instruction with what it says, on one line."""

    kind: str
    said: str


@cache
def stages() -> list[list[Step]]:
    """The instructions of each stage, its FROM first; what stands before the first is left out."""
    text = re.sub(r"^\s*#.*\n", "", (ROOT / "Dockerfile").read_text("utf-8"), flags=re.MULTILINE)
    found: list[list[Step]] = []
    for line in re.sub(r"\s*\\\n\s*", " ", text).splitlines():
        kind, _, said = line.strip().partition(" ")
        if kind == "FROM":
            found.append([])
        if kind and found:
            found[-1].append(Step(kind, said.strip()))
    return found
