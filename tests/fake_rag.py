"""The real command line over the fake models: `python -m tests.fake_rag index`. Without pytest, which starts slowly."""

import os
import sys
from collections.abc import Generator, Sequence
from pathlib import Path

import rag.engine
from rag.cli.main import main
from tests.fakes import FakeEngine, FakeModels, SlowReader


class TellingReader(SlowReader):
    """Writes on and on, and makes a file when it is left: so another process sees it."""

    def __init__(self, told: Path) -> None:
        super().__init__()
        self._told = told

    def answer(self, question: str, passages: Sequence[str], instruction: str) -> Generator[str, None, bool]:
        try:
            return (yield from super().answer(question, passages, instruction))
        finally:
            self._told.touch()


if __name__ == "__main__":
    if told := os.environ.get("TOLD_WHEN_LEFT"):
        FakeModels.reader = TellingReader(Path(told))
    rag.engine.Engine = FakeEngine  # type: ignore[misc, assignment]
    sys.exit(main())
