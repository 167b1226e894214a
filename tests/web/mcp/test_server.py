"""The tools, called by the SDK's own client over both transports."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
from mcp import Client, StdioServerParameters
from mcp.client.stdio import stdio_client
from mcp.types import CallToolResult, TextContent

from rag.answering.citations import verifies
from rag.engine import Engine
from rag.settings import environment
from rag.types import Citation
from rag.web.app import create
from rag.web.mcp.tools import MOST_CHARACTERS
from tests.conftest import ROOT
from tests.fakes import SlowReader
from tests.web.conftest import PATIENCE, QUESTION, Served, askers, until

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def served(engine: Engine) -> Iterator[Served]:
    made = Served(create(engine))
    yield made
    made.close()


def over_stdio(engine: Engine) -> Any:
    """A transport to `rag mcp` in a process of its own, over the fakes."""
    variables = {**os.environ, **environment(engine.settings), "PYTHONPATH": str(ROOT)}
    command = StdioServerParameters(command=sys.executable, args=["-m", "tests.fake_rag", "mcp"], env=variables, cwd=str(ROOT))
    return stdio_client(command)


@pytest.fixture(params=["http", "http of before", "stdio"])
def client(request: pytest.FixtureRequest, engine: Engine) -> Iterator[Client]:
    if request.param == "stdio":
        yield Client(over_stdio(engine))
        return
    served = request.getfixturevalue("served")
    yield Client(served.url + "/mcp", mode="auto" if request.param == "http" else "legacy")


def text(result: CallToolResult) -> str:
    (content,) = result.content
    assert isinstance(content, TextContent)
    return content.text


async def called(client: Client, tool: str, **arguments: Any) -> Any:
    """The structured output of a call that succeeds; the client checks it against the tool's schema."""
    result = await client.call_tool(tool, arguments)
    assert not result.is_error, text(result)
    return result.structured_content


async def test_the_tools_answer_with_what_they_promise(client: Client, engine: Engine) -> None:
    async with client:
        tools = (await client.list_tools()).tools
        assert [tool.name for tool in tools] == ["search", "ask", "read_document"]
        assert all(tool.annotations and tool.annotations.read_only_hint and tool.output_schema for tool in tools)

        answer = await called(client, "ask", question=QUESTION)
        assert answer["answered"]
        citation = Citation(**answer["citations"][0])
        assert verifies(citation, engine.document(citation.document_id))

        (passage, *_) = (await called(client, "search", question="Venezuela", count=1))["passages"]
        assert "Venezuela" in passage["text"]
        for name in (passage["document_id"], passage["path"]):
            read = await called(client, "read_document", document=name, start=passage["start"], end=passage["end"])
            assert read["text"] == passage["text"]

        for tool, arguments, words in (
            ("ask", {"question": ""}, "the question is empty; ask something"),
            ("search", {"question": "x", "count": 0}, "see its input schema"),
            ("search", {"question": "x", "where": "author=me"}, "; "),
            ("search", {"question": "x", "page": 2}, "see its input schema"),
            ("read_document", {"document": "../../etc/passwd"}, "there is no document ../../etc/passwd; take"),
            ("read_document", {"document": passage["path"], "start": 10**9}, "ask for a shorter one"),
            ("read_document", {"document": passage["path"], "end": MOST_CHARACTERS + 1}, "ask for a shorter one"),
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


async def test_a_mistake_of_ours_is_told_without_what_it_says(served: Served, engine: Engine) -> None:
    engine.search = lambda *_, **__: 1 / 0  # type: ignore[assignment, method-assign]
    async with Client(served.url + "/mcp") as client:
        result = await client.call_tool("search", {"question": "x"})
    assert result.is_error
    assert "a mistake in rag itself" in text(result)
    assert "division" not in text(result)


async def test_a_client_that_leaves_stops_the_model(served: Served, engine: Engine) -> None:
    engine.models.reader = slow = SlowReader()
    async with Client(served.url + "/mcp") as client:
        with anyio.move_on_after(PATIENCE) as scope:
            async with anyio.create_task_group() as group:
                group.start_soon(client.call_tool, "ask", {"question": QUESTION})
                await anyio.to_thread.run_sync(until, lambda: slow.written)
                group.cancel_scope.cancel()
        assert not scope.cancelled_caught
        await anyio.to_thread.run_sync(slow.left.wait, PATIENCE)
    assert slow.left.is_set()
    until(lambda: not askers())


def test_a_page_of_a_stranger_cannot_ask_by_a_name_that_leads_here(served: Served, engine: Engine) -> None:
    message = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
    accept = {"Accept": "application/json, text/event-stream"}
    for headers, status in (({"Host": "evil.example"}, 403), ({"Origin": "http://evil.example"}, 403)):
        assert httpx.post(served.url + "/mcp", json=message, headers=accept | headers).status_code == status


def test_the_service_starts_without_the_sdk(tmp_path: Path) -> None:
    import subprocess

    code = (
        "import sys; from rag.settings import Settings; from rag.engine import Engine; from rag.web.app import create; "
        f"from pathlib import Path; create(Engine(Settings(home=Path({str(tmp_path)!r})))); assert 'mcp' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)
