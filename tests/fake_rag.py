"""The real command line over the fake models, as in `python -m tests.fake_rag index`. Does not import pytest, which is slow."""

import os
import sys
from collections.abc import Generator, Sequence
from pathlib import Path

import rag.engine
from rag.cli.main import main
from tests.fakes import FakeEngine, FakeModels, SlowReader


class SignallingReader(SlowReader):
    """Writes without end, and creates a file when it is stopped, for a test in another process to see."""

    def __init__(self, signal: Path) -> None:
        super().__init__()
        self._signal = signal

    def answer(self, question: str, passages: Sequence[str], instruction: str) -> Generator[str, None, bool]:
        try:
            return (yield from super().answer(question, passages, instruction))
        finally:
            self._signal.touch()


if __name__ == "__main__":
    if path := os.environ.get("TOUCH_WHEN_STOPPED"):
        FakeModels.reader = SignallingReader(Path(path))
    rag.engine.Engine = FakeEngine  # type: ignore[misc, assignment]
    sys.exit(main())
