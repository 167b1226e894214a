"""Outcomes of asked questions, and the ledger that keeps them in a file of JSON lines, so that a killed run can be resumed."""

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from rag.errors import QuestionError
from rag.evaluation.dataset import JudgedQuestion
from rag.files import storage_errors, write_atomically

# The product, and the plain way that it is compared with.
Way = Literal["rag", "plain"]
WAYS: tuple[Way, ...] = ("rag", "plain")


@dataclass(frozen=True, slots=True)
class Place:
    """The half-open range [start, end) in the text of the passage with this id."""

    passage: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Cited:
    """The target of a citation. `place` is None if the citation names nothing that was shown to the model.

    `verified` is whether the stored original has the quoted words there; None for a label, which quotes no words.
    """

    place: Place | None
    verified: bool | None


@dataclass(frozen=True, slots=True)
class Seconds:
    """Seconds from the question to the found passages, the marked words, the first token and the end; None for no event."""

    found: float | None
    marked: float | None
    token: float | None
    whole: float


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of one way for the question of this id.

    `text` has no markers and is empty for a refusal; `language` is the language of the text. `found` are the retrieved chunks,
    best first; `citations` are in the order of the text. `confidence` is None for a way that has none. `dropped` is the number
    of the `written` sentences that are not shown. `cut` is whether the model was stopped before the end, None in older ledgers.
    """

    question: str
    answered: bool
    text: str
    language: str
    confidence: float | None
    found: tuple[Place, ...]
    citations: tuple[Cited, ...]
    written: int
    dropped: int
    seconds: Seconds
    cut: bool | None = None

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> "Outcome":
        """The outcome from its `dataclasses.asdict` form. Raises KeyError or TypeError for anything else."""
        cited = (Cited(Place(**one["place"]) if one["place"] else None, one["verified"]) for one in row["citations"])
        found = tuple(Place(**place) for place in row["found"])
        return cls(**{**row, "found": found, "citations": tuple(cited), "seconds": Seconds(**row["seconds"])})


@dataclass(frozen=True, slots=True)
class Asked:
    """A question with its outcome. `evidence` are the places of people's evidence in the passages that answer it."""

    question: JudgedQuestion
    answerable: bool
    evidence: tuple[Place, ...]
    outcome: Outcome


def evidence_of(question: JudgedQuestion, passages: Mapping[str, str]) -> tuple[Place, ...]:
    """The first place of each sentence of evidence in a relevant passage. A sentence that is not found is left out."""
    places = []
    for sentence in question.evidence:
        standing = ((one, passages[one].find(sentence)) for one in question.relevant)
        places += [Place(one, at, at + len(sentence)) for one, at in standing if at >= 0][:1]
    return tuple(places)


@dataclass(frozen=True, slots=True)
class Run:
    """Everything that outcomes depend on: digests of the two data files, and the receipt of an answer without the snapshot."""

    corpus: str
    questions: str
    version: str
    embedder: str
    judge: str
    llm: str
    prompts: str
    parameters: Mapping[str, object]


class Ledger:
    """The outcomes so far. The first line of the file has the run; each other line has a way and its outcome."""

    def __init__(self, path: Path | None, run: Run) -> None:
        """Read the file, if it exists. Without a path the outcomes are only in memory. Raises QuestionError or StorageError."""
        self._path, self.run = path, run
        self.outcomes: dict[Way, dict[str, Outcome]] = {way: {} for way in WAYS}
        if path is not None:
            with storage_errors(path):
                path.parent.mkdir(parents=True, exist_ok=True)
                self._resume(path)

    def append(self, way: Way, outcome: Outcome) -> None:
        """Add an outcome, to the file too. Raises StorageError."""
        self.outcomes[way][outcome.question] = outcome
        if self._path is not None:
            with storage_errors(self._path), self._path.open("a", encoding="utf-8") as file:
                file.write(_line({"way": way, "outcome": asdict(outcome)}))

    def _resume(self, path: Path) -> None:
        raw = path.read_bytes() if path.exists() else b""
        if not raw:
            # At once and atomically, so that only a later line can be incomplete.
            write_atomically(path, _line({"run": asdict(self.run)}))
            return
        # A run that was killed while writing leaves an incomplete line: that question is asked again.
        complete = raw[: raw.rfind(b"\n") + 1]
        try:
            first, *rows = [json.loads(line) for line in complete.decode("utf-8").rstrip("\n").split("\n")]
            before = first["run"]
            for row in rows:
                outcome = Outcome.from_row(row["outcome"])
                self.outcomes[row["way"]][outcome.question] = outcome
        except (ValueError, KeyError, TypeError) as error:
            problem = f"{path} is not a file of outcomes of `rag eval answers` ({error})"
            raise QuestionError(problem, "give --outcomes another file") from error
        self._require_same(path, before)
        os.truncate(path, len(complete))

    def _require_same(self, path: Path, before: Mapping[str, Any]) -> None:
        now = asdict(self.run)
        if different := [name for name in now if before.get(name) != now[name]]:
            hint = "give --outcomes another file, or remove this one to start over"
            raise QuestionError(f"{path} was written by a run with different {' and '.join(different)}", hint)


def _line(row: Mapping[str, object]) -> str:
    return json.dumps(row, ensure_ascii=False) + "\n"
