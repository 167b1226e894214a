"""Which `Host` and `Origin` headers the MCP route accepts. An accepted request gets a response of the SDK."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from litestar.testing import TestClient

from rag.engine import Engine
from rag.keys import Keys
from rag.settings import Settings
from rag.web.app import create
from tests.web.conftest import assert_problem, connect

CLIENT = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}}
INITIALIZE = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": CLIENT}
HEADERS = {"Accept": "application/json, text/event-stream"}


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path, cache=tmp_path)


@contextmanager
def opened(settings: Settings) -> Iterator[TestClient[Any]]:
    with connect(create(Engine(settings))) as client:
        yield client


def initialized(client: TestClient[Any], **headers: str) -> httpx.Response:
    return client.post("/mcp", json=INITIALIZE, headers={**HEADERS, **headers})


def assert_answered(reply: httpx.Response) -> None:
    assert reply.status_code == 200, reply.text
    assert '"serverInfo"' in reply.text


@pytest.mark.parametrize("listens_on", ["127.0.0.1", "localhost", "127.9.9.9", "::1"])
def test_on_a_loopback_address_each_loopback_name_is_answered(settings: Settings, listens_on: str) -> None:
    with opened(replace(settings, host=listens_on)) as client:
        for host in ("127.0.0.1:8000", "localhost", "rag.localhost:8000", "127.9.9.9:1", "[::1]:8000"):
            assert_answered(initialized(client, Host=host))
            assert_answered(initialized(client, Host=host, Origin=f"http://{host}"))


@pytest.mark.parametrize("keyed", [False, True])
def test_on_a_loopback_address_other_names_are_refused_also_with_a_key(settings: Settings, *, keyed: bool) -> None:
    key = {"Authorization": f"Bearer {Keys(settings.keys).create('laptop', 'read')[0]}"} if keyed else {}
    with opened(settings) as client:
        for host in ("evil.example", "evil.example:8000", "evil.com@127.0.0.1", "localhost.evil.example", "192.168.1.2"):
            assert_problem(initialized(client, Host=host, **key), 403, f"requests for host '{host}' are refused")
        for origin in ("http://evil.example", "null", "http://localhost.evil.example"):
            assert_problem(initialized(client, Origin=origin, **key), 403, origin)
            # A GET opens a stream, and changes nothing: there, only this check looks at the origin.
            reply = client.get("/mcp", headers={**HEADERS, "Origin": origin, **key})
            assert_problem(reply, 403, f"requests from pages of '{origin}' are refused")
        assert_answered(initialized(client, **key))


def test_an_origin_of_the_settings_may_use_the_routes_and_not_mcp(settings: Settings) -> None:
    friend = {"Origin": "https://friend.example"}
    with opened(replace(settings, cors_origins=friend["Origin"])) as client:
        assert client.get("/v1/jobs", headers=friend).status_code == 200
        assert_problem(initialized(client, **friend), 403, "connect to http://127.0.0.1 or http://localhost")


@pytest.mark.parametrize("listens_on", ["0.0.0.0", "192.168.1.3", "::", "rag.example"])
def test_elsewhere_any_name_is_answered_with_a_key_and_none_without(settings: Settings, listens_on: str) -> None:
    token, _ = Keys(settings.keys).create("laptop", "read")
    with opened(replace(settings, host=listens_on)) as client:
        for host in ("rag.example", "192.168.1.3:8000", "localhost"):
            assert_problem(initialized(client, Host=host), 401)
            assert_answered(initialized(client, Host=host, Authorization=f"Bearer {token}"))
