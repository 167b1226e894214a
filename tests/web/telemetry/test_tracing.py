import json
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from litestar.testing import TestClient
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from rag.engine import Engine
from rag.errors import QuestionError
from rag.web.app import create
from rag.web.rebuilding import Rebuilds
from rag.web.telemetry import tracing
from rag.web.telemetry.tracing import AFTER, BEFORE, STAGES, WAIT, Stage
from rag.web.telemetry.tracing import spans as stage_spans
from tests.conftest import ROOT
from tests.web.conftest import QUESTION, connect

SECONDS = {"load": 1.0, "search": 2.0, "judge": 3.0, "first_token": 4.0, "write": 5.0, "cite": 6.0}


def test_stages_lie_before_the_passages_and_up_to_the_answer() -> None:
    found = stage_spans(SECONDS, found=10 * 10**9, waited=0.5, ended=30 * 10**9)
    assert [(s.name, s.start / 1e9, s.end / 1e9) for s in found] == [
        ("load", 7.0, 8.0),
        ("search", 8.0, 10.0),
        ("wait", 10.0, 10.5),
        ("judge", 12.0, 15.0),
        ("first_token", 15.0, 19.0),
        ("write", 19.0, 24.0),
        ("cite", 24.0, 30.0),
    ]
    assert tuple(s.name for s in found) == STAGES == (*BEFORE, WAIT, *AFTER)


def test_a_refusal_has_no_stages_after_the_judge() -> None:
    seconds = {"load": 1.0, "search": 2.0, "judge": 3.0, "unknown": 9.0}
    found = stage_spans(seconds, found=10 * 10**9, waited=0.0, ended=13 * 10**9)
    assert [s.name for s in found] == ["load", "search", "wait", "judge"]
    assert found[-1] == Stage("judge", 10 * 10**9, 13 * 10**9)


TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


@pytest.fixture
def spans() -> InMemorySpanExporter:
    return InMemorySpanExporter()


@pytest.fixture
def traced(engine: Engine, rebuilds: Rebuilds, spans: InMemorySpanExporter) -> Iterator[TestClient[Any]]:
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(spans))
    with connect(create(engine, rebuilds=rebuilds, traces=tracing.OpenTelemetry(provider))) as client:
        yield client


def by_name(spans: InMemorySpanExporter) -> dict[str, ReadableSpan]:
    return {span.name: span for span in spans.get_finished_spans()}


def test_stages_are_child_spans_of_the_request_and_that_of_the_client(
    traced: TestClient[Any], spans: InMemorySpanExporter
) -> None:
    headers = {"traceparent": f"00-{TRACE}-{PARENT}-01", "X-Request-ID": "mine"}
    traced.post("/v1/ask", json={"question": QUESTION}, headers=headers)
    found = by_name(spans)
    request = found.pop("POST /v1/ask")
    assert set(found) == set(STAGES)
    assert request.parent
    assert (format(request.context.trace_id, "032x"), format(request.parent.span_id, "016x")) == (TRACE, PARENT)
    assert dict(request.attributes or {}) == {
        "http.request.method": "POST",
        "http.route": "/v1/ask",
        "http.response.status_code": 200,
        "rag.request_id": "mine",
    }
    for stage in found.values():
        assert stage.parent
        assert stage.parent.span_id == request.context.span_id
        assert stage.start_time
        assert stage.end_time
        assert request.start_time
        # Lengths in a receipt are rounded to tenths of milliseconds.
        assert request.start_time - 10**6 <= stage.start_time <= stage.end_time


def test_a_request_that_fails_is_a_span_that_did_and_says_nothing_of_the_question(
    traced: TestClient[Any], spans: InMemorySpanExporter, engine: Engine
) -> None:
    (engine.settings.index / "current").unlink()
    traced.post("/v1/ask", json={"question": QUESTION})
    traced.get("/v1/documents?contains=rahasia")
    received = [span.to_json() for span in spans.get_finished_spans()]
    assert [json.loads(span)["status"]["status_code"] for span in received] == ["ERROR", "ERROR"]
    assert "Ashtiani" not in "".join(received)
    assert "rahasia" not in "".join(received)


@pytest.mark.parametrize(
    "environment",
    [
        {},
        {"OTEL_SERVICE_NAME": "mine"},
        {"OTEL_TRACES_EXPORTER": "none", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1"},
        {"OTEL_SDK_DISABLED": "true", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1"},
    ],
)
def test_without_configuration_there_are_no_traces(environment: dict[str, str]) -> None:
    assert isinstance(tracing.open_configured(environment), tracing.Untraced)


@pytest.mark.parametrize(
    "environment",
    [{"OTEL_TRACES_EXPORTER": "console"}, {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1"}],
)
def test_configured_traces_are_opened(environment: dict[str, str]) -> None:
    traces = tracing.open_configured(environment)
    assert isinstance(traces, tracing.OpenTelemetry)
    traces.close()


@pytest.mark.parametrize(
    ("environment", "hint"),
    [
        ({"OTEL_TRACES_EXPORTER": "zipkin"}, "set it to otlp, console or none"),
        (
            {"OTEL_TRACES_EXPORTER": "otlp", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"},
            "set OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf",
        ),
    ],
)
def test_traces_that_cannot_be_sent_are_an_error(environment: dict[str, str], hint: str) -> None:
    with pytest.raises(QuestionError, match=hint):
        tracing.open_configured(environment)


def test_without_the_package_configured_traces_are_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.trace", None)
    with pytest.raises(QuestionError, match=r"run `pip install 'rag\[telemetry\]'`"):
        tracing.open_configured({"OTEL_TRACES_EXPORTER": "console"})


def test_nothing_of_it_is_imported_otherwise() -> None:
    code = "import sys, rag.web.app; print([n for n in sys.modules if n.startswith('opentelemetry.sdk')])"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert run.stdout.strip() == "[]"
