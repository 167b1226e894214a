import json
import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest
import uvicorn

from rag import address
from rag.web import connections
from rag.web.serving import configured
from tests.web.conftest import PATIENCE, until


async def _nothing(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] == "http":
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body"})


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, int]]:
    """Where an application is served that answers anything, to those who say at once what they want."""
    monkeypatch.setattr(connections, "HEAD_SECONDS", 2.0)
    server = uvicorn.Server(configured(_nothing))
    server.config.timeout_keep_alive = 3
    sockets = address.listen("127.0.0.1", 0)
    thread = threading.Thread(target=server.run, kwargs={"sockets": sockets})
    thread.start()
    until(lambda: server.started)
    yield sockets[0].getsockname()
    server.should_exit = True
    thread.join(PATIENCE)


GET = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"


@pytest.mark.parametrize("before", [b"", GET])
@pytest.mark.parametrize("sent", [b"", GET[:20]])
def test_whoever_does_not_say_what_they_want_is_hung_up_on(hasty: tuple[str, int], before: bytes, sent: bytes) -> None:
    with socket.create_connection(hasty, timeout=PATIENCE) as connection:
        if before:
            connection.sendall(before)
            reply = connection.recv(1000)
            assert reply.startswith(b"HTTP/1.1 204")
            assert b"server: uvicorn" not in reply
        connection.sendall(sent)
        assert connection.recv(1000) == b""


def test_a_request_that_is_whole_is_not_hurried(hasty: tuple[str, int]) -> None:
    with socket.create_connection(hasty, timeout=PATIENCE) as connection:
        for _ in range(2):
            connection.sendall(GET)
            assert connection.recv(1000).startswith(b"HTTP/1.1 204")


def connected(where: tuple[str, int]) -> socket.socket:
    return socket.create_connection(where, timeout=PATIENCE)


def test_one_too_many_takes_the_place_of_whoever_was_idle_for_longest(
    hasty: tuple[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "HEAD_SECONDS", PATIENCE)
    monkeypatch.setattr(connections, "MOST", 2)
    with connected(hasty) as first, connected(hasty) as second, connected(hasty) as third:
        assert first.recv(10) == b""
        for asker in (second, third):
            asker.sendall(GET)
            assert asker.recv(1000).startswith(b"HTTP/1.1 204")


def test_where_all_are_at_work_one_too_many_is_told_so(hasty: tuple[str, int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "MOST", 1)
    with connected(hasty) as first:
        first.sendall(b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n{")
        # The application has answered when the head is read; the body is still to come, so the request is not over.
        assert first.recv(1000).startswith(b"HTTP/1.1 204")
        with connected(hasty) as second:
            reply = b"".join(iter(lambda: second.recv(1000), b""))
    head, _, problem = reply.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 503")
    assert b"Retry-After: 10" in head
    assert json.loads(problem)["detail"].endswith("; ask again in 10 seconds")
