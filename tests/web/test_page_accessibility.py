"""axe-core finds no accessibility problem on the page: each view, in dark and light, on a desk and on a phone."""

from collections.abc import Callable
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe

from rag.engine import Engine
from rag.keys import Keys
from tests.fakes import SlowReader
from tests.web.conftest import QUESTION

DESK, PHONE = {"width": 1280, "height": 900}, {"width": 390, "height": 844}
# All rules but those that axe calls experimental; every finding counts, whatever its impact.
OPTIONS = {"resultTypes": ["violations"], "runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}


@pytest.fixture(
    params=[("light", DESK), ("dark", DESK), ("light", PHONE), ("dark", PHONE)], ids=lambda p: f"{p[0]}-{p[1]['width']}"
)
def options(request: pytest.FixtureRequest) -> dict[str, Any]:
    scheme, size = request.param
    # Without reduced motion, colours would be measured while they change.
    return {"color_scheme": scheme, "viewport": size, "reduced_motion": "reduce"}


def findings(view: Any) -> list[str]:
    """The findings of axe: impact, rule, and element."""
    found = Axe().run(view, options=OPTIONS).response["violations"]
    return [
        f"{rule['impact']} {rule['id']}: {node['html'][:200]} {node['failureSummary']}"
        for rule in found
        for node in rule["nodes"]
    ]


def asked(view: Any, question: str, until: str) -> None:
    view.fill("#question", question)
    view.press("#question", "Enter")
    view.locator(until).wait_for()


def test_asking_is_open_to_all(page_at: Callable[..., Any], options: dict[str, Any]) -> None:
    view = page_at(**options)
    view.locator(".tally", has_text="1").wait_for()
    assert findings(view) == []
    asked(view, QUESTION, ".turn-foot")
    assert findings(view) == []
    view.locator(".citation").first.click()
    view.locator("mark.here").wait_for()
    assert findings(view) == []
    view.locator("[data-key=close]").click()
    asked(view, "Siapa juara sepak bola Brasil?", ".refusal")
    view.locator("#filters summary").click()
    view.locator("[name=language] option[value=id]").wait_for(state="attached")
    assert findings(view) == []


def test_an_answer_under_way_is_open_to_all(page_at: Callable[..., Any], options: dict[str, Any], engine: Engine) -> None:
    engine.models.reader = SlowReader()
    view = page_at(**options)
    asked(view, QUESTION, ".draft")
    assert findings(view) == []
    view.click("#stop")
    view.locator(".aside", has_text="belum diperiksa").wait_for()
    assert findings(view) == []


def test_the_documents_are_open_to_all(page_at: Callable[..., Any], options: dict[str, Any], engine: Engine) -> None:
    (engine.settings.seeds / "kosong.txt").write_bytes(b"")
    engine.rebuild()
    view = page_at(**options)
    view.click("nav a[href='#documents']")
    view.locator(".documents .document").wait_for()
    view.locator("#unread .document").wait_for()
    assert findings(view) == []
    view.set_input_files("input[type=file]", {"name": "foto.exe", "mimeType": "text/plain", "buffer": b"MZ"})
    view.locator(".upload-said .failure").wait_for()
    assert findings(view) == []
    view.locator("[data-key^=delete]").first.click()
    view.locator("#confirm[open]").wait_for()
    assert findings(view) == []


def test_logging_in_is_open_to_all(engine: Engine, page_at: Callable[..., Any], options: dict[str, Any]) -> None:
    Keys(engine.settings.keys).create("laptop", "read")
    view = page_at(**options)
    view.locator("#login[open]").wait_for()
    assert findings(view) == []
