"""The outcomes of a run in a file of JSON lines that is appended to, so that a killed run goes on where it stopped."""

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rag.errors import QuestionError
from rag.evaluation.outcomes import WAYS, Outcome, Way
from rag.files import storage_errors, write_atomically


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
            mend = "give --outcomes another file, or remove this one to begin anew"
            raise QuestionError(f"{path} is of a run with another {' and '.join(different)}", mend)


def _line(row: Mapping[str, object]) -> str:
    return json.dumps(row, ensure_ascii=False) + "\n"
