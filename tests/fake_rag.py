"""The real command line over the fake models: `python -m tests.fake_rag index`."""

import sys

import rag.engine
from rag.cli.main import main
from tests.conftest import FakeEngine

if __name__ == "__main__":
    rag.engine.Engine = FakeEngine  # type: ignore[misc]
    sys.exit(main())
