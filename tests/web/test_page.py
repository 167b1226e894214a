"""The page is served whole, from this machine alone, and nothing in it could run what a document says."""

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from litestar import Litestar
from litestar.testing import TestClient

from rag.web import page

STATIC = Path(page.__file__).parent / "static"
SCRIPTS = sorted((STATIC / "js").glob("*.js"))
STYLES = sorted((STATIC / "css").glob("*.css"))
INDEX = (STATIC / "index.html").read_text("utf-8")


@pytest.fixture(scope="module")
def client() -> Iterator[TestClient[Any]]:
    with TestClient(Litestar(route_handlers=page.HANDLERS)) as opened:
        yield opened


class Tags(HTMLParser):
    """The tags of a page with their attributes, and the text within scripts and styles."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.inline = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        if self.tags and self.tags[-1][0] in {"script", "style"}:
            self.inline += data.strip()


def test_the_page_is_served_with_a_policy_that_lets_nothing_else_in(client: TestClient[Any]) -> None:
    reply = client.get("/")
    assert (reply.status_code, reply.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert reply.text == INDEX
    policy = dict(part.split(" ", 1) for part in reply.headers["content-security-policy"].split("; "))
    assert policy == {
        "default-src": "'none'",
        "script-src": "'self'",
        "style-src": "'self'",
        "img-src": "'self' data:",
        "connect-src": "'self'",
        "form-action": "'self'",
        "base-uri": "'none'",
        "frame-ancestors": "'none'",
    }


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("js/main.js", "text/javascript; charset=utf-8"),
        ("css/base.css", "text/css; charset=utf-8"),
        ("icon.svg", "image/svg+xml"),
        ("index.html", "text/html; charset=utf-8"),
    ],
)
def test_each_file_has_its_type_and_the_same_headers(client: TestClient[Any], path: str, kind: str) -> None:
    reply = client.get(f"/static/{path}")
    assert reply.status_code == 200
    assert reply.headers["content-type"] == kind
    assert reply.headers["content-security-policy"] == page.POLICY
    assert reply.content == (STATIC / path).read_bytes()


@pytest.mark.parametrize("asked", ["{}", "W/{}", '"other", {}', "*"])
def test_what_a_browser_has_is_not_sent_again(client: TestClient[Any], asked: str) -> None:
    etag = client.get("/").headers["etag"]
    reply = client.get("/", headers={"if-none-match": asked.format(etag)})
    assert (reply.status_code, reply.content, reply.headers["etag"]) == (304, b"", etag)
    assert reply.headers["content-security-policy"] == page.POLICY


def test_what_has_changed_is_sent(client: TestClient[Any]) -> None:
    assert client.get("/", headers={"if-none-match": '"of an older version"'}).status_code == 200


@pytest.mark.parametrize(
    "path",
    ["nothing.js", "../page.py", "%2e%2e/page.py", "js/../../page.py", "..%2f..%2fengine.py", "//etc/passwd", "js", "", "%00"],
)
def test_no_path_leads_out_of_the_page(client: TestClient[Any], path: str) -> None:
    assert client.get(f"/static/{path}").status_code == 404


def test_the_markup_has_no_script_style_or_handler_of_its_own() -> None:
    found = Tags(INDEX)
    assert found.inline == ""
    names = {name for _, attributes in found.tags for name in attributes}
    assert not {name for name in names if name == "style" or name.startswith("on")}


def test_all_that_the_page_names_is_served(client: TestClient[Any]) -> None:
    named = [attributes.get("href") or attributes.get("src") or "" for _, attributes in Tags(INDEX).tags]
    files = [name for name in named if name and not name.startswith("#")]
    assert len(files) > 5
    imported = {
        f"static/js/{name}" for script in SCRIPTS for name in re.findall(r'from "\./([^"]+)"', script.read_text("utf-8"))
    }
    for name in {*files, *imported}:
        assert client.get(f"/{name}").status_code == 200, name


@pytest.mark.parametrize("path", [*SCRIPTS, *STYLES, STATIC / "index.html"], ids=lambda path: path.name)
def test_nothing_is_asked_of_another_machine_and_no_text_becomes_markup(path: Path) -> None:
    text = path.read_text("utf-8").replace("http://www.w3.org/2000/svg", "")
    assert not re.search(r"https?:|url\(|@import", text)
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|DOMParser|\beval\b|new Function|srcdoc", text)
    assert len(text.splitlines()) < 200


def test_every_picture_is_used_and_every_used_one_is_there() -> None:
    scripts = "".join(script.read_text("utf-8") for script in SCRIPTS)
    by_script = {name for pair in re.findall(r'icon\("(\w+)"\)|button\("(\w+)"', scripts) for name in pair if name}
    assert set(re.findall(r"#icon-(\w+)", INDEX)) | by_script == set(re.findall(r'<symbol id="icon-(\w+)"', INDEX))
