"""The documentation agrees with the code: commands, flags, settings, routes, errors, metrics, values, links, examples."""

import argparse
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from litestar.testing import TestClient

import rag
import rag.engine
from rag import errors, types
from rag.cli.main import _parser
from rag.engine import Engine
from rag.indexing.build import BuildReport
from rag.settings import PREFIX, Settings
from rag.types import Answer, Citation, Passage, Receipt, Sentence
from rag.web.app import create
from rag.weights.catalogue import SMALL_LLM
from tests.conftest import ROOT, SEED, FakeEngine
from tests.web.conftest import Served, connect

DOCS = ROOT / "docs"
PAGES = sorted([ROOT / "README.md", ROOT / "ARCHITECTURE.md", ROOT / "CONTRIBUTING.md", *DOCS.rglob("*.md")])


def text(page: str) -> str:
    return (ROOT / page).read_text("utf-8")


def without_code(markdown: str) -> str:
    return re.sub(r"^```.*?^```$", "", markdown, flags=re.DOTALL | re.MULTILINE)


def section(markdown: str, heading: str) -> str:
    """The text below the heading, up to the next of any level."""
    found = re.search(rf"^(#+) {re.escape(heading)}\n(.*?)(?=^#+ |\Z)", markdown, re.DOTALL | re.MULTILINE)
    assert found, f"there is no heading {heading}"
    return found[2]


def rows(markdown: str) -> list[list[str]]:
    """The cells of every row of every table, headings left out."""
    lines = [line for line in markdown.splitlines() if line.startswith("|")]
    cells = [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]
    rules = {i for i, row in enumerate(cells) if all(row) and set("".join(row)) == {"-"}}
    return [row for i, row in enumerate(cells) if i not in rules and i + 1 not in rules]


def names(cell: str) -> list[str]:
    """The words in backticks at the beginning of a table's row: one, or several with commas."""
    return re.findall(r"`([^`]+)`", cell)


# Commands


