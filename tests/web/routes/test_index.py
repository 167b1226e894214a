import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from litestar.testing import TestClient

from rag.engine import Engine
from rag.web.app import create
from rag.web.rebuilding import Rebuilds
from tests.web.conftest import assert_problem, connect, events, script, until
from tests.web.test_rebuilding import HELD, REPORT, go

STREAM = {"Accept": "text/event-stream"}


@pytest.fixture
def held(engine: Engine, tmp_path: Path) -> Iterator[Rebuilds]:
    made = Rebuilds(engine.settings, script(tmp_path / "rag.py", HELD + REPORT))
    yield made
    made.close()


@pytest.fixture
def watcher(engine: Engine, held: Rebuilds) -> Iterator[TestClient[Any]]:
    with connect(create(engine, rebuilds=held)) as opened:
        yield opened


def test_a_rebuild_brings_the_index_in_line_while_questions_go_on(client: TestClient[Any], engine: Engine) -> None:
    (engine.settings.seeds / "gajah.txt").write_text("Gajah Sumatra hidup di Lampung.", encoding="utf-8")
    reply = client.post("/v1/index", json={})
    assert reply.status_code == 202
    job = reply.json()
    assert (job["kind"], job["report"], job["problem"]) == ("index", None, None)
    assert job["state"] in {"waiting", "running"}
    before = client.post("/v1/search", json={"question": "Gajah Sumatra"})
    assert before.status_code == 200
    until(lambda: client.get(f"/v1/jobs/{job['id']}").json()["state"] == "done")
    done = client.get(f"/v1/jobs/{job['id']}").json()
    assert (done["report"]["added"], done["report"]["failures"]) == (["gajah.txt"], [])
    after = client.post("/v1/search", json={"question": "Gajah Sumatra", "count": 1}).json()["passages"]
    assert after[0]["path"] == "gajah.txt"
    assert client.get("/v1/jobs").json()["items"] == [done]


def test_what_cannot_be_built_is_a_failed_job_with_its_problem(client: TestClient[Any], engine: Engine) -> None:
    for seed in engine.settings.seeds.iterdir():
        seed.unlink()
    job = client.post("/v1/index", json={"anew": True}).json()
    until(lambda: client.get(f"/v1/jobs/{job['id']}").json()["state"] == "failed")
    problem = client.get(f"/v1/jobs/{job['id']}").json()["problem"]
    assert (problem["type"], problem["status"]) == ("urn:rag:SeedError", 422)
    assert "there are no documents in" in problem["detail"]


def test_a_job_as_events_ends_with_its_end(watcher: TestClient[Any], tmp_path: Path) -> None:
    job = watcher.post("/v1/index", json={}).json()
    until(lambda: watcher.get(f"/v1/jobs/{job['id']}").json()["stage"] == "reading")
    go(tmp_path)
    reply = watcher.get(f"/v1/jobs/{job['id']}", headers=STREAM)
    assert reply.headers["content-type"].startswith("text/event-stream")
    received = [(kind, json.loads(data)) for kind, data in events(reply.text)]
    assert {kind for kind, _ in received} == {"job"}
    assert received[-1][1] == watcher.get(f"/v1/jobs/{job['id']}").json()
    assert (received[-1][1]["state"], received[-1][1]["report"]["added"]) == ("done", ["a.txt"])


def test_one_whose_process_is_killed_has_failed(watcher: TestClient[Any], held: Rebuilds) -> None:
    job = watcher.post("/v1/index", json={}).json()
    until(lambda: watcher.get(f"/v1/jobs/{job['id']}").json()["stage"] == "reading")
    assert held._process
    os.kill(held._process.pid, signal.SIGKILL)
    (*_, last) = events(watcher.get(f"/v1/jobs/{job['id']}", headers=STREAM).text)
    failed = json.loads(last[1])
    assert failed["state"] == "failed"
    assert failed["problem"]["type"] == "urn:rag:JobFailed"
    assert "SIGKILL" in failed["problem"]["detail"]


def test_the_service_ends_its_rebuild_when_it_stops(engine: Engine, held: Rebuilds) -> None:
    with connect(create(engine, rebuilds=held)) as client:
        client.post("/v1/index", json={})
        until(lambda: held._process)
        process = held._process
        assert process
    assert process.poll() is not None


@pytest.mark.parametrize("body", [{"anew": "yes"}, {"anew": None}, {"again": True}, [], None])
def test_a_bad_request_is_a_problem(watcher: TestClient[Any], body: Any) -> None:
    assert_problem(watcher.post("/v1/index", json=body), 400)
    assert watcher.get("/v1/jobs").json()["items"] == []


@pytest.mark.parametrize("name", ["x", "..%2Fx", "%ff"])
def test_a_job_that_is_none_is_a_problem(watcher: TestClient[Any], name: str) -> None:
    assert_problem(watcher.get(f"/v1/jobs/{name}"), 404)
    assert_problem(watcher.get(f"/v1/jobs/{name}", headers=STREAM), 404)


@pytest.fixture
def older(engine: Engine) -> str:
    """The snapshot before the one that serves."""
    before = engine.serving()
    (engine.settings.seeds / "gajah.txt").write_text("Gajah Sumatra hidup di Lampung.", encoding="utf-8")
    engine.rebuild()
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
    with engine.index.writing():
        assert_problem(client.post(f"/v1/snapshots/{older}/activate"), 409, "is being rebuilt")
    assert engine.serving() == serving
    assert client.post(f"/v1/snapshots/{older}/activate").status_code == 200


def test_where_nothing_was_indexed_there_are_none(client: TestClient[Any], engine: Engine) -> None:
    (engine.settings.index / "current").unlink()
    for manifest in engine.snapshots():
        (engine.settings.index / "snapshots" / manifest.id / "manifest.json").unlink()
    assert client.get("/v1/snapshots").json() == {"items": []}
