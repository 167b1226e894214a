"""The contract of an index, run on every implementation. Another one is one more entry of `IMPLEMENTATIONS`."""

from collections.abc import Callable
from itertools import count
from pathlib import Path

import pytest

from rag.indexing.embedded.embedded_index import EmbeddedIndex
from rag.indexing.protocol import Index
from tests.fakes import MemoryIndex
from tests.indexing.contract import Contract, Make

# Each opens the index of a folder that is its own.
IMPLEMENTATIONS: dict[str, Callable[[Path], Index]] = {"embedded": EmbeddedIndex, "memory": MemoryIndex}


@pytest.fixture(params=IMPLEMENTATIONS)
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Make:
    """A new, empty index at each call."""
    numbers = count()
    return lambda: IMPLEMENTATIONS[request.param](tmp_path / f"index-{next(numbers)}")


class TestContract(Contract):
    """Runs them all."""