def commands(parser: argparse.ArgumentParser, path: str = "rag") -> Iterator[tuple[str, argparse.ArgumentParser]]:
    """Every command that can be run, as the parser has it."""
    children = [action for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
    for action in children:
        for name, child in action.choices.items():
            yield from commands(child, f"{path} {name}")
    if not children:
        yield path, parser


COMMANDS = dict(commands(_parser()))
COMMON = {"--help", "--json", *("--" + field.name.replace("_", "-") for field in fields(Settings))}


def arguments(parser: argparse.ArgumentParser) -> set[str]:
    """The positional arguments and flags of a command, without those that all have."""
    named = {action.option_strings[-1] if action.option_strings else action.dest for action in parser._actions}
    return named - COMMON


def documented_arguments(heading: str) -> set[str]:
    return {names(row[0])[0].split()[0] for row in rows(section(text("docs/commands.md"), heading))}


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_is_documented_with_exactly_its_arguments(command: str) -> None:
    documented = documented_arguments(command)
    if command.startswith("rag eval "):
        documented |= documented_arguments("rag eval")
    assert documented == arguments(COMMANDS[command])


def test_no_command_is_documented_that_does_not_exist() -> None:
    headings = re.findall(r"^##+ (rag .+)$", text("docs/commands.md"), re.MULTILINE)
    assert set(headings) - {"rag eval"} == set(COMMANDS)


def test_the_flags_of_all_commands_are_documented() -> None:
    documented = section(text("docs/commands.md"), "All commands")
    assert all(f"`{flag}`" in documented for flag in ("--help", "--version", "--json"))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_command_that_a_page_shows_exists(page: Path) -> None:
    shown = re.findall(r"(?<![\w/.-])rag ([a-z]+)(?: (retrieval|judge|answers)\b)?", "\n".join(code(page.read_text("utf-8"))))
    known = {command.split()[1] for command in COMMANDS}
    assert {name for name, _ in shown} <= known


def code(markdown: str) -> list[str]:
    """The blocks of shell code, comments left out."""
    found = re.findall(r"^```(\w*)\n(.*?)^```$", markdown, re.DOTALL | re.MULTILINE)
    return [re.sub(r"#\s.*", "", block) for language, block in found if not language and "──" not in block]


# Settings


def test_every_setting_is_documented_with_its_default() -> None:
    table = {names(row[0])[0]: row for row in rows(section(text("docs/settings.md"), "Table"))}
    assert {PREFIX + field.name.upper() for field in fields(Settings)} == table.keys()
    for field in fields(Settings):
        if isinstance(field.default, bool):
            assert str(field.default).lower() in table[PREFIX + field.name.upper()][2]
        elif isinstance(field.default, (int, float, str)) and field.name != "threads":
            assert str(field.default) in table[PREFIX + field.name.upper()][2]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_variable_that_a_page_names_is_documented(page: Path) -> None:
    table = {names(row[0])[0] for row in rows(section(text("docs/settings.md"), "Table"))}
    assert set(re.findall(r"\bRAG_[A-Z_]+\b", page.read_text("utf-8"))) <= table


def test_every_prompt_is_documented() -> None:
    documented = section(text("docs/settings.md"), "Prompts")
    assert all(f"`{path.name}`" in documented for path in (ROOT / "prompts").glob("*.txt"))


# Routes

ROUTE = re.compile(r"`(GET|POST|DELETE|PUT|PATCH) (/[^`\s]*)`")
# They are no part of the API, or not of this description.
BESIDE = {("GET", "/schema"), ("GET", "/")}


@pytest.fixture(scope="module")
def schema(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    home = tmp_path_factory.mktemp("home")
    with connect(create(FakeEngine(Settings(home=home, cache=home)))) as client:
        described: dict[str, Any] = client.get("/schema").json()
    return described


def test_the_routes_documented_are_those_of_the_schema(schema: dict[str, Any]) -> None:
    served = {(method.upper(), path) for path, methods in schema["paths"].items() for method in methods}
    assert set(ROUTE.findall(text("docs/http.md"))) == served | BESIDE
    table = {ROUTE.findall(row[0])[0] for row in rows(section(text("docs/http.md"), "Routes"))}
    assert table == served | {("GET", "/schema")}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_route_that_a_page_names_exists(page: Path, schema: dict[str, Any]) -> None:
    """Elsewhere a page may write `{id}` for any parameter."""
    served = {
        (method.upper(), re.sub(r"{\w+}", "{id}", path)) for path, methods in schema["paths"].items() for method in methods
    }
    named = {(method, re.sub(r"{\w+}", "{id}", path)) for method, path in ROUTE.findall(page.read_text("utf-8"))}
    assert named <= served | BESIDE


def test_the_scopes_documented_are_those_of_the_routes() -> None:
    from rag.web.app import ROUTES

    scopes = {
        (method, re.sub(r"{(\w+):\w+}", r"{\1}", path)): route.opt["scope"] or "none"
        for route in ROUTES
        for method in route.http_methods
        for path in route.paths
    }
    table = {ROUTE.findall(row[0])[0]: row[3] for row in rows(section(text("docs/http.md"), "Routes"))}
    assert {route: scope for route, scope in table.items() if route != ("GET", "/schema")} == scopes


def test_every_event_of_a_question_is_documented(engine: Engine) -> None:
    documented = {names(row[0])[0] for row in rows(section(text("docs/http.md"), "Events"))}
    with connect(create(engine)) as client:
        question = {"question": "Apa kata Menteri Pertahanan Ashtiani tentang Venezuela?"}
        said = client.post("/v1/ask", json=question, headers={"Accept": "text/event-stream"}).text
    assert set(re.findall(r"^event: (\w+)", said, re.MULTILINE)) <= documented
    assert documented == {"evidence", "waiting", "understood", "verdict", "token", "citation", "done", "error"}


def test_every_tool_of_the_protocol_is_documented() -> None:
    from rag.web.mcp.server import _described
    from rag.web.mcp.tools import TOOLS

    documented = {names(row[0])[0]: set(names(row[1])) for row in rows(section(text("docs/http.md"), "Model Context Protocol"))}
    assert documented == {tool.name: set(_described(tool).input_schema["properties"]) for tool in TOOLS}


# Errors


def _tree(error: type[errors.RagError]) -> list[type[errors.RagError]]:
    return [error, *(below for child in error.__subclasses__() for below in _tree(child))]


ERRORS = [error for error in _tree(errors.RagError)[1:] if error.__module__ == "rag.errors"]
DRAWN = re.compile(r"^(?P<lines>[│├└─ ]*)(?P<name>[A-Z]\w+)(?P<numbers>(?:\s+\d+)*)\s{2,}\S", re.MULTILINE)


def _placed(error: type[errors.RagError]) -> tuple[str, int, int]:
    return error.__mro__[1].__name__, error.exit_code, error.status


def drawn() -> dict[str, tuple[str, int, int]]:
    """Each error of the tree in the docstring: its parent, exit code and status, inherited where none is drawn."""
    found = {"RagError": ("Exception", errors.RagError.exit_code, errors.RagError.status)}
    above = ["RagError"]
    for match in DRAWN.finditer(errors.__doc__ or ""):
        if not match["lines"]:
            continue
        depth = len(match["lines"]) // 4
        above[depth:] = [match["name"]]
        _, code_, status = found[above[depth - 1]]
        for number in map(int, match["numbers"].split()):
            code_, status = (number, status) if number < 100 else (code_, number)
        found[match["name"]] = (above[depth - 1], code_, status)
    return found


def test_the_tree_that_is_drawn_is_the_one_that_there_is() -> None:
    actual = {error.__name__: _placed(error) for error in ERRORS}
    assert drawn() == {"RagError": _placed(errors.RagError), **actual}


def test_the_errors_documented_are_those_that_there_are() -> None:
    table = {}
    above: list[str] = []
    for row in rows(section(text("docs/settings.md"), "Errors and exit codes")):
        if len(row) == 4:
            name, depth = names(row[0])[0], row[0].count("—")
            above[depth:] = [name]
            table[name] = (above[depth - 1] if depth else "RagError", int(row[1]), int(row[2]))
    assert table == {error.__name__: _placed(error) for error in ERRORS}


@pytest.mark.parametrize("error", ERRORS)
def test_every_error_says_when_it_is_raised(error: type[errors.RagError]) -> None:
    assert error.__doc__


# Metrics


def test_the_metrics_documented_are_those_that_are_served(engine: Engine) -> None:
    with connect(create(engine)) as client:
        exposed = client.get("/metrics").text
    served = {
        name
        for name in re.findall(r"^# TYPE (\w+) ", exposed, re.MULTILINE)
        if not name.endswith("_created") and not name.startswith("process_")
    }
    table = {names(row[0])[0]: names(row[1]) for row in rows(section(text("docs/running.md"), "Metrics"))}
    assert table.pop("process_*") == []
    assert set(table) == served
    for name, labels in table.items():
        for sample in re.findall(rf"^{name}(?:_count)?{{([^}}]*)}}", exposed, re.MULTILINE):
            assert re.findall(r"(\w+)=", sample) == labels


# Python


@pytest.mark.parametrize(
    ("value", "heading"),
    [
        (Answer, "Answer"),
        (Sentence, "Sentence"),
        (Citation, "Citation"),
        (Passage, "Passage"),
        (Receipt, "Receipt"),
        (BuildReport, "Indexing"),
    ],
)
def test_every_field_of_a_value_is_documented(value: type, heading: str) -> None:
    documented = [name for row in rows(section(text("docs/python.md"), heading)) for name in names(row[0])]
    assert sorted(documented) == sorted(field.name for field in fields(value))


def test_every_field_of_an_answer_is_documented_over_http() -> None:
    documented = {names(row[0])[0] for row in rows(section(text("docs/http.md"), "Answers"))}
    assert documented == {field.name for field in fields(Answer)}


def test_every_public_method_of_the_engine_is_documented() -> None:
    public = {name for name, value in vars(Engine).items() if callable(value) and not name.startswith("_")}
    table = [name for row in rows(section(text("docs/python.md"), "Engine")) for name in names(row[0])]
    assert {name.partition("(")[0] for name in table} == public


def test_every_event_is_documented() -> None:
    documented = {names(row[0])[0] for row in rows(section(text("docs/python.md"), "Streaming"))}
    assert documented == {event.__name__ for event in types.Event.__args__}


def test_every_public_name_is_documented() -> None:
    assert all(f"`rag.{name}`" in text("docs/python.md") for name in rag.__all__)


# Formats


def test_every_format_is_documented() -> None:
    from rag.ingestion.seeds_folder import SUFFIXES

    listed = re.findall(r"`(\.\w+)`", rows(text("docs/formats.md").partition("The first bytes")[0])[0][1])
    documented = {suffix for row in rows(text("docs/formats.md").partition("The first bytes")[0]) for suffix in names(row[1])}
    assert listed
    assert documented == set(SUFFIXES)


# Lengths, links and files


@pytest.mark.parametrize(("page", "most"), [("README.md", 1300), ("ARCHITECTURE.md", 1700)])
def test_the_first_pages_are_short(page: str, most: int) -> None:
    assert len(text(page).split()) <= most


def anchors(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", without_code(page.read_text("utf-8")), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


LINK = re.compile(r"\]\(([^)\s]+)\)|(?:src|href)=\"([^\"]+)\"")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_relative_link_leads_somewhere(page: Path) -> None:
    for groups in LINK.findall(without_code(page.read_text("utf-8"))):
        target, _, anchor = "".join(groups).partition("#")
        if re.match(r"[a-z]+:", target):
            continue
        leads = (page.parent / target).resolve() if target else page
        assert leads.exists(), target
        assert not anchor or anchor in anchors(leads), f"{target}#{anchor}"


def test_every_page_is_reached_from_the_readme() -> None:
    reached, left = set[Path](), [ROOT / "README.md"]
    while left:
        page = left.pop()
        if page in reached or page.suffix != ".md":
            continue
        reached.add(page)
        targets = ["".join(groups).partition("#")[0] for groups in LINK.findall(without_code(page.read_text("utf-8")))]
        left += [(page.parent / target).resolve() for target in targets if target and ":" not in target]
    assert set(PAGES) - {DOCS / "index.md"} <= reached


@pytest.mark.parametrize(
    "page", ["ARCHITECTURE.md", "CONTRIBUTING.md", *(f"docs/design/{p.name}" for p in (DOCS / "design").glob("*.md"))]
)
def test_every_file_that_a_page_names_exists(page: str) -> None:
    """A path in backticks from the root, or of the packages of rag."""
    named = re.findall(r"`([\w./-]+/[\w.*-]*|[\w-]+\.(?:py|md|toml))`", without_code(text(page)))
    roots = [ROOT, ROOT / "rag", *(path for path in (ROOT / "rag").rglob("*") if path.is_dir() and path.name != "__pycache__")]
    made = {"index/", "site/", "rag.toml", "CACHE/passages", "snapshots/.building"}
    missing = [
        name
        for name in named
        if name not in made and not name.startswith("/") and not any([*root.glob(name)] for root in roots)
    ]
    assert missing == []


def test_ten_tasks_name_the_files_to_change() -> None:
    table = rows(section(text("ARCHITECTURE.md"), "Where do I change …?"))
    assert len(table) == 10
    for task, files in table:
        named = [name for name in names(files) if re.fullmatch(r"(rag|tests|docs|prompts|benchmarks|deploy)/.*", name)]
        assert len(named) >= 3, task
        assert all((ROOT / name).exists() for name in named), task


def test_every_package_is_in_the_architecture() -> None:
    documented = " ".join(row[0] for row in rows(section(text("ARCHITECTURE.md"), "Packages")))
    packages = {path.parent for path in (ROOT / "rag").rglob("*.py")} - {ROOT / "rag"}
    assert [package.name for package in packages if f"`{package.relative_to(ROOT)}/`" not in documented] == []
    alone = {path.name for path in (ROOT / "rag").glob("*.py")} - {"__main__.py", "types.py"}
    assert [name for name in sorted(alone) if f"`rag/{name}`" not in documented] == []


def test_the_layers_drawn_are_those_that_are_enforced() -> None:
    enforced = re.search(r"^layers = \[\n(.*?)^\]", text("pyproject.toml"), re.DOTALL | re.MULTILINE)
    assert enforced
    assert "\n".join(re.findall(r'"(.+)"', enforced[1])) in section(text("ARCHITECTURE.md"), "Layers")


# Examples


def blocks(page: str) -> list[str]:
    return re.findall(r"^```python\n(.*?)^```$", text(page), re.DOTALL | re.MULTILINE)


@pytest.fixture
def documents(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """`~/documents` of the examples, with the first seed."""
    folder = tmp_path / "documents"
    (folder / "seeds").mkdir(parents=True)
    shutil.copy(ROOT / "seeds" / SEED, folder / "seeds")
    monkeypatch.setenv("HOME", str(tmp_path))
    return folder


@pytest.fixture
def faked(documents: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The same, for an engine over the fakes."""
    for name in [name for name in os.environ if name.startswith(PREFIX) or name == "XDG_CACHE_HOME"]:
        monkeypatch.delenv(name)
    monkeypatch.setattr(rag.engine, "Engine", FakeEngine)
    return documents


def test_the_python_examples_run(faked: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One after the other, as a reader tries them."""
    names_: dict[str, Any] = {}
    examples = blocks("docs/python.md")
    assert len(examples) >= 10
    for example in examples:
        exec(compile(example, "docs/python.md", "exec"), names_)
    said = capsys.readouterr().out
    assert "Venezuela" in said
    assert "gajah.txt" in said
    assert "rag index" in said  # the hint of the error


def test_the_python_example_of_the_readme_runs(faked: Path, capsys: pytest.CaptureFixture[str]) -> None:
    example, _ = blocks("README.md")
    exec(compile(example, "README.md", "exec"), {})
    assert "Menteri Pertahanan" in capsys.readouterr().out


@pytest.mark.parametrize("page", ["README.md", "docs/http.md"])
def test_the_example_of_an_openai_client_runs(page: str, engine: Engine, capsys: pytest.CaptureFixture[str]) -> None:
    (example,) = [block for block in blocks(page) if "OpenAI(" in block]
    with closing(Served(create(engine))) as served:
        exec(compile(example.replace("http://127.0.0.1:8000", served.url), page, "exec"), {})
    assert "Menteri Pertahanan" in capsys.readouterr().out


def test_the_request_of_the_readme_is_answered(client: TestClient[Any]) -> None:
    (body,) = re.findall(r"^curl .*-d '(.*)'$", text("README.md"), re.MULTILINE)
    reply = client.post("/v1/ask", content=body, headers={"Content-Type": "application/json"})
    assert reply.json()["answered"]


@pytest.fixture
def client(engine: Engine) -> Iterator[TestClient[Any]]:
    with connect(create(engine)) as opened:
        yield opened


@pytest.mark.real
def test_the_python_example_of_the_readme_answers_with_real_weights(real_settings: Settings, documents: Path) -> None:
    example, _ = blocks("README.md")
    chosen = {"RAG_CACHE": str(real_settings.cache), "RAG_LLM": SMALL_LLM, "RAG_MIN_CONFIDENCE": "0", "RAG_STORE_MB": "0"}
    environment = {**os.environ, **chosen}
    environment.pop("RAG_HOME", None)
    command = [sys.executable, "-c", example]
    ran = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=ROOT, check=False)
    assert ran.returncode == 0, ran.stderr
    assert "[1]" in ran.stdout


# The site


def test_the_site_is_built_without_a_warning_and_loads_nothing_from_elsewhere(tmp_path: Path) -> None:
    pytest.importorskip("mkdocs", reason="mkdocs is not installed (pip install 'rag[docs]')")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(tmp_path / "site")]
    ran = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    assert ran.returncode == 0, ran.stderr
    for page in (tmp_path / "site").rglob("*.html"):
        loaded = re.findall(r"<(?:script|img|iframe)[^>]*\ssrc=\"([^\"]+)|<link[^>]*\shref=\"([^\"]+)", page.read_text("utf-8"))
        assert not [address for pair in loaded for address in pair if re.match(r"(https?:)?//", address)]
    for style in (tmp_path / "site").rglob("*.css"):
        assert not re.search(r"url\([\"']?(https?:)?//|@import", style.read_text("utf-8"))
