import logging
from collections.abc import Generator, Sequence
from dataclasses import replace
from typing import Any

import httpx
import pytest
from litestar.testing import TestClient

from rag.engine import Engine
from rag.errors import EndpointUnavailable
from rag.types import Found
from rag.web.app import create
from rag.web.rebuilding import Rebuilds
from rag.web.telemetry.metrics import Metrics
from rag.web.telemetry.observing import Questions
from rag.web.telemetry.tracing import Stage, Untraced
from tests.fakes import SlowReader
from tests.web.conftest import QUESTION, Served, assert_problem, connect, events, until


@pytest.fixture
def lines(caplog: pytest.LogCaptureFixture) -> list[dict[str, Any]]:
    """The fields of the lines about requests, as they are written."""
    caplog.set_level(logging.INFO, "rag")
    received: list[dict[str, Any]] = []
    caplog.handler.emit = lambda record: received.append(getattr(record, "fields", {}))  # type: ignore[method-assign]
    return received


def test_a_request_has_one_line_and_an_id_that_comes_back(client: TestClient[Any], lines: list[dict[str, Any]]) -> None:
    reply = client.get("/health/live?a=rahasia", headers={"X-Request-ID": "mine-1"})
    assert reply.headers["x-request-id"] == "mine-1"
    (line,) = lines
    assert line.pop("seconds") >= 0
    assert line == {"method": "GET", "path": "/health/live", "status": 200}
    assert client.get("/health/live", headers={"X-Request-ID": "not mine"}).headers["x-request-id"] not in {"", "not mine"}


def test_a_problem_names_the_request_also_where_there_is_no_route(client: TestClient[Any], lines: list[dict[str, Any]]) -> None:
    assert_problem(client.get("/v1/documents/zzz", headers={"X-Request-ID": "mine-2"}), 404, "no document")
    reply = client.get("/nothing%0A2027-01-01%20evil")
    assert reply.json()["instance"] == f"urn:rag:request:{reply.headers['x-request-id']}"
    assert [line["problem"] for line in lines] == ["NotFound", "NotFound"]
    assert lines[1]["path"] == "/nothing%0A2027-01-01%20evil"


def test_the_line_of_a_question_has_its_stages_and_not_its_text(client: TestClient[Any], lines: list[dict[str, Any]]) -> None:
    client.post("/v1/ask", json={"question": QUESTION, "where": "language=id"})
    client.post("/v1/search", json={"question": QUESTION})
    client.post("/v1/ask", json={"question": QUESTION}, headers={"Accept": "text/event-stream"})
    asked, searched, streamed = lines
    assert asked["answered"]
    assert streamed["stages"].keys() == asked["stages"].keys() >= {"search", "wait", "judge", "cite"}
    assert searched["status"] == 200
    assert "Ashtiani" not in repr(lines)


def test_the_line_has_the_question_where_that_is_allowed(
    engine: Engine, rebuilds: Rebuilds, lines: list[dict[str, Any]]
) -> None:
    engine.settings = replace(engine.settings, log_questions=True)
    with connect(create(engine, rebuilds=rebuilds)) as client:
        client.post("/v1/ask", json={"question": QUESTION})
        client.post("/v1/search", json={"question": QUESTION})
    assert [line["question"] for line in lines if "question" in line] == [QUESTION, QUESTION]


def test_an_error_within_a_stream_names_the_request_and_is_in_its_line(
    engine: Engine, rebuilds: Rebuilds, lines: list[dict[str, Any]]
) -> None:
    class Failing:
        def judge(self, question: str, passage: str) -> float:
            return 0.0

        def answer(self, question: str, passages: Sequence[str], instruction: str) -> Generator[str, None, bool]:
            raise EndpointUnavailable("it is silent", "ask later")

        def rewrite(self, question: str, conversation: str, language: str) -> str:
            return question

    engine.models.reader = Failing()
    with connect(create(engine, rebuilds=rebuilds)) as client:
        headers = {"Accept": "text/event-stream", "X-Request-ID": "mine-3"}
        received = events(client.post("/v1/ask", json={"question": QUESTION}, headers=headers).text)
        metrics = client.get("/metrics").text
    assert received[-1][0] == "error"
    assert "urn:rag:request:mine-3" in received[-1][1]
    assert (lines[0]["status"], lines[0]["problem"]) == (200, "EndpointUnavailable")
    assert 'rag_questions_total{outcome="failed"} 1.0' in metrics


def test_a_disconnect_is_in_the_line_and_counted_as_stopped(
    engine: Engine, rebuilds: Rebuilds, lines: list[dict[str, Any]]
) -> None:
    engine.models.reader = SlowReader()
    served = Served(create(engine, rebuilds=rebuilds))
    try:
        with httpx.stream(
            "POST", f"{served.url}/v1/ask", json={"question": QUESTION}, headers={"Accept": "text/event-stream"}
        ) as reply:
            next(iter(reply.iter_text()))
        until(lambda: lines)
        assert (lines[0]["hung_up"], lines[0]["status"]) == (True, 200)
        until(lambda: 'rag_questions_total{outcome="stopped"} 1.0' in httpx.get(f"{served.url}/metrics").text)
    finally:
        served.close()


class Remembered(Untraced):
    """Remembers what is traced."""

    def __init__(self) -> None:
        self.received: list[Sequence[Stage]] = []

    def stages(self, stages: Sequence[Stage]) -> None:
        self.received.append(stages)


def test_the_wait_for_the_model_is_a_stage_of_its_own(engine: Engine) -> None:
    traces = Remembered()
    steps = Questions(Metrics(), traces).watch(engine.stream(QUESTION))
    assert isinstance(next(steps), Found)
    until(iter([False, False, True]).__next__)  # 0.04 s
    list(steps)
    (received,) = traces.received
    found = {stage.name: stage for stage in received}
    assert found["wait"].end - found["wait"].start >= 0.03e9
    assert found["wait"].end <= found["judge"].start + 0.01e9
    assert found["search"].end == found["wait"].start
