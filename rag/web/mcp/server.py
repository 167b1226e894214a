"""The tools as a server of the Model Context Protocol. With `mounted.py` and `stdio.py` the only importer of its SDK.

The SDK's low-level server: its other one derives schemas from functions, and sets up the whole process' logging as it pleases.

The protocol over standard input and output: for a client that starts `rag mcp` itself.
"""

import itertools
import logging
from typing import Any

import anyio
import msgspec
from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel import Server
from mcp.server.stdio import stdio_server
from mcp.types import CallToolRequestParams, CallToolResult, ListToolsResult, TextContent, Tool, ToolAnnotations

from rag import __version__
from rag.engine import Engine
from rag.errors import QuestionError, RagError
from rag.web.admission import Admission
from rag.web.mcp import tools

_log = logging.getLogger(__name__)
_MISTAKE = "a mistake in rag itself; see the log of the server, and please report it"
_INSTRUCTIONS = (
    "The user's own documents. `ask` answers from them with verified citations; show these with the answer. `search` finds "
    "passages, `read_document` reads around them."
)
# Nothing is changed, the same call does the same, and of the world there are these documents and no more.
_READING = ToolAnnotations(read_only_hint=True, destructive_hint=False, idempotent_hint=True, open_world_hint=False)


def build(engine: Engine, admission: Admission) -> "Server[Any]":
    """The server over one engine, for any transport."""

    async def list_tools(_context: Any, _params: Any) -> ListToolsResult:
        return ListToolsResult(tools=[_described(tool) for tool in tools.TOOLS])

    async def call_tool(context: ServerRequestContext, params: CallToolRequestParams) -> CallToolResult:
        try:
            tool = _named(params.name)
            value = await tool.call(_taken(tool, params.arguments or {}), engine, admission, _reporting(context))
        except RagError as error:
            return _failed(str(error))
        except Exception:  # noqa: BLE001 - whatever it is, the client is told, and the log has it
            _log.exception("the tool %s failed", params.name)
            return _failed(_MISTAKE)
        return CallToolResult(
            content=[TextContent(type="text", text=tool.said(value))], structured_content=msgspec.to_builtins(value)
        )

    return Server(
        "rag",
        version=__version__,
        instructions=_INSTRUCTIONS,
        on_list_tools=list_tools,
        on_call_tool=call_tool,
    )


def _reporting(context: ServerRequestContext) -> tools.Report:
    """Tells the client, where it asked for progress. Nobody knows how many lines there will be."""
    numbers = itertools.count(1)

    async def report(line: str) -> None:
        await context.session.report_progress(next(numbers), message=line)

    return report


def _named(name: str) -> tools.Tool:
    for tool in tools.TOOLS:
        if tool.name == name:
            return tool
    raise QuestionError(f"there is no tool {name[:40]}", f"call one of {', '.join(tool.name for tool in tools.TOOLS)}")


def _taken(tool: tools.Tool, arguments: dict[str, Any]) -> Any:
    try:
        return msgspec.convert(arguments, tool.takes)
    except msgspec.ValidationError as error:
        raise QuestionError(f"{tool.name} does not take this: {error}", "see its input schema") from error


def _failed(line: str) -> CallToolResult:
    return CallToolResult(content=[TextContent(type="text", text=line)], is_error=True)


def _described(tool: tools.Tool) -> Tool:
    return Tool(
        name=tool.name,
        title=tool.title,
        description=tool.about,
        input_schema=_schema(tool.takes),
        output_schema=_schema(tool.gives),
        annotations=_READING,
    )


def _schema(kind: type) -> dict[str, Any]:
    """The JSON schema of a type, with an object at its root as the protocol wants it, and not a reference to one."""
    schema = msgspec.json.schema(kind)
    definitions = schema.pop("$defs")
    root = definitions.pop(schema.pop("$ref").rpartition("/")[2])
    return {**root, "$defs": definitions}


def serve(engine: Engine) -> None:
    """Serve until the client closes standard input. What anything else prints goes to standard error: the SDK sees to it."""
    engine.models.begin_answering()
    anyio.run(_serve, engine)


async def _serve(engine: Engine) -> None:
    admission = Admission()
    server = build(engine, admission)
    try:
        async with stdio_server() as (reading, writing):
            await server.run(reading, writing, server.create_initialization_options())
    finally:
        admission.close()
