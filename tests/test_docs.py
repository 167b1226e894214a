"""The documentation names every command, setting, route and error that the code has."""

import re
from dataclasses import fields
from pathlib import Path

import pytest
from litestar.handlers import HTTPRouteHandler

from rag import errors
from rag.settings import PREFIX, Settings
from rag.web.app import ROUTES

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text("utf-8")
ARCHITECTURE = (ROOT / "ARCHITECTURE.md").read_text("utf-8")


COMMANDS = ["index", "search", "ask", "chat", "replay", "serve", "mcp", "models", "doctor", "snapshots", "keys"]
EVALUATIONS = ["eval retrieval", "eval judge", "eval answers"]


@pytest.mark.parametrize("command", COMMANDS + EVALUATIONS)
def test_every_command_is_in_the_readme(command: str) -> None:
    assert f"rag {command}" in README


@pytest.mark.parametrize("field", [field.name for field in fields(Settings)])
def test_every_setting_is_in_the_readme(field: str) -> None:
    assert f"`{PREFIX}{field.upper()}`" in README


@pytest.mark.parametrize("handler", ROUTES, ids=lambda handler: handler.name or str(handler))
def test_every_route_is_in_the_readme(handler: HTTPRouteHandler) -> None:
    for method in handler.http_methods:
        for path in handler.paths:
            assert f"`{method} {re.sub(r'{[a-z_]+:(str|path)}', '{id}', path)}`" in README


def test_the_schema_is_in_the_readme() -> None:
    assert "`GET /schema`" in README


def _tree(error: type[errors.RagError]) -> list[type[errors.RagError]]:
    return [error, *(below for child in error.__subclasses__() for below in _tree(child))]


@pytest.mark.parametrize("error", _tree(errors.RagError))
def test_every_error_stands_in_the_tree_that_is_drawn(error: type[errors.RagError]) -> None:
    assert errors.__doc__
    assert error.__name__ in errors.__doc__
    assert error.__doc__


def test_every_exit_code_is_in_the_readme() -> None:
    for error in _tree(errors.RagError):
        assert f"| {error.exit_code} |" in README


def test_every_file_of_the_house_is_in_the_architecture() -> None:
    rooms = [path for path in (ROOT / "rag").rglob("*.py") if path.name != "__init__.py"]
    missing = [str(path.relative_to(ROOT)) for path in rooms if path.name not in ARCHITECTURE]
    assert missing == []
