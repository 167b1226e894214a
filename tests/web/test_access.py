from typing import Any

from litestar import Litestar
from litestar.handlers import HTTPRouteHandler
from litestar.testing import TestClient

from rag.engine import Engine
from rag.web.access import ADMIN, INGEST, READ
from rag.web.app import create


def test_whoever_asks_may_do_everything(client: TestClient[Any]) -> None:
    assert client.get("/v1/me").json() == {"scopes": ["read", "ingest", "admin"], "keys_required": False}


def scopes(app: Litestar) -> dict[tuple[str, str], object]:
    found: dict[tuple[str, str], object] = {}
    for route in app.routes:
        for handler in getattr(route, "route_handlers", ()):
            assert isinstance(handler, HTTPRouteHandler)
            found |= {(method, route.path): handler.opt.get("scope", "none") for method in handler.http_methods}
    return {place: scope for place, scope in found.items() if place[0] != "OPTIONS"}


def test_each_route_names_the_scope_it_needs(engine: Engine) -> None:
    named = scopes(create(engine))
    ours = {place: scope for place, scope in named.items() if place[1].startswith("/v1")}
    assert set(ours.values()) == {READ, INGEST, ADMIN}
    writes = {place for place, scope in ours.items() if scope != READ}
    assert writes == {
        ("POST", "/v1/documents"),
        ("DELETE", "/v1/documents/{document_id:str}"),
        ("POST", "/v1/index"),
        ("POST", "/v1/snapshots/{snapshot_id:str}/activate"),
    }
    assert named["GET", "/health/live"] is None
