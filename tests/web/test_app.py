from typing import Any

import pytest
from litestar.testing import TestClient

from tests.web.conftest import assert_problem


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/v1/nowhere", 404),
        ("POST", "/v1/nowhere", 404),
        ("GET", "/v1/ask", 405),
        ("PUT", "/v1/documents", 405),
        ("DELETE", "/v1/jobs/x", 405),
        ("GET", "/schema/openapi.yaml", 404),
    ],
)
def test_what_is_no_route_is_a_problem(client: TestClient[Any], method: str, path: str, status: int) -> None:
    assert_problem(client.request(method, path), status)


def test_a_method_that_a_route_lacks_is_answered_with_those_it_has(client: TestClient[Any]) -> None:
    reply = client.put("/v1/documents")
    assert set(reply.headers["allow"].split(", ")) == {"GET", "POST", "OPTIONS"}
