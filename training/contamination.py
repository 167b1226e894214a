"""What something is measured on is not learnt from: evaluation questions, claims, and the passages they are about."""

from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from pathlib import Path

from training.rows import lines

# A passage is held to be one of those where this share of its stretches of so many letters, one each `_STEP`, stands there.
_STRETCH, _STEP, _SHARE = 60, 20, 0.3


@dataclass(frozen=True, slots=True)
class Measured:
    """Evaluation questions and claims as `plain` has them, and the stretches of the passages that belong to them."""

    asked: AbstractSet[str]
    stretches: AbstractSet[int]

    def has(self, asked: str, passage: str) -> bool:
        """Whether the question or claim is one of them, or the passage one that belongs to one."""
        return plain(asked) in self.asked or self._of_passage(plain(passage))

    def _of_passage(self, letters: str) -> bool:
        found = [hash(letters[at : at + _STRETCH]) in self.stretches for at in range(0, max(1, len(letters) - _STRETCH), _STEP)]
        return sum(found) > _SHARE * len(found)


def measured(folder: Path) -> Measured:
    """Of all `*.questions.jsonl` and `*.claims.jsonl` in the folder, with the passages that they name in `*.corpus.jsonl`."""
    asked, stretches = set[str](), set[int]()
    for path in sorted([*folder.glob("*.questions.jsonl"), *folder.glob("*.claims.jsonl")]):
        rows = list(lines(path))
        asked |= {plain(row[key]) for row in rows for key in ("question", "claim") if key in row}
        named = {one for row in rows for key in ("relevant", "paired", "cited") for one in row.get(key) or ()}
        for row in lines(path.with_name(path.name.split(".")[0] + ".corpus.jsonl")):
            if row["id"] in named:
                stretches.update(_stretches(plain(row["text"])))
    return Measured(asked, stretches)


def plain(text: str) -> str:
    """The text's letters and digits, case-folded: as it is compared."""
    return "".join(character for character in text.casefold() if character.isalnum())


def _stretches(letters: str) -> Iterator[int]:
    return (hash(letters[at : at + _STRETCH]) for at in range(max(1, len(letters) - _STRETCH + 1)))
