import asyncio
import json
import socket
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn

from rag import address
from rag.engine import Engine
from rag.errors import QuestionError, TooSlow
from rag.settings import Settings
from rag.web.app import create
from rag.web.guard import connections
from rag.web.guard.connections import TimedReceive
from rag.web.serving import configured
from rag.web.telemetry.metrics import Metrics
from tests.web.conftest import PATIENCE, Served, assert_problem, until


def body(raw: bytes, *, more: bool) -> dict[str, Any]:
    return {"type": "http.request", "body": raw, "more_body": more}


def arriving(messages: Sequence[dict[str, Any]]) -> TimedReceive:
    """Receives these messages, and then waits for ever."""
    left = list(messages)

    async def receive() -> Any:
        return left.pop(0) if left else await asyncio.Event().wait()

    return TimedReceive(receive)


def test_a_body_that_stops_coming_is_too_slow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "GRACE", 0.02)

    async def read() -> None:
        request = arriving([body(b"{", more=True)])
        assert (await request())["type"] == "http.request"
        with pytest.raises(TooSlow, match="send it at 10 kB a second or faster"):
            await request()

    asyncio.run(read())


def test_what_came_gives_time_for_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "GRACE", 100.0)

    async def read() -> None:
        request = arriving([body(b"x" * 50_000, more=True), body(b"x" * 10_000, more=True)])
        await request()
        first = request._until
        await request()
        assert first is not None
        assert request._until == pytest.approx(first + 1)

    asyncio.run(read())


def test_a_disconnect_before_the_body_is_complete_is_a_client_error() -> None:
    async def read() -> None:
        request = arriving([body(b"{", more=True), {"type": "http.disconnect"}])
        await request()
        with pytest.raises(QuestionError, match="closed before the body of the request was whole; send it again"):
            await request()

    asyncio.run(read())


def test_after_the_body_there_is_no_time_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "GRACE", 0.0)

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
def test_a_slow_client_gets_a_problem_and_is_disconnected(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str, kind: str, sent: bytes
) -> None:
    monkeypatch.setattr(connections, "GRACE", 0.2)
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


# Far more than the system keeps for a client that does not read.
MUCH = 50_000_000


async def _application(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] == "http" and scope["path"] == "/much":
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": bytes(MUCH)})
    elif scope["type"] == "http" and scope["path"] == "/slowly":
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"first", "more_body": True})
        await asyncio.sleep(3 * connections.READ_SECONDS)
        await send({"type": "http.response.body", "body": b"last"})
    elif scope["type"] == "http":
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body"})


@pytest.fixture
def counted() -> Metrics:
    return Metrics()


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, counted: Metrics) -> Iterator[uvicorn.Server]:
    """Serves an application that answers anything, with short time limits."""
    monkeypatch.setattr(connections, "HEAD_SECONDS", 2.0)
    monkeypatch.setattr(connections, "READ_SECONDS", 1.0)
    server = uvicorn.Server(configured(_application, counted))
    server.config.timeout_keep_alive = 3
    thread = threading.Thread(target=server.run, kwargs={"sockets": address.listen("127.0.0.1", 0)})
    thread.start()
    until(lambda: server.started)
    yield server
    server.should_exit = True
    thread.join(PATIENCE)


@pytest.fixture
def hasty(server: uvicorn.Server) -> tuple[str, int]:
    """Where it listens."""
    where: tuple[str, int] = server.servers[0].sockets[0].getsockname()
    return where


GET = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"


@pytest.mark.parametrize("before", [b"", GET])
@pytest.mark.parametrize("sent", [b"", GET[:20]])
@pytest.mark.slow("waits for time limits of connections")
def test_a_connection_without_a_whole_head_is_closed(hasty: tuple[str, int], before: bytes, sent: bytes) -> None:
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


