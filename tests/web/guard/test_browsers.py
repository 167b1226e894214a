from typing import Any

import pytest
from litestar.testing import TestClient

from rag.engine import Engine
from rag.errors import AccessRefused
from rag.web import page
from rag.web.guard.browsers import NOTHING, require_loopback, require_loopback_origin, require_own_page
from tests.web.conftest import QUESTION, assert_problem

HOST = "rag.example:8000"


LOCAL = [
    "localhost",
    "localhost:8000",
    "localhost.:8000",
    "LOCALHOST",
    "rag.localhost:8000",
    "127.0.0.1:1",
    "127.9.9.9",
    "[::1]:8000",
    "[::1]",
    "[::ffff:127.0.0.1]:8000",
]
FOREIGN = [
    "",
    "evil.example",
    "evil.example:8000",
    "127.0.0.1.evil.example",
    "localhost.evil.example",
    "localhost@evil.example",
    "evil.com@127.0.0.1",
    "evil.com@127.0.0.1:8000",
    "evil.com:80@localhost",
    "evil.com/localhost",
    "evil.com?.localhost",
    "evil.com#.localhost",
    "evil.com\\.localhost",
    "127.0.0.1/evil.com",
    "localhost:evil",
    "localhost:80:80",
    "localhost evil.com",
    "localhost,evil.com",
    "::1",
    "[::1",
    "::1]",
    "[::1]evil.com",
    "[localhost]",
    "192.168.1.2",
    "[::ffff:8.8.8.8]",
    ":8000",
]


@pytest.mark.parametrize("host", LOCAL)
def test_a_host_header_of_this_machine_is_accepted(host: str) -> None:
    require_loopback(host)


@pytest.mark.parametrize("host", FOREIGN)
def test_any_other_host_header_is_refused(host: str) -> None:
    with pytest.raises(AccessRefused, match=r"^requests for host .* are refused; .* make a key: rag keys create NAME$"):
        require_loopback(host)


@pytest.mark.parametrize("origin", ["", *(f"{scheme}://{host}" for host in LOCAL for scheme in ("http", "https"))])
def test_an_origin_of_this_machine_or_none_is_accepted(origin: str) -> None:
    require_loopback_origin(origin, "use another")


@pytest.mark.parametrize("origin", ["null", "localhost", "file://localhost", *(f"http://{host}" for host in FOREIGN)])
def test_any_other_origin_is_refused(origin: str) -> None:
    with pytest.raises(AccessRefused, match=r"^requests from pages of .* are refused; use another$"):
        require_loopback_origin(origin, "use another")


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"sec-fetch-site": "same-origin"},
        {"sec-fetch-site": "none"},
        {"origin": "http://rag.example:8000"},
        {"origin": "https://RAG.example:8000"},
        # A proxy changed Host; the browser's `Sec-Fetch-Site` decides.
        {"sec-fetch-site": "same-origin", "origin": "https://docs.example"},
        {"sec-fetch-site": "cross-site", "origin": "https://friend.example"},
    ],
)
def test_our_own_page_and_programs_may_change_things(headers: dict[str, str]) -> None:
    require_own_page("POST", {"host": HOST, **headers}, {"https://friend.example"})


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"origin": "null", "host": "null"},
        {"origin": "http://rag.example:8000.evil.example"},
        {"origin": "http://rag.example"},
        {"origin": "https://friend.example.evil.example"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site", "origin": "http://rag.example:3000"},
        {"sec-fetch-site": "cross-site", "origin": "http://rag.example:8000"},
    ],
)
@pytest.mark.parametrize("method", ["POST", "DELETE", "PUT"])
def test_a_page_elsewhere_may_not(method: str, headers: dict[str, str]) -> None:
    with pytest.raises(AccessRefused, match="add the origin to RAG_CORS_ORIGINS"):
        require_own_page(method, {"host": HOST, **headers}, {"https://friend.example"})
    require_own_page("GET", {"host": HOST, **headers}, ())


SCRIPT = "<script>alert(1)</script><img src=x onerror=alert(1)> Venezuela?"


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/", 200),
        ("GET", "/static/js/main.js", 200),
        ("GET", "/health/live", 200),
        ("GET", "/v1/me", 200),
        ("GET", "/v1/documents", 200),
        ("GET", "/schema", 200),
        ("GET", "/v1/nowhere", 404),
        ("GET", "/v1/ask", 405),
        ("POST", "/v1/ask", 400),
        ("OPTIONS", "/v1/ask", 204),
    ],
)
def test_every_reply_admits_nothing(client: TestClient[Any], method: str, path: str, status: int) -> None:
    reply = client.request(method, path)
    assert reply.status_code == status
    is_page = path == "/" or path.startswith("/static")
    assert reply.headers["content-security-policy"] == (page.POLICY if is_page else NOTHING)
    assert reply.headers["cache-control"] == ("no-cache" if is_page else "no-store")
    assert reply.headers["x-content-type-options"] == "nosniff"
    assert reply.headers["referrer-policy"] == "no-referrer"
    assert reply.headers["x-frame-options"] == "DENY"
    assert "camera=()" in reply.headers["permissions-policy"]
    for name, value in {"opener": "same-origin", "resource": "same-origin", "embedder": "require-corp"}.items():
        assert reply.headers[f"cross-origin-{name}-policy"] == value
    assert not [name for name in reply.headers if name.startswith("access-control")]


def test_script_in_a_question_stays_text(client: TestClient[Any]) -> None:
    reply = client.post("/v1/ask", json={"question": SCRIPT})
    assert reply.json()["question"] == SCRIPT
    assert reply.headers["content-type"] == "application/json"
    assert_problem(client.post("/v1/ask", json={"question": QUESTION, "where": SCRIPT}), 400)


def test_script_in_a_document_stays_text(client: TestClient[Any], engine: Engine) -> None:
    (engine.settings.seeds / "<img src=x>.html").write_text(f"<p>{SCRIPT}</p>", encoding="utf-8")
    (engine.settings.seeds / "a.txt").write_text(SCRIPT, encoding="utf-8")
    engine.rebuild()
    for document in client.get("/v1/documents").json()["items"]:
        text = client.get(f"/v1/documents/{document['id']}/text")
        assert text.headers["content-type"] == "application/json"
        original = client.get(document["url"])
        assert original.headers["content-type"] == "application/octet-stream"
        assert original.headers["content-disposition"].startswith("attachment; filename*=UTF-8''")
        for reply in (text, original):
            assert reply.headers["content-security-policy"] == NOTHING
            assert reply.headers["x-content-type-options"] == "nosniff"
    found = client.post("/v1/search", json={"question": "alert Venezuela"})
    assert SCRIPT in {passage["text"] for passage in found.json()["passages"]}
    assert found.headers["content-type"] == "application/json"


def test_streams_have_them_too(client: TestClient[Any]) -> None:
    reply = client.post("/v1/ask", json={"question": QUESTION}, headers={"Accept": "text/event-stream"})
    assert reply.headers["content-security-policy"] == NOTHING
    # The header that the stream sets itself is kept.
    assert "no-cache" in reply.headers["cache-control"] or "no-store" in reply.headers["cache-control"]
