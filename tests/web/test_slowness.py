import asyncio
import json
import socket
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from rag.engine import Engine
from rag.errors import QuestionError, TooSlow
from rag.settings import Settings
from rag.web import slowness
from rag.web.app import create
from rag.web.slowness import Arriving
from tests.web.conftest import PATIENCE, Served


def body(raw: bytes, *, more: bool) -> dict[str, Any]:
    return {"type": "http.request", "body": raw, "more_body": more}


def arriving(messages: Sequence[dict[str, Any]]) -> Arriving:
    """What comes, and then nothing any more."""
    left = list(messages)

    async def receive() -> Any:
        return left.pop(0) if left else await asyncio.Event().wait()

    return Arriving(receive)


def test_a_body_that_stops_coming_is_too_slow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slowness, "GRACE", 0.02)

    async def read() -> None:
        request = arriving([body(b"{", more=True)])
        assert (await request())["type"] == "http.request"
        with pytest.raises(TooSlow, match="send it at 10 kB a second or faster"):
            await request()

    asyncio.run(read())


def test_what_came_gives_time_for_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slowness, "GRACE", 100.0)

    async def read() -> None:
        request = arriving([body(b"x" * 50_000, more=True), body(b"x" * 10_000, more=True)])
        await request()
        first = request._until
        await request()
        assert first is not None
        assert request._until == pytest.approx(first + 1)

    asyncio.run(read())


def test_whoever_hangs_up_before_the_body_is_whole_has_made_the_mistake() -> None:
    async def read() -> None:
        request = arriving([body(b"{", more=True), {"type": "http.disconnect"}])
        await request()
        with pytest.raises(QuestionError, match="closed before the body of the request was whole; send it again"):
            await request()

    asyncio.run(read())


def test_whoever_hangs_up_is_waited_for_without_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slowness, "GRACE", 0.0)

    async def read() -> None:
        request = arriving([body(b"{}", more=False)])
        await request()
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(request(), 0.05)

    asyncio.run(read())


@pytest.mark.parametrize(
    ("path", "kind", "sent"),
    [
        ("/v1/search", "application/json", b"{"),
        ("/login", "application/json", b""),
        ("/v1/documents", "multipart/form-data; boundary=x", b"--x\r\nContent-Disposition: form-data"),
    ],
)
def test_a_slow_client_is_told_and_hung_up_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str, kind: str, sent: bytes
) -> None:
    monkeypatch.setattr(slowness, "GRACE", 0.2)
    served = Served(create(Engine(Settings(home=tmp_path, cache=tmp_path))))
    head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: {kind}\r\nContent-Length: 1000\r\n\r\n"
    try:
        with socket.create_connection((served.host, served.port), timeout=PATIENCE) as connection:
            connection.sendall(head.encode() + sent)
            reply = b"".join(iter(lambda: connection.recv(10_000), b""))
    finally:
        served.close()
    status, _, problem = reply.partition(b"\r\n\r\n")
    assert status.startswith(b"HTTP/1.1 408")
    assert json.loads(problem)["type"] == "urn:rag:TooSlow"
