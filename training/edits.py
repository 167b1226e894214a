"""Questions made unanswerable by a small change: another year, another name, the opposite word.

The authors of IDK-MRC edited 4,290 questions in this way by hand; here it is done to other answerable questions. The label is
wrong if the passage answers the changed question too. This is rare, and the benefit is larger.
"""

import random
import re
from collections.abc import Sequence

from training.examples import Asked

_NUMBER = re.compile(r"\b\d{2,4}\b")
_NAMES = re.compile(r"[A-Z][\w'’-]+(?: [A-Z][\w'’-]+)*")
# fmt: off
_PAIRS = (
    ("pertama", "terakhir"), ("terbesar", "terkecil"), ("tertua", "termuda"), ("utara", "selatan"),
    ("timur", "barat"), ("mayoritas", "minoritas"), ("tertinggi", "terendah"), ("sebelum", "sesudah"),
    ("suami", "istri"), ("ayah", "ibu"), ("awal", "akhir"), ("menang", "kalah"), ("dimulai", "berakhir"),
    ("didirikan", "dibubarkan"), ("terpanjang", "terpendek"), ("first", "last"), ("largest", "smallest"),
    ("oldest", "youngest"), ("north", "south"), ("east", "west"), ("most", "least"), ("before", "after"),
    ("highest", "lowest"), ("husband", "wife"), ("father", "mother"), ("won", "lost"), ("began", "ended"),
)
# fmt: on
_OPPOSITES = {one: other for left, right in _PAIRS for one, other in ((left, right), (right, left))}


def edited(asked: Asked, others: Sequence[str], rng: random.Random) -> Asked | None:
    """The question changed in one place, with the same passage and no answer; None if nothing can be changed.

    `others` are questions from which names are taken.
    """
    changed = [question for change in (_number, _name, _opposite) if (question := change(asked, others, rng))]
    return Asked(f"{asked.source}-edit", rng.choice(changed), asked.passage, ()) if changed else None


def _number(asked: Asked, _: Sequence[str], rng: random.Random) -> str | None:
    numbers = [found for found in _NUMBER.finditer(asked.question) if found.group() in asked.passage]
    if not numbers:
        return None
    found = rng.choice(numbers)
    other = str(int(found.group()) + rng.choice([-1, 1]) * rng.randint(1, 40))
    return None if other in asked.passage else _replaced(asked.question, found, other)


def _name(asked: Asked, others: Sequence[str], rng: random.Random) -> str | None:
    """A name that is in the passage, replaced by another name of the passage or of another question."""
    names = [found for found in _NAMES.finditer(asked.question) if found.start() > 0 and found.group() in asked.passage]
    if not names:
        return None
    found = rng.choice(names)
    answers = {asked.passage[a.start : a.end] for a in asked.answers or ()}
    near = [name for name in _NAMES.findall(asked.passage) if not any(name in answer or answer in name for answer in answers)]
    far = [name for name in _NAMES.findall(rng.choice(others))[1:] if name not in asked.passage]
    chosen = [name for name in (near if rng.random() < 0.5 else far) if len(name) > 3 and name not in asked.question]
    return _replaced(asked.question, found, rng.choice(chosen)) if chosen else None


def _opposite(asked: Asked, _: Sequence[str], rng: random.Random) -> str | None:
    words = [found for found in re.finditer(r"\w+", asked.question) if found.group().lower() in _OPPOSITES]
    if not words:
        return None
    found = rng.choice(words)
    return _replaced(asked.question, found, _OPPOSITES[found.group().lower()])


def _replaced(question: str, found: re.Match[str], other: str) -> str:
    return question[: found.start()] + other + question[found.end() :]
