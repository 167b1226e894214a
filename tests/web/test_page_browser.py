"""The page in a browser, over the invented service: what a person does with it, with keys, on a phone. Skipped without one."""

import shutil
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
import uvicorn

from tests.web import fake_service

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
CHROMIUM = shutil.which("chromium")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium")
# A browser on a busy machine is slow; nothing here waits longer than it must.
PATIENCE = 60_000


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        server = uvicorn.Server(uvicorn.Config(fake_service.create(), log_level="warning"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [free]}, daemon=True)
        thread.start()
        while not server.started:
            time.sleep(0.05)
        yield f"http://127.0.0.1:{free.getsockname()[1]}/"
        server.should_exit = True
        thread.join()


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with playwright.sync_playwright() as driver:
        opened = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture
def view(browser: Any, address: str) -> Iterator[Any]:
    """The page in Indonesian. Whatever the browser itself complains of, as of what the policy forbids, fails the test."""
    context = browser.new_context(locale="id-ID", viewport={"width": 1280, "height": 900})
    opened = context.new_page()
    opened.set_default_timeout(PATIENCE)
    complaints: list[str] = []
    opened.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    opened.on("pageerror", lambda error: complaints.append(str(error)))
    opened.goto(address)
    yield opened
    context.close()
    assert complaints == []


def _ask(view: Any, question: str) -> None:
    view.keyboard.press("Escape")
    view.fill("#question", question)
    view.press("#question", "Enter")


def test_a_citation_opens_the_exact_words(view: Any) -> None:
    _ask(view, "Apa kata Menteri Pertahanan?")
    view.locator(".card mark").first.wait_for()
    view.locator(".turn-foot").wait_for()
    assert view.locator(".sentence").count() == 4
    assert view.locator(".unsupported .flag").count() == 1
    view.locator(".citation").last.click()
    lit = view.locator("mark.here")
    lit.wait_for()
    assert lit.inner_text() == "Bab 3. Produksi beras nasional pada triwulan 3 mencapai 10,4 juta ton 🌾"
    assert view.locator(".citation[aria-current]").inner_text() == "3"


def test_keys_lead_from_source_to_source_and_back(view: Any) -> None:
    _ask(view, "Apa kata Menteri Pertahanan?")
    view.locator(".turn-foot").wait_for()
    view.locator(".citation").first.focus()
    view.keyboard.press("Enter")
    view.locator("mark.here:focus").wait_for()
    view.keyboard.press("ArrowRight")
    view.locator(".count", has_text="2 dari 3").wait_for()
    view.locator("mark.here:focus").wait_for()
    view.keyboard.press("Escape")
    view.locator("#reader").wait_for(state="hidden")
    assert view.locator(".citation:focus").inner_text() == "1"
    view.locator("body").press("/")
    assert view.locator("#question:focus").count() == 1


def test_a_refusal_and_a_problem_are_said(view: Any) -> None:
    _ask(view, "Siapa juara sepak bola Brasil?")
    view.locator(".refusal").wait_for()
    assert view.locator(".evidence[open] .card").count() == 4
    _ask(view, "rusak")
    assert view.locator(".turn .failure").inner_text().endswith("run `rag models fetch`")


def test_an_answer_is_stopped(view: Any) -> None:
    _ask(view, "Apa?")
    view.locator(".draft").wait_for()
    view.click("#stop")
    view.locator(".aside", has_text="belum diperiksa").wait_for()
    assert view.locator("#send").is_visible()


def test_what_documents_say_stays_text(view: Any) -> None:
    view.click("nav a[href='#documents']")
    view.locator(".document-open", has_text="rapat").click()
    view.locator(".paper", has_text="<script>alert(1)</script>").wait_for()
    assert view.locator(".paper script, .paper b").count() == 0


def test_a_document_is_uploaded_and_the_index_followed(view: Any) -> None:
    view.click("nav a[href='#documents']")
    view.set_input_files("input[type=file]", {"name": "baru.txt", "mimeType": "text/plain", "buffer": b"Halo"})
    view.locator(".job progress").wait_for()
    view.locator(".job").wait_for(state="detached")


def test_the_interface_changes_its_language_and_remembers(view: Any) -> None:
    assert view.locator("h1").first.inner_text() == "Tanyakan pada dokumen Anda"
    view.select_option("#language", "en")
    assert view.locator("h1").first.inner_text() == "Ask your documents"
    view.reload()
    assert view.locator("h1").first.inner_text() == "Ask your documents"


@pytest.mark.parametrize("width", [320, 390, 1280])
def test_nothing_is_wider_than_the_screen(view: Any, width: int) -> None:
    view.set_viewport_size({"width": width, "height": 800})
    _ask(view, "Apa kata Menteri Pertahanan tentang Venezuela?")
    view.locator(".turn-foot").wait_for()
    view.locator(".citation").first.click()
    view.locator("mark.here").wait_for()
    assert view.evaluate("document.documentElement.scrollWidth") <= width
