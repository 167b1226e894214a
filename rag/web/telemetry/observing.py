"""Around all routes: each request's id, its line in the log, its metrics and its span; and the course of questions."""

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
# A request that no route takes, and one whose asker had gone before a reply began.
_NO_ROUTE, _NO_STATUS = "none", 0
# Characters of a path and of a method that the log has.
_MOST_PATH, _MOST_METHOD = 200, 20

T = TypeVar("T")


class Observed:
    """An application that is observed. Outside of the routing, so that requests of no route are seen too."""

    def __init__(self, app: ASGIApp, metrics: Metrics, traces: Traces, *, questions: bool) -> None:
        """`questions` is whether the log may say what was asked."""
        self._app, self._metrics, self._traces, self._questions = app, metrics, traces, questions

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, and tell of it when it has ended, however it did."""
        if scope["type"] == ScopeType.HTTP:
            await self._observed(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    async def _observed(self, scope: HTTPScope, receive: Receive, send: Send) -> None:
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        noted = log.begin(headers.get("x-request-id", ""), questions=self._questions)
        seen, begun = _Seen(noted.id, receive, send), time.perf_counter()
        with self._traces.request(scope["method"], headers, noted.id) as ended:
            try:
                await self._app(scope, seen.receive, seen.send)
            finally:
                route, seconds = _route(scope), time.perf_counter() - begun
                ended(route, seen.status)
                self._metrics.request(scope["method"], route, seen.status, seconds)
                _tell(scope, seen, seconds, noted.fields)


class _Seen:
    """What went back and forth: the status, and whether the asker hung up before the reply was whole."""

    def __init__(self, request_id: str, receive: Receive, send: Send) -> None:
        self.status, self.hung_up, self._whole = _NO_STATUS, False, False
        self._header = (b"x-request-id", request_id.encode())
        self._receive, self._send = receive, send

    async def receive(self) -> Any:
        message = await self._receive()
        if message["type"] == "http.disconnect" and not self._whole:
            self.hung_up = True
        return message

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            message["headers"] = [*message.get("headers", ()), self._header]
        elif message["type"] == "http.response.body":
            self._whole = not message.get("more_body", False)
        await self._send(message)


def _route(scope: HTTPScope) -> str:
    return str(cast("dict[str, Any]", scope).get("path_template", _NO_ROUTE))


def _tell(scope: HTTPScope, seen: _Seen, seconds: float, fields: dict[str, object]) -> None:
    """The line. The path without its query, in which filters may stand."""
    level = logging.WARNING if seen.status >= 500 else logging.INFO
    told: dict[str, object] = {
        "method": scope["method"][:_MOST_METHOD],
        "path": quote(scope["path"])[:_MOST_PATH],
        "status": seen.status,
    }
    told["seconds"] = round(seconds, 4)
    if seen.hung_up:
        told["hung_up"] = True
    _log.log(level, "request", extra={"fields": {**told, **fields}})


class Questions:
    """The course of questions: their events pass through `watch`, which counts, times and traces them."""

    def __init__(self, metrics: Metrics, traces: Traces) -> None:
        self._metrics, self._traces = metrics, traces

    def watch(self, steps: Iterator[T]) -> Iterator[T]:
        """The same events. They are asked for in the thread of the question, and the first waits there for the model."""
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
                        found, begun = time.time_ns(), time.perf_counter()
                        yield event
                        waited = time.perf_counter() - begun
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
