from typing import Any

import pytest
from litestar.testing import TestClient

from rag import __version__
from rag.engine import Engine
from rag.settings import Settings
from rag.web.app import create
from tests.web.conftest import assert_problem, connect


@pytest.mark.parametrize("path", ["/health", "/health/ready"])
def test_ready_names_the_snapshot(client: TestClient[Any], engine: Engine, path: str) -> None:
    said = {"status": "ok", "version": __version__, "snapshot": engine.serving(), "documents": 1}
    assert client.get(path).json() == said


def test_without_an_index_it_lives_and_is_not_ready(client: TestClient[Any], engine: Engine) -> None:
    (engine.settings.index / "current").unlink()
    assert client.get("/health/live").json() == {"status": "ok", "version": __version__}
    for path in ("/health", "/health/ready"):
        assert_problem(client.get(path), 503, "run `rag index`")


def test_without_weights_it_is_not_ready(engine: Engine) -> None:
    bare = Engine(Settings(home=engine.settings.home, cache=engine.settings.cache))
    with connect(create(bare)) as client:
        assert client.get("/health/live").status_code == 200
        assert_problem(client.get("/health/ready"), 503, "run `rag models fetch")
