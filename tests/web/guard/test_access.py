"""Which requests are allowed. The home has no index: one that is allowed fails at that, or at its empty body."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from litestar import Litestar
from litestar.handlers import HTTPRouteHandler
from litestar.testing import TestClient

from rag.engine import Engine
from rag.errors import TooManyRequests
from rag.keys import Keys, Scope
from rag.settings import Settings
from rag.web.app import create
from rag.web.guard import access
from rag.web.guard.access import ADMIN, INGEST, READ, Buckets, Sessions
from tests.web.conftest import PATIENCE, Served, assert_problem, connect

READS, INGESTS, ADMINISTERS = ("GET", "/v1/jobs"), ("DELETE", "/v1/documents/x"), ("POST", "/v1/index")


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path, cache=tmp_path)


@pytest.fixture
def keys(settings: Settings) -> Keys:
    return Keys(settings.keys)


@contextmanager
def opened(settings: Settings) -> Iterator[TestClient[Any]]:
    with connect(create(Engine(settings))) as client:
        yield client


@pytest.fixture
def client(settings: Settings) -> Iterator[TestClient[Any]]:
    with opened(settings) as made:
        yield made


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def expire(keys: Keys, path: Path) -> None:
    """All keys end in the past."""
    said = json.loads(path.read_text())
    for key in said["keys"]:
        key["expires"] = "2026-01-02T00:00:00+00:00"
    path.with_suffix(".new").write_text(json.dumps(said))
    path.with_suffix(".new").replace(path)


def is_let_in(reply: httpx.Response) -> bool:
    return reply.status_code not in {401, 403}


def test_without_keys_this_machine_may_do_everything(client: TestClient[Any]) -> None:
    assert client.get("/v1/me").json() == {"scopes": ["read", "ingest", "admin"], "keys_required": False}
    assert all(is_let_in(client.request(*route)) for route in (READS, INGESTS, ADMINISTERS))


def scopes(app: Litestar) -> dict[tuple[str, str], object]:
    found: dict[tuple[str, str], object] = {}
    for route in app.routes:
        for handler in getattr(route, "route_handlers", ()):
            assert isinstance(handler, HTTPRouteHandler)
            found |= {(method, route.path): handler.opt.get("scope", "none") for method in handler.http_methods}
    return {place: scope for place, scope in found.items() if place[0] != "OPTIONS"}


def test_each_route_names_the_scope_it_needs(settings: Settings) -> None:
    named = scopes(create(Engine(settings)))
    assert set(named.values()) == {READ, INGEST, ADMIN, None}
    assert {place for place, scope in named.items() if scope in {INGEST, ADMIN}} == {
        ("POST", "/v1/documents"),
        ("DELETE", "/v1/documents/{document_id:str}"),
        ("POST", "/v1/index"),
        ("POST", "/v1/snapshots/{snapshot_id:str}/activate"),
    }
    public = {path for (_, path), scope in named.items() if scope is None}
    page = {"/", "/static/{path:path}", "/schema", "/schema/{path:str}", "/schema/openapi.json"}
    assert public == {*page, "/login", "/logout", "/v1/me", "/health", "/health/live", "/health/ready"}


def test_a_route_that_forgot_its_scope_is_for_administrators(keys: Keys, settings: Settings) -> None:
    app = create(Engine(settings))
    for handler in (handler for route in app.routes for handler in getattr(route, "route_handlers", ())):
        handler.opt.pop("scope", None)
    reader, admin = (keys.create(scope, scope)[0] for scope in (READ, ADMIN))
    with connect(app) as client:
        assert client.get("/v1/jobs", headers=bearer(reader)).status_code == 403
        assert client.get("/v1/jobs", headers=bearer(admin)).status_code == 200


@pytest.mark.parametrize(("scope", "let_in"), [(READ, 1), (INGEST, 2), (ADMIN, 3)])
def test_a_key_goes_as_far_as_its_scope(client: TestClient[Any], keys: Keys, scope: Scope, let_in: int) -> None:
    token, key = keys.create("laptop", scope)
    replies = [client.request(*route, headers=bearer(token)) for route in (READS, INGESTS, ADMINISTERS)]
    assert [is_let_in(reply) for reply in replies] == [number < let_in for number in range(3)]
    for reply in replies[let_in:]:
        assert_problem(reply, 403, f"the key laptop has the scope {scope}", "rag keys create NAME --scope")
    said = client.get("/v1/me", headers=bearer(token)).json()
    assert said == {"scopes": list(key.scopes), "keys_required": True}


@pytest.mark.parametrize("sent", ["", "Bearer", "Bearer ", "Bearer rag_no", "bearer rag_no", "Basic cmFnOnJhZw==", "rag_no"])
def test_without_a_valid_key_requests_are_refused(client: TestClient[Any], keys: Keys, sent: str) -> None:
    keys.create("laptop", ADMIN)
    for route in (READS, INGESTS, ADMINISTERS):
        reply = client.request(*route, headers={"Authorization": sent} if sent else {})
        assert_problem(reply, 401, "rag keys create NAME")
        assert reply.headers["www-authenticate"] == "Bearer"
    assert client.get("/v1/me").json() == {"scopes": [], "keys_required": True}
    for path in ("/", "/health/live", "/schema"):
        assert client.get(path).status_code == 200


def test_a_running_service_sees_new_revoked_and_expired_keys(client: TestClient[Any], keys: Keys, settings: Settings) -> None:
    assert is_let_in(client.request(*READS))
    first, second = keys.create("first", READ)[0], keys.create("second", READ)[0]
    assert not is_let_in(client.request(*READS))
    assert is_let_in(client.request(*READS, headers=bearer(first)))
    keys.revoke("first")
    assert_problem(client.request(*READS, headers=bearer(first)), 401, "was revoked")
    expire(keys, settings.keys)
    assert_problem(client.request(*READS, headers=bearer(second)), 401, "the key second expired on 2026-01-02")
    assert client.get("/v1/me", headers=bearer(second)).json()["scopes"] == []
    keys.revoke("second")
    # No key is left; that does not open the service.
    assert not is_let_in(client.request(*READS))


def test_with_a_damaged_key_file_requests_are_refused(client: TestClient[Any], keys: Keys, settings: Settings) -> None:
    token, _ = keys.create("laptop", ADMIN)
    settings.keys.write_bytes(b"rubbish")
    assert_problem(client.request(*READS, headers=bearer(token)), 503, "rag keys create NAME")
    assert client.get("/health/live").status_code == 200


def test_an_address_that_others_reach_wants_keys_even_when_their_file_is_gone(settings: Settings) -> None:
    with opened(replace(settings, host="0.0.0.0")) as client:
        assert_problem(client.request(*READS), 401)
        assert client.get("/v1/me").json() == {"scopes": [], "keys_required": True}


def test_without_keys_the_service_has_no_other_name(client: TestClient[Any], keys: Keys) -> None:
    for path in ("/", "/v1/jobs", "/health/live"):
        assert_problem(client.get(path, headers={"Host": "evil.example"}), 403, "'evil.example'")
    token, _ = keys.create("laptop", READ)
    assert is_let_in(client.get("/v1/jobs", headers={"Host": "rag.example", **bearer(token)}))


@pytest.mark.parametrize("headers", [{"Origin": "https://evil.example"}, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"}])
def test_a_page_elsewhere_can_change_nothing(client: TestClient[Any], headers: dict[str, str]) -> None:
    for route in (("POST", "/v1/ask"), ("POST", "/v1/documents"), INGESTS, ADMINISTERS, ("POST", "/login")):
        assert_problem(client.request(*route, headers=headers), 403, "RAG_CORS_ORIGINS")


def test_other_origins_get_no_cors_headers_unless_they_are_configured(settings: Settings) -> None:
    asking = {"Origin": "https://friend.example", "Access-Control-Request-Method": "POST"}
    with opened(settings) as client:
        reply = client.options("/v1/ask", headers=asking)
        assert not [name for name in reply.headers if name.startswith("access-control")]
    with opened(replace(settings, cors_origins="https://friend.example, http://localhost:3000")) as client:
        allowed = "access-control-allow-origin"
        more = {"Access-Control-Request-Headers": "authorization, content-type"}
        reply = client.options("/v1/ask", headers={**asking, **more})
        assert (reply.status_code, reply.headers[allowed]) == (204, "https://friend.example")
        assert "authorization" in reply.headers["access-control-allow-headers"]
        assert "access-control-allow-credentials" not in reply.headers
        assert client.get("/v1/jobs", headers={"Origin": "http://localhost:3000"}).headers[allowed] == "http://localhost:3000"
        assert is_let_in(client.post("/v1/index", headers={"Origin": "https://friend.example"}))
        for other in ("https://evil.example", "https://friend.example.evil.example", "https://friend-example"):
            assert allowed not in client.options("/v1/ask", headers={**asking, "Origin": other}).headers
            assert not is_let_in(client.post("/v1/index", headers={"Origin": other}))


def test_each_key_may_ask_so_often(settings: Settings, keys: Keys) -> None:
    first, second = keys.create("first", READ)[0], keys.create("second", READ)[0]
    with opened(replace(settings, requests_per_minute=3)) as client:
        replies = [client.request(*READS, headers=bearer(first)) for _ in range(4)]
        assert [reply.status_code for reply in replies] == [200, 200, 200, 429]
        assert_problem(replies[3], 429, "made 3 requests in a minute", "RAG_REQUESTS_PER_MINUTE")
        assert 1 <= int(replies[3].headers["retry-after"]) <= 20
        assert client.request(*READS, headers=bearer(second)).status_code == 200
        assert client.get("/v1/me", headers=bearer(first)).json()["scopes"] == ["read"]


def test_no_key_and_no_question_is_in_the_log(
    settings: Settings, keys: Keys, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(_engine: Engine, question: str, *_: object) -> None:
        raise ValueError(question)

    token, _ = keys.create("laptop", READ)
    monkeypatch.setattr(Engine, "search", fails)
    served = Served(create(Engine(settings)))
    try:
        for sent in (token, token + "x"):
            body = {"question": "apa rahasianya?"}
            httpx.post(f"{served.url}/v1/search", json=body, headers=bearer(sent), timeout=PATIENCE)
        httpx.post(f"{served.url}/login", json={"key": token}, timeout=PATIENCE)
    finally:
        served.close()
    said = caplog.text
    assert "POST /v1/search failed: ValueError" in said
    assert "in fails" in said
    for secret in (token, token.removeprefix("rag_"), "rahasia"):
        assert secret not in said


@pytest.mark.parametrize("name", ["../keys.json", "..%2Fkeys.json", "%2e%2e/keys.json", "keys.json"])
def test_the_file_of_keys_is_nothing_that_is_served(client: TestClient[Any], keys: Keys, name: str) -> None:
    token, key = keys.create("laptop", ADMIN)
    for path in (f"/static/{name}", f"/v1/documents/{name}", f"/v1/documents/{name}/original", f"/{name}"):
        reply = client.get(path, headers=bearer(token))
        assert reply.status_code >= 400
        assert key.sha256 not in reply.text


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_bucket_is_emptied_at_once_and_fills_with_time() -> None:
    clock = Clock()
    buckets = Buckets(6, clock)
    for _ in range(6):
        buckets.take("a")
    with pytest.raises(TooManyRequests, match="try again in 10 seconds") as caught:
        buckets.take("a")
    assert caught.value.retry_after == 10
    buckets.take("b")
    clock.now += 9.5
    with pytest.raises(TooManyRequests) as caught:
        buckets.take("a")
    assert caught.value.retry_after == 1
    clock.now += 0.5
    buckets.take("a")
    with pytest.raises(TooManyRequests):
        buckets.take("a")


def test_a_bucket_holds_no_more_than_a_minutes_worth() -> None:
    clock = Clock()
    buckets = Buckets(2, clock)
    buckets.take("a")
    clock.now += 10_000
    buckets.take("a")
    buckets.take("a")
    with pytest.raises(TooManyRequests):
        buckets.take("a")


def test_none_is_no_limit() -> None:
    buckets = Buckets(0, Clock())
    for _ in range(10_000):
        buckets.take("a")


class SessionClock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_session_is_found_by_its_token_until_it_ends() -> None:
    kept = Sessions()
    token, session = kept.begin("digest")
    assert kept.find(token) == session
    assert (session.key, len(session.csrf)) == ("digest", 43)
    for other in ("", token[:-1], session.csrf, "\ud800"):
        assert kept.find(other) is None
    kept.end(token)
    kept.end(token)
    assert kept.find(token) is None


def test_each_login_has_a_token_of_its_own() -> None:
    kept = Sessions()
    made = [kept.begin("digest") for _ in range(3)]
    assert len({token for token, _ in made} | {session.csrf for _, session in made}) == 6


def test_a_session_ends_by_itself() -> None:
    clock = SessionClock()
    kept = Sessions(clock)
    token, _ = kept.begin("digest")
    clock.now = access.LASTS - 1
    assert kept.find(token)
    clock.now = access.LASTS
    assert kept.find(token) is None


def test_those_of_long_ago_make_room() -> None:
    kept = Sessions()
    tokens = [kept.begin("digest")[0] for _ in range(1001)]
    assert kept.find(tokens[0]) is None
    assert kept.find(tokens[1])
    assert kept.find(tokens[-1])
