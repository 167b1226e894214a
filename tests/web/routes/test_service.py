"""Probes, over a home with an index; and logging in, as a browser does it, over one without."""

from collections.abc import Iterator
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any

import pytest
from litestar.testing import TestClient

from rag import __version__
from rag.engine import Engine
from rag.keys import Keys
from rag.settings import Settings
from rag.web.app import create
from rag.web.rebuilding import Rebuilds
from tests.web.conftest import assert_problem, connect
from tests.web.guard.test_access import expire


@pytest.fixture
def indexed(engine: Engine, rebuilds: Rebuilds) -> Iterator[TestClient[Any]]:
    with connect(create(engine, rebuilds=rebuilds)) as opened:
        yield opened


@pytest.mark.parametrize("path", ["/health", "/health/ready"])
def test_ready_names_the_snapshot(indexed: TestClient[Any], engine: Engine, path: str) -> None:
    said = {"status": "ok", "version": __version__, "snapshot": engine.serving(), "documents": 1}
    assert indexed.get(path).json() == said


def test_without_an_index_it_is_live_and_not_ready(indexed: TestClient[Any], engine: Engine) -> None:
    (engine.settings.index / "current").unlink()
    assert indexed.get("/health/live").json() == {"status": "ok", "version": __version__}
    for path in ("/health", "/health/ready"):
        assert_problem(indexed.get(path), 503, "run `rag index`")


def test_without_weights_it_is_not_ready(engine: Engine) -> None:
    bare = Engine(Settings(home=engine.settings.home, cache=engine.settings.cache))
    with connect(create(bare)) as client:
        assert client.get("/health/live").status_code == 200
        assert_problem(client.get("/health/ready"), 503, "run `rag models fetch")


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path, cache=tmp_path)


@pytest.fixture
def keys(settings: Settings) -> Keys:
    return Keys(settings.keys)


@pytest.fixture
def client(settings: Settings) -> Iterator[TestClient[Any]]:
    with connect(create(Engine(settings))) as made:
        yield made


def log_in(client: TestClient[Any], token: str) -> str:
    """Log in, and return the CSRF token."""
    assert client.post("/login", json={"key": f" {token}\n"}).status_code == 204
    return str(client.cookies["rag_csrf"])


def test_a_key_becomes_cookies_that_stay_on_our_own_pages(client: TestClient[Any], keys: Keys) -> None:
    token, _ = keys.create("laptop", "ingest")
    reply = client.post("/login", json={"key": token})
    assert (reply.status_code, reply.content) == (204, b"")
    set_, csrf = (SimpleCookie(line) for line in reply.headers.get_list("set-cookie"))
    session = set_["rag_session"]
    assert (session["httponly"], session["samesite"], session["path"], session["secure"]) == (True, "strict", "/", "")
    assert (csrf["rag_csrf"]["httponly"], csrf["rag_csrf"]["samesite"]) == ("", "strict")
    assert token not in reply.headers["set-cookie"]
    assert client.get("/v1/me").json() == {"scopes": ["read", "ingest"], "keys_required": True}
    assert client.get("/v1/jobs").status_code == 200


def test_over_tls_the_cookies_go_back_by_tls_alone(settings: Settings, keys: Keys) -> None:
    token, _ = keys.create("laptop", "read")
    with TestClient(create(Engine(settings)), base_url="https://rag.example") as client:
        lines = client.post("/login", json={"key": token}).headers.get_list("set-cookie")
    assert all("Secure" in line for line in lines)


@pytest.mark.parametrize("key", ["", "rag_no", "x" * 100_000, "\ud800"])
def test_what_is_no_key_gets_no_session(client: TestClient[Any], keys: Keys, key: str) -> None:
    keys.create("laptop", "read")
    reply = client.post("/login", content=b'{"key": "%s"}' % key.encode("utf-8", "backslashreplace"))
    assert_problem(reply, 400 if key == "\ud800" else 401)
    assert "set-cookie" not in reply.headers


@pytest.mark.parametrize("body", [{}, {"key": 3}, {"key": "rag_x", "next": "/"}, []])
def test_a_body_that_is_none_is_a_problem(client: TestClient[Any], keys: Keys, body: Any) -> None:
    keys.create("laptop", "read")
    assert_problem(client.post("/login", json=body), 400)


def test_a_session_changes_nothing_without_the_csrf_header(client: TestClient[Any], keys: Keys) -> None:
    csrf = log_in(client, keys.create("laptop", "admin")[0])
    for sent in (None, "", csrf[:-1], "é"):
        headers: dict[bytes, bytes] = {} if sent is None else {b"X-CSRF-Token": sent.encode()}
        for path in ("/v1/index", "/v1/search", "/logout"):
            assert_problem(client.post(path, headers=headers), 403, "X-CSRF-Token")
    good = {"X-CSRF-Token": csrf}
    # Allowed, and then refused for its empty body.
    assert_problem(client.post("/v1/search", headers=good), 400)
    # The token of another login is not valid for this session.
    client.cookies.set("rag_csrf", "planted")
    assert_problem(client.post("/v1/search", headers={"X-CSRF-Token": "planted"}), 403)


def test_a_key_in_the_header_needs_no_csrf_header(client: TestClient[Any], keys: Keys) -> None:
    token, _ = keys.create("laptop", "admin")
    log_in(client, token)
    assert_problem(client.post("/v1/search", headers={"Authorization": f"Bearer {token}"}), 400)
    # Only the key counts: cookies do not help an invalid one.
    assert_problem(client.get("/v1/jobs", headers={"Authorization": "Bearer rag_no"}), 401)
    # A password for a proxy in front of the service is ignored.
    assert client.get("/v1/jobs", headers={"Authorization": "Basic cmFnOnJhZw=="}).status_code == 200


def test_logging_out_ends_the_session_for_good(client: TestClient[Any], keys: Keys) -> None:
    csrf = log_in(client, keys.create("laptop", "read")[0])
    session = client.cookies["rag_session"]
    assert client.post("/logout", headers={"X-CSRF-Token": csrf}).status_code == 204
    assert "rag_session" not in client.cookies
    client.cookies.set("rag_session", session)
    assert_problem(client.get("/v1/jobs"), 401, "log in at /")
    # Logging out without a session is allowed.
    assert client.post("/logout").status_code == 204


def test_a_session_ends_with_its_key(client: TestClient[Any], keys: Keys, settings: Settings) -> None:
    log_in(client, keys.create("laptop", "read")[0])
    keys.revoke("laptop")
    assert_problem(client.get("/v1/jobs"), 401, "was revoked")
    assert client.get("/v1/me").json()["scopes"] == []
    token, _ = keys.create("laptop", "read")  # the same name is another key
    assert_problem(client.get("/v1/jobs"), 401)
    log_in(client, token)
    assert client.get("/v1/jobs").status_code == 200
    expire(keys, settings.keys)
    assert_problem(client.get("/v1/jobs"), 401, "expired on")
    assert_problem(client.post("/login", json={"key": token}), 401, "expired on")


def test_a_session_id_that_the_browser_brings_is_never_used(client: TestClient[Any], keys: Keys) -> None:
    client.cookies.set("rag_session", "planted")
    log_in(client, keys.create("laptop", "read")[0])
    client.cookies.clear()
    client.cookies.set("rag_session", "planted")
    assert_problem(client.get("/v1/jobs"), 401)
