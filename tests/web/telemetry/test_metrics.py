import re
from dataclasses import replace
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]  # its stubs are a package more, for one call
from litestar.testing import TestClient

from rag.engine import Engine
from rag.web.rebuilding import Rebuilds
from rag.web.telemetry.metrics import Metrics
from scripts.dockerfile import ROOT
from tests.web.conftest import QUESTION, until


def values(client: TestClient[Any]) -> dict[str, float]:
    """Each line of the metrics with its value."""
    reply = client.get("/metrics")
    assert reply.status_code == 200
    assert reply.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    lines = [line.rsplit(" ", 1) for line in reply.text.splitlines() if not line.startswith("#")]
    return {name: float(value) for name, value in lines}


def test_an_answer_is_counted_with_its_stages_and_words(client: TestClient[Any]) -> None:
    before = values(client)
    assert (before['rag_questions_total{outcome="answered"}'], before["rag_tokens_written_total"]) == (0, 0)
    answer = client.post("/v1/ask", json={"question": QUESTION}).json()
    assert answer["answered"]
    after = values(client)
    assert after['rag_questions_total{outcome="answered"}'] == 1
    assert after["rag_tokens_written_total"] > 3
    for stage in ("load", "search", "wait", "judge", "first_token", "write", "cite"):
        assert after[f'rag_stage_duration_seconds_count{{stage="{stage}"}}'] == 1
    # The receipt's digits are rounded.
    judged = after['rag_stage_duration_seconds_sum{stage="judge"}']
    assert judged == pytest.approx(answer["receipt"]["seconds"]["judge"])
    assert after['rag_request_duration_seconds_count{method="POST",route="/v1/ask",status="200"}'] == 1


def test_a_refusal_and_a_search_are_no_answers(client: TestClient[Any]) -> None:
    assert not client.post("/v1/ask", json={"question": "zzz qqq www?"}).json()["answered"]
    client.post("/v1/search", json={"question": QUESTION, "judged": True})
    client.post("/v1/ask", json={"question": " "})
    after = values(client)
    counts = {name: value for name, value in after.items() if name.startswith("rag_questions_total")}
    assert {name for name, value in counts.items() if value} == {'rag_questions_total{outcome="refused"}'}


def test_nothing_says_what_was_asked_and_labels_are_bounded(client: TestClient[Any]) -> None:
    client.post("/v1/ask", json={"question": QUESTION})
    for number in range(20):
        client.get(f"/v1/documents/rahasia{number}")
        client.get(f"/rahasia{number}?contains=rahasia")
    client.request("PROPFIND", "/rahasia")
    text = client.get("/metrics").text
    assert "rahasia" not in text
    assert "Ashtiani" not in text
    routes = set(re.findall(r"rag_request_duration_seconds_count{(.*)} ", text))
    assert routes >= {
        'method="GET",route="/v1/documents/{document_id}",status="404"',
        'method="GET",route="none",status="404"',
        'method="other",route="none",status="404"',
    }
    assert len(routes) < 10


def test_the_index_the_line_and_the_rebuilds_are_looked_at(client: TestClient[Any], engine: Engine, rebuilds: Rebuilds) -> None:
    first = values(client)
    assert (first["rag_snapshot_documents"], first["rag_snapshot_chunks"]) == (1, 3)
    assert first["rag_snapshot_age_seconds"] >= 0
    assert (first["rag_queue_length"], first["rag_queue_places"]) == (0, 16)
    assert first['rag_rebuilds_total{state="done"}'] == 0
    job = rebuilds.start()
    until(lambda: (now := rebuilds.get(job.id)) and now.ended)
    second = values(client)
    assert (second['rag_rebuilds_total{state="done"}'], second["rag_rebuilds_at_work"]) == (1, 0)
    (engine.settings.index / "current").unlink()
    third = values(client)
    assert "rag_snapshot_age_seconds" not in third


def test_two_applications_count_apart() -> None:
    first, second = Metrics(), Metrics()
    first.question("answered")
    name, labels = "rag_questions_total", {"outcome": "answered"}
    assert (first.registry.get_sample_value(name, labels), second.registry.get_sample_value(name, labels)) == (1, 0)


def test_answers_that_were_cut_are_counted(engine: Engine) -> None:
    answer, counted = engine.ask(QUESTION), Metrics()
    for cut in (False, True, True):
        counted.answer(replace(answer, cut=cut))
    assert counted.registry.get_sample_value("rag_answers_cut_total") == 2


def test_passages_that_were_read_before_are_counted_by_the_receipts(client: TestClient[Any], engine: Engine) -> None:
    answer = engine.ask(QUESTION)
    counted = Metrics()
    for stored, read in ((1, 0), (0, 2)):
        counted.answer(replace(answer, receipt=replace(answer.receipt, stored=stored, read=read)))
    get = counted.registry.get_sample_value
    assert (get("rag_store_hits_total"), get("rag_store_misses_total")) == (1, 2)
    assert values(client)["rag_store_hits_total"] == 0


def test_alerts_are_about_what_is_counted(client: TestClient[Any]) -> None:
    client.get("/health")
    series = {name.partition("{")[0]: name for name in values(client)}
    groups = yaml.safe_load((ROOT / "deploy/alerts.yml").read_text("utf-8"))["groups"]
    selectors = [
        found for group in groups for rule in group["rules"] for found in re.findall(r"\b(rag_\w+)(?:{(\w+))?", rule["expr"])
    ]
    assert len(selectors) >= 4
    for name, label in selectors:
        assert f"{label}=" in series[name] if label else name in series


def test_the_outcomes_that_alerts_wait_for_are_counted_from_the_start(client: TestClient[Any]) -> None:
    """`increase` of a series that appears with its first count is 0."""
    assert values(client)['rag_rebuilds_total{state="failed"}'] == 0
