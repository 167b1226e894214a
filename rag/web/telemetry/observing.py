"""Observes every request and every question: request ids, log lines, metrics and traces."""

import logging
import time
from collections.abc import Iterator
from contextlib import closing
from typing import Any, TypeVar, cast
from urllib.parse import quote

from litestar.enums import ScopeType
from litestar.types import ASGIApp, HTTPScope, Message, Receive, Scope, Send

from rag.types import Answer, Found, Token
from rag.web.telemetry import log, tracing
from rag.web.telemetry.metrics import FAILED_QUESTION, STOPPED, Metrics
from rag.web.telemetry.tracing import Traces

_log = logging.getLogger(__name__)
# The route of a request without one, and the status where the client disconnected before the response started.
_NO_ROUTE, _NO_STATUS = "none", 0
# Characters of a path and of a method in the log.
_MOST_PATH, _MOST_METHOD = 200, 20

T = TypeVar("T")


class Observed:
    """An ASGI application that is observed. It wraps the routing, so that requests without a route are seen too."""

    def __init__(self, app: ASGIApp, metrics: Metrics, traces: Traces, *, questions: bool) -> None:
        """`questions` is whether questions may be logged."""
        self._app, self._metrics, self._traces, self._questions = app, metrics, traces, questions

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, and report it when it has ended, also with an error."""
        if scope["type"] == ScopeType.HTTP:
            await self._observed(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    async def _observed(self, scope: HTTPScope, receive: Receive, send: Send) -> None:
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        noted = log.begin(headers.get("x-request-id", ""), questions=self._questions)
        seen, started = _Messages(noted.id, receive, send), time.perf_counter()
        with self._traces.request(scope["method"], headers, noted.id) as ended:
            try:
                await self._app(scope, seen.receive, seen.send)
            finally:
                route, seconds = _route(scope), time.perf_counter() - started
                ended(route, seen.status)
                self._metrics.request(scope["method"], route, seen.status, seconds)
                _log_request(scope, seen, seconds, noted.fields)


class _Messages:
    """The ASGI messages of one request: their status, and whether the client hung up before the response was complete."""

    def __init__(self, request_id: str, receive: Receive, send: Send) -> None:
        self.status, self.hung_up, self._complete = _NO_STATUS, False, False
        self._header = (b"x-request-id", request_id.encode())
        self._receive, self._send = receive, send

    async def receive(self) -> Any:
        message = await self._receive()
        if message["type"] == "http.disconnect" and not self._complete:
            self.hung_up = True
        return message

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            message["headers"] = [*message.get("headers", ()), self._header]
        elif message["type"] == "http.response.body":
            self._complete = not message.get("more_body", False)
        await self._send(message)


def _route(scope: HTTPScope) -> str:
    return str(cast("dict[str, Any]", scope).get("path_template", _NO_ROUTE))


def _log_request(scope: HTTPScope, seen: _Messages, seconds: float, fields: dict[str, object]) -> None:
    """Log the request. The path is without its query string, in which filters may quote documents."""
    level = logging.WARNING if seen.status >= 500 else logging.INFO
    line: dict[str, object] = {
        "method": scope["method"][:_MOST_METHOD],
        "path": quote(scope["path"])[:_MOST_PATH],
        "status": seen.status,
        "seconds": round(seconds, 4),
    }
    if seen.hung_up:
        line["hung_up"] = True
    _log.log(level, "request", extra={"fields": {**line, **fields}})


class Questions:
    """Counts, times and traces questions by their events, which pass through `watch`."""

    def __init__(self, metrics: Metrics, traces: Traces) -> None:
        self._metrics, self._traces = metrics, traces

    def watch(self, steps: Iterator[T]) -> Iterator[T]:
        """The same events. It runs in the question's thread, which waits for the model after it has taken `Found`."""
        found, waited, outcome = 0, 0.0, STOPPED
        with closing(cast("Any", steps)):
            try:
                for event in steps:
                    if isinstance(event, Token):
                        self._metrics.token()
                    elif isinstance(event, Answer):
                        self._answered(event, found, waited)
                        outcome = ""
                    elif isinstance(event, Found):
                        found, started = time.time_ns(), time.perf_counter()
                        yield event
                        waited = time.perf_counter() - started
                        continue
                    yield event
            except Exception:
                outcome = FAILED_QUESTION
                raise
            finally:
                if outcome and found:
                    self._metrics.question(outcome)

    def _answered(self, answer: Answer, found: int, waited: float) -> None:
        seconds = {**answer.receipt.seconds, tracing.WAIT: waited}
        for name, lasted in seconds.items():
            self._metrics.stage(name, lasted)
        self._metrics.answer(answer)
        self._traces.stages(tracing.spans(seconds, found=found, waited=waited, ended=time.time_ns()))
        log.note(answered=answer.answered, stages={name: round(lasted, 3) for name, lasted in seconds.items()})
        log.note_question(answer.question)
