"""What became of a question that was asked: values without behaviour, written as a line of JSON and read again.

The outcomes of a run in a file of JSON lines that is appended to, so that a killed run goes on where it stopped.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from rag.errors import QuestionError
from rag.evaluation.dataset import JudgedQuestion
from rag.files import storage_errors, write_atomically

# The product's way, and the plain one that it is compared with.
Way = Literal["rag", "plain"]
WAYS: tuple[Way, ...] = ("rag", "plain")


@dataclass(frozen=True, slots=True)
class Place:
    """The half-open range [start, end) of the text of the corpus' passage of this id."""

    passage: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Cited:
    """What a citation names: nothing that was shown where `place` is None.

    `verified` says whether its words stand there in the stored original; None for a label, which quotes no words.
    """

    place: Place | None
    verified: bool | None


@dataclass(frozen=True, slots=True)
class Seconds:
    """From the question to the passages found, the words marked, the first token, and the end; None for what did not come."""

    found: float | None
    marked: float | None
    token: float | None
    whole: float


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one way made of the question of this id.

    `text` has no markers and is empty where it refused, `language` is that of the text, `found` are the chunks that were
    retrieved, best first, and `citations` stand in the order of the text. `confidence` is None for a way that has none.
    `dropped` counts sentences that were written and not shown, of `written`. `cut` is whether the model was stopped before it
    had ended, None in a ledger that is older than that question.
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
        """From what `dataclasses.asdict` made of one. Raises KeyError or TypeError for anything else."""
        cited = (Cited(Place(**one["place"]) if one["place"] else None, one["verified"]) for one in row["citations"])
        found = tuple(Place(**place) for place in row["found"])
        return cls(**{**row, "found": found, "citations": tuple(cited), "seconds": Seconds(**row["seconds"])})


@dataclass(frozen=True, slots=True)
class Asked:
    """A question with what became of it; `evidence` is where people's evidence stands in the passages that answer it."""

    question: JudgedQuestion
    answerable: bool
    evidence: tuple[Place, ...]
    outcome: Outcome


def evidence_of(question: JudgedQuestion, passages: Mapping[str, str]) -> tuple[Place, ...]:
    """Where each sentence of evidence first stands in a passage that answers; those that stand nowhere are left out."""
    places = []
    for sentence in question.evidence:
        standing = ((one, passages[one].find(sentence)) for one in question.relevant)
        places += [Place(one, at, at + len(sentence)) for one, at in standing if at >= 0][:1]
    return tuple(places)


@dataclass(frozen=True, slots=True)
class Run:
    """What outcomes depend on: digests of the corpus' and the questions' file, and what a receipt says but the snapshot."""

    corpus: str
    questions: str
    version: str
    embedder: str
    judge: str
    llm: str
    prompts: str
    parameters: Mapping[str, object]


class Ledger:
    """The outcomes so far. The file's first line is the run; each other one a way and its outcome."""

    def __init__(self, path: Path | None, run: Run) -> None:
        """Read what the file has, if there is one; without a path nothing is kept. Raises QuestionError or StorageError."""
        self._path, self.run = path, run
        self.outcomes: dict[Way, dict[str, Outcome]] = {way: {} for way in WAYS}
        if path is not None:
            with storage_errors(path):
                path.parent.mkdir(parents=True, exist_ok=True)
                self._resume(path)

    def append(self, way: Way, outcome: Outcome) -> None:
        """Keep an outcome. Raises StorageError."""
        self.outcomes[way][outcome.question] = outcome
        if self._path is not None:
            with storage_errors(self._path), self._path.open("a", encoding="utf-8") as file:
                file.write(_line({"way": way, "outcome": asdict(outcome)}))

    def _resume(self, path: Path) -> None:
        raw = path.read_bytes() if path.exists() else b""
        if not raw:
            # At once: what is no whole line is then never the first.
            write_atomically(path, _line({"run": asdict(self.run)}))
            return
        # A run that was killed while it wrote leaves half a line: that question is asked again.
        whole = raw[: raw.rfind(b"\n") + 1]
        try:
            first, *rows = [json.loads(line) for line in whole.decode("utf-8").rstrip("\n").split("\n")]
            before = first["run"]
            for row in rows:
                outcome = Outcome.from_row(row["outcome"])
                self.outcomes[row["way"]][outcome.question] = outcome
        except (ValueError, KeyError, TypeError) as error:
            problem = f"{path} has no outcomes of `rag eval answers` ({error})"
            raise QuestionError(problem, "give --outcomes another file") from error
        self._require_same(path, before)
        os.truncate(path, len(whole))

    def _require_same(self, path: Path, before: Mapping[str, Any]) -> None:
        now = asdict(self.run)
        if different := [name for name in now if before.get(name) != now[name]]:
            hint = "give --outcomes another file, or remove this one to begin anew"
            raise QuestionError(f"{path} is of a run with another {' and '.join(different)}", hint)


def _line(row: Mapping[str, object]) -> str:
    return json.dumps(row, ensure_ascii=False) + "\n"
