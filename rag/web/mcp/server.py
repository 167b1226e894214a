"""The MCP server: the tools, for any transport, and over standard input and output for `rag mcp`.

With `mounted.py` the only importer of the SDK. It uses the SDK's low-level server: the high-level one derives schemas from
functions, and reconfigures the logging of the whole process.
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
_INTERNAL = "an internal error of rag; see the log of the server, and please report it"
_INSTRUCTIONS = (
    "The user's own documents. `ask` answers a question from them, with verified citations: show them with the answer. "
    "`search` finds passages, and `read_document` reads the text around them."
)
# The tools change nothing, a repeated call does the same, and they reach these documents only.
_READING = ToolAnnotations(read_only_hint=True, destructive_hint=False, idempotent_hint=True, open_world_hint=False)


def build(engine: Engine, admission: Admission) -> "Server[Any]":
    """The MCP server over one engine, for any transport."""

    async def list_tools(_context: Any, _params: Any) -> ListToolsResult:
        return ListToolsResult(tools=[_described(tool) for tool in tools.TOOLS])

    async def call_tool(context: ServerRequestContext, params: CallToolRequestParams) -> CallToolResult:
        try:
            tool = _named(params.name)
            value = await tool.call(_converted(tool, params.arguments or {}), engine, admission, _reporting(context))
        except RagError as error:
            return _failed(str(error))
        except Exception:  # noqa: BLE001 - whatever it is, the client gets an error, and the log has it
            _log.exception("the tool %s failed", params.name)
            return _failed(_INTERNAL)
        return CallToolResult(
            content=[TextContent(type="text", text=tool.text(value))], structured_content=msgspec.to_builtins(value)
        )

    return Server(
        "rag",
        version=__version__,
        instructions=_INSTRUCTIONS,
        on_list_tools=list_tools,
        on_call_tool=call_tool,
    )


def _reporting(context: ServerRequestContext) -> tools.Report:
    """Sends progress lines to the client, if it asked for progress. Their total number is not known."""
    numbers = itertools.count(1)

    async def report(line: str) -> None:
        await context.session.report_progress(next(numbers), message=line)

    return report


def _named(name: str) -> tools.Tool:
    for tool in tools.TOOLS:
        if tool.name == name:
            return tool
    raise QuestionError(f"there is no tool {name[:40]}", f"call one of {', '.join(tool.name for tool in tools.TOOLS)}")


def _converted(tool: tools.Tool, arguments: dict[str, Any]) -> Any:
    try:
        return msgspec.convert(arguments, tool.arguments)
    except msgspec.ValidationError as error:
        raise QuestionError(f"the arguments of {tool.name} are not valid: {error}", "see its input schema") from error


def _failed(line: str) -> CallToolResult:
    return CallToolResult(content=[TextContent(type="text", text=line)], is_error=True)


def _described(tool: tools.Tool) -> Tool:
    return Tool(
        name=tool.name,
        title=tool.title,
        description=tool.description,
        input_schema=_schema(tool.arguments),
        output_schema=_schema(tool.result),
        annotations=_READING,
    )


def _schema(kind: type) -> dict[str, Any]:
    """The JSON schema of a type. The protocol requires an object at its root; msgspec puts a reference there."""
    schema = msgspec.json.schema(kind)
    definitions = schema.pop("$defs")
    root = definitions.pop(schema.pop("$ref").rpartition("/")[2])
    return {**root, "$defs": definitions}


def serve(engine: Engine) -> None:
    """Serve over standard input and output until the client closes them. The SDK sends other output to standard error."""
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