def test_over_the_limit_the_longest_idle_connection_is_closed(hasty: tuple[str, int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "HEAD_SECONDS", PATIENCE)
    monkeypatch.setattr(connections, "MOST", 2)
    with connected(hasty) as first, connected(hasty) as second, connected(hasty) as third:
        assert first.recv(10) == b""
        for client in (second, third):
            client.sendall(GET)
            assert client.recv(1000).startswith(b"HTTP/1.1 204")


def test_over_the_limit_of_busy_connections_one_more_gets_a_problem(
    hasty: tuple[str, int], counted: Metrics, monkeypatch: pytest.MonkeyPatch
) -> None:
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
    assert json.loads(problem)["detail"].endswith("; try again later")
    assert counted.registry.get_sample_value("rag_connections_turned_away_total") == 1


def test_refused_connections_are_logged_now_and_then(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    counted: list[None] = []
    turned_away = connections.TurnedAway(lambda: counted.append(None))
    for _ in range(100):
        turned_away()
    monkeypatch.setattr(connections, "_LOG_SECONDS", 0.0)
    turned_away()
    assert [record.__dict__["fields"]["connections"] for record in caplog.records] == [1, 100]
    assert len(counted) == 101


def _all(connection: socket.socket) -> bytes:
    """All that is received until the end."""
    return b"".join(iter(lambda: connection.recv(100_000), b""))


def _until_hung_up(connection: socket.socket, sent: bytes) -> None:
    """Send it again and again, until that fails."""
    for _ in range(PATIENCE * 10):
        try:
            connection.sendall(sent)
        except OSError:
            return
        threading.Event().wait(0.1)
    raise AssertionError("it is still open")


@pytest.mark.slow("waits for time limits of connections")
def test_a_client_that_sends_a_body_which_nobody_reads_is_disconnected(hasty: tuple[str, int]) -> None:
    with socket.create_connection(hasty, timeout=PATIENCE) as connection:
        connection.sendall(GET.replace(b"\r\n\r\n", b"\r\nContent-Length: 1000000\r\n\r\n"))
        assert connection.recv(1000).startswith(b"HTTP/1.1 204")
        _until_hung_up(connection, b"x")


@pytest.mark.slow("waits for time limits of connections")
def test_a_client_that_does_not_read_is_disconnected(hasty: tuple[str, int]) -> None:
    with socket.create_connection(hasty, timeout=PATIENCE) as connection:
        connection.sendall(GET.replace(b"/ ", b"/much "))
        assert connection.recv(100).startswith(b"HTTP/1.1 200")
        _until_hung_up(connection, GET)


@pytest.mark.slow("waits for time limits of connections")
def test_a_client_that_reads_slowly_gets_everything(hasty: tuple[str, int]) -> None:
    with socket.create_connection(hasty, timeout=PATIENCE) as connection:
        connection.sendall(GET.replace(b"/ ", b"/much ").replace(b"Host", b"Connection: close\r\nHost"))
        got = 0
        while piece := connection.recv(1_000_000):
            got += len(piece)
            threading.Event().wait(0.02)
        assert got > MUCH


def _kept(server: uvicorn.Server) -> list[Any]:
    return list(server.server_state.connections)


@pytest.mark.slow("waits for time limits of connections")
def test_a_client_that_leaves_the_last_bytes_unread_is_disconnected(hasty: tuple[str, int], server: uvicorn.Server) -> None:
    """They are so few that the transport would buffer them without calling `pause_writing`."""

    async def little_more_than_the_system_takes(scope: Any, receive: Any, send: Any) -> None:
        (connection,) = _kept(server)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        while not connection.transport.get_write_buffer_size():
            await send({"type": "http.response.body", "body": bytes(1000), "more_body": True})
        # The rest does not wait for the client to read.
        connection.flow.resume_writing()
        await send({"type": "http.response.body"})

    server.config.loaded_app = little_more_than_the_system_takes
    with socket.create_connection(hasty, timeout=PATIENCE) as connection:
        connection.sendall(GET)
        until(lambda: server.server_state.total_requests)
        until(lambda: not _kept(server))


@pytest.mark.slow("waits for time limits of connections")
def test_a_client_that_reads_slower_than_the_system_buffers_is_kept(hasty: tuple[str, int]) -> None:
    """The system takes more only when a third of its megabytes is read: that alone does not show whether a client reads."""
    with socket.create_connection(hasty, timeout=PATIENCE) as connection:
        connection.sendall(GET.replace(b"/ ", b"/much ").replace(b"Host", b"Connection: close\r\nHost"))
        got = 0
        for _ in range(40):
            got += len(connection.recv(30_000))
            threading.Event().wait(0.1)
        assert got + len(_all(connection)) > MUCH


@pytest.mark.slow("waits for time limits of connections")
def test_a_stream_that_waits_for_the_model_is_kept(hasty: tuple[str, int]) -> None:
    with socket.create_connection(hasty, timeout=PATIENCE) as connection:
        connection.sendall(GET.replace(b"/ ", b"/slowly ").replace(b"Host", b"Connection: close\r\nHost"))
        assert b"last" in _all(connection)


@pytest.mark.parametrize(
    "sent",
    [
        b"\x16\x03\x01\x00\xc8\x01\x00\x00\xc4\x03\x03" + bytes(190),  # the beginning of TLS
        b"GET /\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        b"GET /\xff HTTP/1.1\r\nHost: a\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
        b"GET / HTTP/1.1\r\nX: \x00\r\n\r\n",
    ],
)
def test_bytes_that_are_not_http_get_a_problem(hasty: tuple[str, int], sent: bytes) -> None:
    with socket.create_connection(hasty, timeout=PATIENCE) as connection:
        connection.sendall(sent)
        head, _, body = _all(connection).partition(b"\r\n\r\n")
    status, *lines = head.decode().split("\r\n")
    headers = dict(line.split(": ", 1) for line in lines)
    assert "default-src 'none'" in {name.lower(): value for name, value in headers.items()}["content-security-policy"]
    assert_problem(httpx.Response(int(status.split()[1]), headers=headers, content=body), 400, "is not HTTP/1.1")


def test_bytes_that_are_not_http_after_a_response_end_the_connection(
    hasty: tuple[str, int], caplog: pytest.LogCaptureFixture
) -> None:
    with socket.create_connection(hasty, timeout=PATIENCE) as connection:
        connection.sendall(GET.replace(b"\r\n\r\n", b"\r\nTransfer-Encoding: chunked\r\n\r\n"))
        assert connection.recv(1000).startswith(b"HTTP/1.1 204")
        connection.sendall(b"no size\r\n")
        assert connection.recv(1000) == b""
    assert [record.message for record in caplog.records if record.exc_info] == []
