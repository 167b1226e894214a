"""Descriptions of routes that Litestar cannot describe by itself, with the real operations."""

from typing import Any

import pytest
from litestar.testing import TestClient


@pytest.fixture
def paths(client: TestClient[Any]) -> Any:
    return client.get("/schema").json()["paths"]


def success(paths: Any, method: str, path: str) -> dict[str, Any]:
    """The contents of a successful response, by media type."""
    ((_, reply),) = [(status, reply) for status, reply in paths[path][method]["responses"].items() if status < "300"]
    content: dict[str, Any] = reply.get("content", {})
    return content


def test_routes_that_can_send_events_have_json_and_a_stream(paths: Any) -> None:
    for method, path in (("post", "/v1/ask"), ("post", "/v1/chat/completions"), ("get", "/v1/jobs/{job_id}")):
        content = success(paths, method, path)
        assert set(content) == {"application/json", "text/event-stream"}
        event = content["text/event-stream"]["schema"]
        assert (event["type"], set(event["properties"]), event["required"]) == ("object", {"event", "data"}, ["data"])


def test_the_events_of_an_answer_are_named(paths: Any) -> None:
    about = paths["/v1/ask"]["post"]["responses"]["200"]["description"]
    for kind in ("evidence", "waiting", "understood", "verdict", "token", "citation", "done", "error"):
        assert f"`{kind}`" in about


def test_a_file_is_bytes_and_nothing_else(paths: Any) -> None:
    content = success(paths, "get", "/v1/documents/{document_id}/original")
    assert set(content) == {"application/octet-stream"}
    assert content["application/octet-stream"]["schema"]["contentMediaType"] == "application/octet-stream"


def test_a_response_without_a_body_has_no_content(paths: Any) -> None:
    for path in ("/login", "/logout"):
        assert success(paths, "post", path) == {}


def test_an_upload_is_a_form_of_at_least_one_file(paths: Any) -> None:
    body = paths["/v1/documents"]["post"]["requestBody"]
    assert body["required"] is True
    ((media_type, content),) = body["content"].items()
    files = content["schema"]["properties"]["files"]
    assert (media_type, files["type"], files["minItems"]) == ("multipart/form-data", "array", 1)
