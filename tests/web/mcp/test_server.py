"""The tools, called by the SDK's own client over both transports."""

import json
import os
import re
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
from jsonschema import Draft202012Validator
from mcp import Client, StdioServerParameters
from mcp.client.stdio import stdio_client
from mcp.types import CallToolResult, TextContent

from rag.answering.citing import verifies
from rag.engine import Engine
from rag.settings import environment
from rag.types import Citation
from rag.web.app import create
from rag.web.mcp.tools import MOST_CHARACTERS
from tests.conftest import ROOT
from tests.fakes import SlowReader
from tests.web.conftest import PATIENCE, QUESTION, Served, questions_running, until

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def served(engine: Engine) -> Iterator[Served]:
    made = Served(create(engine))
    yield made
    made.close()


def over_stdio(engine: Engine, **more: str) -> Any:
    """A transport to `rag mcp` in a process of its own, over the fakes."""
    variables = {**os.environ, **environment(engine.settings), "PYTHONPATH": str(ROOT), **more}
    command = StdioServerParameters(command=sys.executable, args=["-m", "tests.fake_rag", "mcp"], env=variables, cwd=str(ROOT))
    return stdio_client(command)


TRANSPORTS = ["http", "http of before", "stdio"]


def over(transport: str, engine: Engine, request: pytest.FixtureRequest, **more: str) -> Client:
    if transport == "stdio":
        return Client(over_stdio(engine, **more))
    served = request.getfixturevalue("served")
    return Client(served.url + "/mcp", mode="auto" if transport == "http" else "legacy")


@pytest.fixture(params=TRANSPORTS)
def client(request: pytest.FixtureRequest, engine: Engine) -> Client:
    return over(request.param, engine, request)


def text(result: CallToolResult) -> str:
    (content,) = result.content
    assert isinstance(content, TextContent)
    return content.text


async def called(client: Client, tool: str, **arguments: Any) -> Any:
    """The structured output of a call that succeeds; the client checks it against the tool's schema."""
    result = await client.call_tool(tool, arguments)
    assert not result.is_error, text(result)
    return result.structured_content


@pytest.mark.slow("starts a server or a process")
async def test_the_tools_answer_with_what_they_promise(client: Client, engine: Engine) -> None:
    async with client:
        tools = (await client.list_tools()).tools
        assert [tool.name for tool in tools] == ["search", "ask", "read_document"]
        for listed in tools:
            assert listed.title
            assert listed.annotations
            assert listed.annotations.read_only_hint
            assert not listed.annotations.open_world_hint
            assert_is_whole(listed.input_schema)
            assert_is_whole(listed.output_schema)

        answer = await called(client, "ask", question=QUESTION)
        assert answer["answered"]
        citation = Citation(**answer["citations"][0])
        assert verifies(citation, engine.document(citation.document_id))

        before = [{"question": "Siapa Menteri Pertahanan Iran?", "answer": "Menteri Pertahanan Iran adalah Ashtiani."}]
        understood = await called(client, "ask", question="Apa katanya tentang Venezuela?", history=before)
        assert "Ashtiani" in understood["understood_as"]
        assert "Venezuela" in understood["citations"][0]["text"]

        (judged, *_) = (await called(client, "search", question=QUESTION, judged=True))["passages"]
        assert 0 < judged["confidence"] < 1
        (passage, *_) = (await called(client, "search", question="Venezuela", count=1))["passages"]
        assert "Venezuela" in passage["text"]
        for name in (passage["document_id"], passage["path"]):
            read = await called(client, "read_document", document=name, start=passage["start"], end=passage["end"])
            assert read["text"] == passage["text"]

        for tool, arguments, words in (
            ("ask", {"question": ""}, "the question is empty; ask something"),
            ("ask", {"question": "x", "history": [{"question": "y"}]}, "see its input schema"),
            ("ask", {"question": "x", "history": before * 21}, "send the last 20"),
            ("search", {"question": "x", "count": 0}, "see its input schema"),
            ("search", {"question": "", "judged": True}, "the question is empty; ask something"),
            ("search", {"question": "x", "where": "author=me"}, "; "),
            ("search", {"question": "x", "page": 2}, "see its input schema"),
            ("read_document", {"document": "../../etc/passwd"}, "there is no document ../../etc/passwd; use"),
            ("read_document", {"document": passage["path"], "start": 10**9}, "ask for a shorter range"),
            ("read_document", {"document": passage["path"], "end": MOST_CHARACTERS + 1}, "ask for a shorter range"),
        ):
            result = await client.call_tool(tool, arguments)
            assert result.is_error
            assert words in text(result)


