import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import httpx
import pytest
import uvicorn

from rag import address
from rag.engine import Engine
from rag.errors import IndexMissing, QuestionError, StorageError
from rag.keys import Keys
from rag.web import serving
from rag.web.admission import Admission
from rag.web.app import create
from rag.web.serving import Server, configured, openness, require_keys, serve
from tests.fakes import StuckReader
from tests.web.conftest import PATIENCE, QUESTION, Served, askers, assert_problem, events, until


def test_an_address_that_is_taken_is_told(engine: Engine) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        engine.settings = replace(engine.settings, port=taken.getsockname()[1])
        with pytest.raises(StorageError, match=r"cannot be listened on \(Address already in use\); set RAG_PORT"):
            serve(engine)


def test_without_an_index_it_does_not_start(engine: Engine) -> None:
    (engine.settings.index / "current").unlink()
    with pytest.raises(IndexMissing, match="run `rag index`"):
        serve(engine)


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.7.7", "::", "rag.example"])
def test_without_keys_no_other_machine_is_served(engine: Engine, host: str) -> None:
    engine.settings = replace(engine.settings, host=host)
    with pytest.raises(QuestionError, match=r"there are no keys; make one first: rag keys create NAME$"):
        serve(engine)
    token, key = Keys(engine.settings.keys).create("laptop", "read")
    require_keys(engine.settings)
    assert token
    Keys(engine.settings.keys).revoke(key.name)
    with pytest.raises(QuestionError, match="make one first"):
        require_keys(engine.settings)


def test_it_says_who_can_use_it(engine: Engine) -> None:
    assert "whoever uses this machine may use the service, and nobody else" in openness(engine.settings)
    Keys(engine.settings.keys).create("laptop", "read")
    assert openness(engine.settings).startswith("a key is needed")


async def _nothing(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] == "http":
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body"})


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, int]]:
    """Where an application is served that answers anything, to those who say at once what they want."""
    monkeypatch.setattr(serving, "HEAD_SECONDS", 2.0)
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


def test_who_has_no_answer_when_it_is_stopped_is_told_so(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serving, "GRACE", 0.1)
    engine.reader = stuck = StuckReader()
    admission = Admission()
    made = Served(create(engine, admission=admission), lambda config: Server(config, admission))

    def asked(accepted: str) -> httpx.Response:
        return httpx.post(f"{made.url}/v1/ask", json={"question": QUESTION}, headers={"Accept": accepted}, timeout=PATIENCE)

    with ThreadPoolExecutor(2) as pool:
        streamed = pool.submit(asked, "text/event-stream")
        assert stuck.working.wait(PATIENCE)
        waiting = pool.submit(asked, "application/json")
        until(lambda: admission.length == 2)
        made.close()
        assert [kind for kind, _ in events(streamed.result().text)][-1] == "error"
        assert "ServiceStopping" in events(streamed.result().text)[-1][1]
        assert_problem(waiting.result(), 503, "the service is stopping")
    until(lambda: not askers())
