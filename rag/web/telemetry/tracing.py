"""Traces: a span for each request, with a child span for each stage of its answer, if OpenTelemetry's variables ask for them.

The only importer of OpenTelemetry, and only then. Litestar's plugin for its ASGI instrumentation is not used: it records whole
URLs, in which filters may quote documents, and makes a span of every chunk of a response.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from rag import __version__
from rag.errors import QuestionError

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import SpanProcessor, TracerProvider

# The stages in order: before the passages are sent, the wait for the model, and after it.
BEFORE, WAIT, AFTER = ("load", "search"), "wait", ("judge", "first_token", "write", "cite")
STAGES = (*BEFORE, WAIT, *AFTER)


@dataclass(frozen=True, slots=True)
class Stage:
    """A stage of an answer. `start` and `end` are nanoseconds since 1970."""

    name: str
    start: int
    end: int


def spans(seconds: Mapping[str, float], *, found: int, waited: float, ended: int) -> list[Stage]:
    """The stages of an answer in order, from the `seconds` of its receipt.

    `found` (when the passages were found) and `ended` (when the answer was complete) are nanoseconds since 1970, `waited` is
    seconds. A receipt has durations, not times: the stages of BEFORE are laid end to end up to `found`, those of AFTER up to
    `ended`.
    """
    waiting = [Stage(WAIT, found, found + _ns(waited))]
    return [*_ending_at(found, BEFORE, seconds), *waiting, *_ending_at(ended, AFTER, seconds)]


def _ending_at(end: int, names: Sequence[str], seconds: Mapping[str, float]) -> list[Stage]:
    found: list[Stage] = []
    for name in reversed([name for name in names if name in seconds]):
        start = end - _ns(seconds[name])
        found.append(Stage(name, start, end))
        end = start
    return found[::-1]


def _ns(seconds: float) -> int:
    return round(seconds * 1e9)


_ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
_EXPORTER, _PROTOCOLS = "OTEL_TRACES_EXPORTER", ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
# Milliseconds to send the remaining spans when the service stops.
_GRACE = 3000

# Called when a request has ended, with its path template and status.
Ended = Callable[[str, int], None]


class Traces(Protocol):
    """Where spans go."""

    def request(self, method: str, headers: Mapping[str, str], request_id: str) -> Any:
        """A context manager around a request; it gives the `Ended` to call at its end."""

    def stages(self, stages: Sequence[Stage]) -> None:
        """Trace the stages of the answer to the request under way."""

    def close(self) -> None:
        """Send the remaining spans."""


class Untraced:
    """No traces."""

    @contextmanager
    def request(self, _method: str, _headers: Mapping[str, str], _request_id: str) -> Iterator[Ended]:
        """Do nothing."""
        yield lambda _route, _status: None

    def stages(self, stages: Sequence[Stage]) -> None:
        """Do nothing."""

    def close(self) -> None:
        """Do nothing."""


class OpenTelemetry:
    """Traces through an OpenTelemetry provider."""

    def __init__(self, provider: "TracerProvider") -> None:
        self._provider, self._tracer = provider, provider.get_tracer("rag", __version__)

    @contextmanager
    def request(self, method: str, headers: Mapping[str, str], request_id: str) -> Iterator[Ended]:
        """The request's span, a child of the client's where the headers name one (`traceparent`)."""
        from opentelemetry.propagate import extract
        from opentelemetry.trace import SpanKind, StatusCode

        attributes = {"http.request.method": method, "rag.request_id": request_id}
        span_of = self._tracer.start_as_current_span
        # The message of an exception may quote the question.
        private: dict[str, Any] = {"record_exception": False, "set_status_on_exception": False}
        with span_of(method, extract(headers), SpanKind.SERVER, attributes, **private) as span:

            def ended(route: str, status: int) -> None:
                span.update_name(f"{method} {route}")
                span.set_attributes({"http.route": route, "http.response.status_code": status})
                if status >= 500:
                    span.set_status(StatusCode.ERROR)

            yield ended

    def stages(self, stages: Sequence[Stage]) -> None:
        """A child span of the request's for each stage."""
        for stage in stages:
            self._tracer.start_span(stage.name, start_time=stage.start).end(stage.end)

    def close(self) -> None:
        """Send the remaining spans, for at most three seconds."""
        self._provider.force_flush(_GRACE)
        self._provider.shutdown()


def open_configured(environment: Mapping[str, str]) -> Traces:
    """Traces as OpenTelemetry's environment variables ask for. Raises QuestionError where they cannot be sent like that."""
    if not _wanted(environment):
        return Untraced()
    try:
        return OpenTelemetry(_provider(environment))
    except ImportError as error:
        hint = f"run `pip install 'rag[telemetry]'`, or set {_EXPORTER}=none"
        raise QuestionError("traces are configured, but OpenTelemetry is not installed", hint) from error


def _wanted(environment: Mapping[str, str]) -> bool:
    if environment.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return False
    if exporter := environment.get(_EXPORTER, "").strip():
        return exporter != "none"
    return any(environment.get(name) for name in _ENDPOINTS)


def _provider(environment: Mapping[str, str]) -> "TracerProvider":
    """A provider with the configured exporter. The SDK itself reads the variables for sampling, limits and addresses."""
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider

    named = environment.get("OTEL_SERVICE_NAME") or "service.name=" in environment.get("OTEL_RESOURCE_ATTRIBUTES", "")
    about = {"service.version": __version__, **({} if named else {"service.name": "rag"})}
    provider = TracerProvider(resource=Resource.create(about), shutdown_on_exit=False)
    provider.add_span_processor(_processor(environment))
    return provider


def _processor(environment: Mapping[str, str]) -> "SpanProcessor":
    from opentelemetry.sdk.trace.export import BatchSpanProcessor, ConsoleSpanExporter, SimpleSpanProcessor

    exporter = environment.get(_EXPORTER, "").strip() or "otlp"
    if exporter == "console":
        return SimpleSpanProcessor(ConsoleSpanExporter())
    if exporter != "otlp":
        raise QuestionError(f"{_EXPORTER} is {exporter!r}", "set it to otlp, console or none")
    protocol = next((environment[name] for name in _PROTOCOLS if environment.get(name)), "http/protobuf")
    if protocol != "http/protobuf":
        raise QuestionError(f"traces cannot be sent by {protocol}", f"set {_PROTOCOLS[1]}=http/protobuf, and the port to 4318")
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

    return BatchSpanProcessor(OTLPSpanExporter())
