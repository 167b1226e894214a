"""Keeps evaluation data out of the training data: questions, claims, and the passages that they are about."""

from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from pathlib import Path

from training.rows import lines

# A passage counts as evaluation data if more than `_SHARE` of its stretches occur there. A stretch has `_STRETCH` letters, and
# one starts every `_STEP` letters.
_STRETCH, _STEP, _SHARE = 60, 20, 0.3


@dataclass(frozen=True, slots=True)
class Measured:
    """The evaluation data: questions and claims in the form of `plain`, and hashes of stretches of their passages."""

    asked: AbstractSet[str]
    stretches: AbstractSet[int]

    def has(self, asked: str, passage: str) -> bool:
        """Whether the question or claim, or the passage, is in the evaluation data."""
        return plain(asked) in self.asked or self._of_passage(plain(passage))

    def _of_passage(self, letters: str) -> bool:
        found = [hash(letters[at : at + _STRETCH]) in self.stretches for at in range(0, max(1, len(letters) - _STRETCH), _STEP)]
        return sum(found) > _SHARE * len(found)


def measured(folder: Path) -> Measured:
    """Read all `*.questions.jsonl` and `*.claims.jsonl` in the folder, with the passages of `*.corpus.jsonl` that they name."""
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
    """The letters and digits of the text, case-folded, for comparison."""
    return "".join(character for character in text.casefold() if character.isalnum())


def _stretches(letters: str) -> Iterator[int]:
    return (hash(letters[at : at + _STRETCH]) for at in range(max(1, len(letters) - _STRETCH + 1)))
