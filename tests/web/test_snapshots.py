from typing import Any

import pytest
from litestar.testing import TestClient

from rag.engine import Engine
from rag.indexing import build
from tests.fakes import SilentObserver
from tests.web.conftest import assert_problem


@pytest.fixture
def older(engine: Engine) -> str:
    """The snapshot before the one that serves."""
    before = engine.serving()
    (engine.settings.seeds / "gajah.txt").write_text("Gajah Sumatra hidup di Lampung.", encoding="utf-8")
    engine.rebuild(SilentObserver())
    assert before
    return before


def test_the_states_of_the_index_are_listed_newest_first(client: TestClient[Any], engine: Engine, older: str) -> None:
    new, old = client.get("/v1/snapshots").json()["items"]
    assert (new["id"], new["serving"], new["documents"]) == (engine.serving(), True, 2)
    assert (old["id"], old["serving"], old["documents"]) == (older, False, 1)
    assert old["made"] < new["made"] or old["made"] == new["made"]
    assert new["chunks"] > old["chunks"]


def test_one_can_be_gone_back_to(client: TestClient[Any], older: str) -> None:
    question = {"question": "Gajah Sumatra", "count": 1}
    assert client.post("/v1/search", json=question).json()["passages"][0]["path"] == "gajah.txt"
    reply = client.post(f"/v1/snapshots/{older}/activate")
    assert reply.status_code == 200
    assert (reply.json()["id"], reply.json()["serving"]) == (older, True)
    assert client.post("/v1/search", json=question).json()["passages"][0]["path"] != "gajah.txt"
    assert client.get("/health").json()["snapshot"] == older


@pytest.mark.parametrize("name", ["x", "..", "..%2F..", "%ff", "x" * 5000])
def test_one_that_is_not_there_is_a_problem(client: TestClient[Any], name: str) -> None:
    assert_problem(client.post(f"/v1/snapshots/{name}/activate"), 404)


def test_while_a_build_is_at_work_nothing_is_switched(client: TestClient[Any], engine: Engine, older: str) -> None:
    serving = engine.serving()
    with build.only_builder(engine.settings.index):
        assert_problem(client.post(f"/v1/snapshots/{older}/activate"), 409, "is being rebuilt")
    assert engine.serving() == serving
    assert client.post(f"/v1/snapshots/{older}/activate").status_code == 200


def test_where_nothing_was_indexed_there_are_none(client: TestClient[Any], engine: Engine) -> None:
    (engine.settings.index / "current").unlink()
    for manifest in engine.snapshots():
        (engine.settings.index / "snapshots" / manifest.id / "manifest.json").unlink()
    assert client.get("/v1/snapshots").json() == {"items": []}