async def test_what_a_model_reads_names_the_words_an_answer_rests_on(served: Served) -> None:
    async with Client(served.url + "/mcp") as client:
        result = await client.call_tool("ask", {"question": QUESTION})
        assert result.structured_content
        citation = result.structured_content["citations"][0]
        assert f"[1] {citation['path']}: “{' '.join(citation['text'].split())}”" in text(result)
        refused = await client.call_tool("ask", {"question": "Siapa juara sepak bola Brasil?"})
        assert text(refused) == "Dokumen-dokumen ini tidak menjawab pertanyaan itu."


async def test_an_internal_error_is_reported_without_its_message(served: Served, engine: Engine) -> None:
    engine.search = lambda *_, **__: 1 / 0  # type: ignore[assignment, method-assign]
    async with Client(served.url + "/mcp") as client:
        result = await client.call_tool("search", {"question": "x"})
    assert result.is_error
    assert "an internal error of rag" in text(result)
    assert "division" not in text(result)


def assert_is_whole(schema: dict[str, Any] | None) -> None:
    """It is a schema of an object, with a description, and every reference in it resolves."""
    assert schema
    Draft202012Validator.check_schema(schema)
    assert (schema["type"], bool(schema["description"])) == ("object", True)
    references = set(re.findall(r'"#/\$defs/(\w+)"', json.dumps(schema)))
    assert references == set(schema["$defs"])


@pytest.mark.slow("starts a server or a process")
async def test_progress_is_reported_to_a_client_that_asks_for_it(client: Client) -> None:
    received: list[tuple[float, str]] = []

    async def hear(progress: float, total: float | None, message: str | None) -> None:
        received.append((progress, message or ""))

    before = [{"question": "Siapa Menteri Pertahanan Iran?", "answer": "Menteri Pertahanan Iran adalah Ashtiani."}]
    asked = {"question": "Apa katanya tentang Venezuela?", "history": before}
    async with client:
        result = await client.call_tool("ask", asked, progress_callback=hear)
        assert not result.is_error
    # The SDK's client hands each notification to a task of its own, so the last may come after the result.
    received.sort()
    assert [number for number, _ in received] == list(range(1, len(received) + 1))
    lines = [line for _, line in received]
    assert lines[0].endswith("passages found")
    assert lines[1].startswith("understood as: Apa katanya")


@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.slow("starts a server or a process")
async def test_a_call_that_is_cancelled_stops_the_model(
    transport: str, engine: Engine, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    """The client leaves the call and not the connection, over which it then goes on."""
    engine.models.reader = slow = SlowReader()
    left, writing = tmp_path / "left", anyio.Event()

    async def hear(progress: float, total: float | None, message: str | None) -> None:
        if message and "draft" in message:
            writing.set()

    async with over(transport, engine, request, TOUCH_WHEN_STOPPED=str(left)) as client:
        with anyio.fail_after(PATIENCE):
            async with anyio.create_task_group() as group:
                group.start_soon(partial(client.call_tool, "ask", {"question": QUESTION}, progress_callback=hear))
                await writing.wait()
                group.cancel_scope.cancel()
            await anyio.to_thread.run_sync(until, lambda: slow.left.is_set() or left.exists())
        assert slow.written < slow.most
        assert (await called(client, "search", question="Venezuela", count=1))["passages"]
    until(lambda: not questions_running())


def test_a_page_of_a_stranger_cannot_ask_by_a_name_that_leads_here(served: Served, engine: Engine) -> None:
    message = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
    accept = {"Accept": "application/json, text/event-stream"}
    for headers, status in (({"Host": "evil.example"}, 403), ({"Origin": "http://evil.example"}, 403)):
        assert httpx.post(served.url + "/mcp", json=message, headers=accept | headers).status_code == status


def test_the_service_starts_without_the_sdk(tmp_path: Path) -> None:
    import subprocess

    code = (
        "import sys; from rag.settings import Settings; from rag.engine import Engine; from rag.web.app import create; "
        f"from pathlib import Path; create(Engine(Settings(home=Path({str(tmp_path)!r})))); "
        "assert not {'mcp', 'pydantic'} & sys.modules.keys()"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)
