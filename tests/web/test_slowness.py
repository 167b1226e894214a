import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from rag.errors import TooSlow
from rag.web import slowness
from rag.web.slowness import Arriving


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


def test_whoever_hangs_up_is_waited_for_without_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slowness, "GRACE", 0.0)

    async def read() -> None:
        request = arriving([body(b"{}", more=False)])
        await request()
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(request(), 0.05)

    asyncio.run(read())
