"""A client of the application over the fakes, and a server that listens, for what only a real connection shows."""

import shutil
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn
from litestar import Litestar
from litestar.testing import TestClient

from rag.engine import Engine
from rag.web.app import create
from rag.web.rebuilding import Rebuilds
from tests.conftest import ROOT

# Seconds after which a test that waits has failed. A machine that is busy needs many.
PATIENCE = 120
FAKE_RAG = (sys.executable, "-W", "error", "-m", "tests.fake_rag")
QUESTION = "Apa kata Menteri Pertahanan Ashtiani tentang Venezuela?"


@pytest.fixture
def rebuilds(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> Iterator[Rebuilds]:
    """Rebuilds in real processes, with the fakes for models."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.chdir(ROOT)
    made = Rebuilds(engine.settings, FAKE_RAG)
    yield made
    made.close()


@pytest.fixture
def client(engine: Engine, rebuilds: Rebuilds) -> Iterator[TestClient[Any]]:
    with connect(create(engine, rebuilds=rebuilds)) as opened:
        yield opened


def connect(app: Litestar) -> TestClient[Any]:
    """A client on the same machine: without keys, requests for other hosts are refused."""
    return TestClient(app, base_url="http://127.0.0.1:8000")


def script(path: Path, text: str) -> tuple[str, ...]:
    """A command that does what the Python text says, in the place of `rag`."""
    path.write_text("import json, os, sys, time\ndef emit(**fields): print(json.dumps(fields), flush=True)\n" + text)
    return (sys.executable, str(path))


def until(met: Callable[[], object]) -> None:
    """Wait until it is met; fail after a while."""
    waiting = threading.Event()
    for _ in range(PATIENCE * 50):
        if met():
            return
        waiting.wait(0.02)
    raise AssertionError("it did not happen")


def assert_problem(reply: httpx.Response, status: int, *words: str) -> None:
    """The response is a problem of this status, whose detail has these words and ends with what to do."""
    assert reply.status_code == status, reply.text
    assert reply.headers["content-type"].startswith("application/problem+json")
    problem = reply.json()
    assert set(problem) == {"type", "title", "status", "detail", "instance"}
    assert problem["instance"] == f"urn:rag:request:{reply.headers['x-request-id']}"
    assert (problem["status"], problem["type"]) == (status, f"urn:rag:{problem['title']}")
    assert "; " in problem["detail"]
    for word in words:
        assert word in problem["detail"]


class Served:
    """The application, listening on a port of this machine."""

    def __init__(self, app: Litestar, server: Callable[[uvicorn.Config], uvicorn.Server] = uvicorn.Server) -> None:
        self.server = server(uvicorn.Config(app, host="127.0.0.1", port=0, log_level="warning", lifespan="on"))
        self._thread = threading.Thread(target=self.server.run)
        self._thread.start()
        until(lambda: self.server.started)
        self.host, self.port = self.server.servers[0].sockets[0].getsockname()
        self.url = f"http://{self.host}:{self.port}"

    def close(self) -> None:
        self.server.should_exit = True
        self._thread.join(PATIENCE)
        assert not self._thread.is_alive()


def questions_running() -> int:
    """How many questions have a thread."""
    return sum(thread.name == "asking" for thread in threading.enumerate())


def events(text: str) -> list[tuple[str, str]]:
    """The events of a stream, each with its data."""
    found = []
    for block in text.replace("\r\n", "\n").strip().split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.split("\n"))
        found.append((fields["event"], fields["data"]))
    return found


@pytest.fixture
def address(engine: Engine, rebuilds: Rebuilds) -> Iterator[str]:
    """Where the application over the fakes listens."""
    with closing(Served(create(engine, rebuilds=rebuilds))) as served:
        yield f"{served.url}/"


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """The system's chromium, for a module: while it is open, this thread has an event loop, and other tests run one too."""
    from playwright.sync_api import sync_playwright

    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("there is no chromium; on Debian run: apt-get install chromium")
    with sync_playwright() as driver:
        # No sandbox, for root has none (it opens nothing but this page), and drawing without a graphics processor.
        opened = driver.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        yield opened
        opened.close()


@pytest.fixture
def page_at(browser: Any, address: str) -> Iterator[Callable[..., Any]]:
    """Opens the page in Indonesian. An error in the browser's console, as a violation of the policy, fails the test.

    A problem that the service responds with does not: the page shows it.
    """
    complaints: list[str] = []
    contexts = []

    def noted(message: Any) -> None:
        if message.type == "error" and "the server responded with a status of" not in message.text:
            complaints.append(message.text)

    def opened(*, prepare: Callable[[Any], object] = lambda _: None, **options: Any) -> Any:
        context = browser.new_context(**{"locale": "id-ID", "viewport": {"width": 1280, "height": 900}, **options})
        contexts.append(context)
        prepare(context)
        page = context.new_page()
        page.set_default_timeout(PATIENCE * 1000)
        page.on("console", noted)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(address)
        return page

    yield opened
    for context in contexts:
        context.close()
    assert complaints == []


@pytest.fixture
def view(page_at: Callable[..., Any]) -> Any:
    """The page."""
    return page_at()
