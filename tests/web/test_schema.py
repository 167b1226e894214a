"""The OpenAPI document at `GET /schema`: that it is whole, and that every example in it is one that a client may get."""

import copy
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from litestar.testing import TestClient

from rag import __version__
from rag.web import schema as completing
from tests.conftest import ROOT

ROUTES = {
    "/v1/ask": {"post"},
    "/v1/search": {"post"},
    "/v1/documents": {"get", "post"},
    "/v1/documents/unread": {"get"},
    "/v1/documents/{document_id}": {"get", "delete"},
    "/v1/documents/{document_id}/text": {"get"},
    "/v1/documents/{document_id}/original": {"get"},
    "/v1/index": {"post"},
    "/v1/jobs": {"get"},
    "/v1/jobs/{job_id}": {"get"},
    "/v1/snapshots": {"get"},
    "/v1/snapshots/{snapshot_id}/activate": {"post"},
    "/v1/chat/completions": {"post"},
    "/v1/embeddings": {"post"},
    "/v1/models": {"get"},
    "/v1/models/{name}": {"get"},
    "/v1/me": {"get"},
    "/login": {"post"},
    "/logout": {"post"},
    "/metrics": {"get"},
    "/health": {"get"},
    "/health/live": {"get"},
    "/health/ready": {"get"},
}


@pytest.fixture
def schema(client: TestClient[Any]) -> Any:
    return client.get("/schema").json()


def test_the_schema_names_every_route(schema: Any) -> None:
    assert schema["openapi"].startswith("3.1")
    assert {path: set(methods) for path, methods in schema["paths"].items()} == ROUTES


# Their errors have the form that clients of OpenAI read.
OPENAI = {"/v1/chat/completions", "/v1/embeddings", "/v1/models", "/v1/models/{name}"}


def test_it_says_which_service_this_is(schema: Any) -> None:
    info = schema["info"]
    assert (info["title"], info["version"]) == ("rag", __version__)
    for word in ("rag keys create", "RFC 9457", "X-Request-ID"):
        assert word in info["description"]


def test_no_page_and_nothing_of_another_site_is_loaded_to_show_it(client: TestClient[Any]) -> None:
    reply = client.get("/schema")
    assert reply.headers["content-type"].startswith("application/vnd.oai.openapi+json")
    assert client.get("/schema").content == reply.content


def test_completing_a_schema_twice_changes_nothing(schema: Any) -> None:
    again = copy.deepcopy(schema)
    completing.complete(again)
    assert json.loads(json.dumps(again)) == schema


def test_an_example_or_a_stream_is_of_a_route_that_there_is(schema: Any) -> None:
    for method, path in (*completing.REPLIES, *completing.STREAMS):
        assert method in schema["paths"][path]


def test_the_examples_are_not_imported_before_the_first_request_for_the_schema(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from litestar.testing import TestClient\n"
        "from rag.engine import Engine; from rag.settings import Settings; from rag.web.app import create\n"
        f"home = Path({str(tmp_path)!r})\n"
        "with TestClient(create(Engine(Settings(home=home, cache=home))), base_url='http://127.0.0.1') as client:\n"
        "    assert client.get('/health/live').status_code == 200\n"
        "    assert 'rag.web.schema' not in sys.modules\n"
        "    assert client.get('/schema').status_code == 200\n"
        "    assert 'rag.web.schema' in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)


def test_every_error_in_it_is_a_problem_with_an_example(schema: Any) -> None:
    for path, methods in schema["paths"].items():
        for method, operation in methods.items():
            failures = {status: reply for status, reply in operation["responses"].items() if status >= "400"}
            assert "500" in failures
            for status, reply in failures.items():
                form, name = ("json", "Failed") if path in OPENAI else ("problem+json", "Problem")
                (media_type, content), *others = reply["content"].items()
                assert (media_type, others) == (f"application/{form}", []), (path, method, status)
                assert content["schema"]["$ref"].endswith(name)
                (example,) = content["examples"].values()
                assert path in OPENAI or example["value"]["status"] == int(status)
                assert path not in OPENAI or set(example["value"]["error"]) >= {"message", "type", "code"}


def test_every_reply_has_an_example_that_its_schema_allows(schema: Any) -> None:
    for methods in schema["paths"].values():
        for operation in methods.values():
            (success,) = [reply for status, reply in operation["responses"].items() if status < "300"]
            for media_type, content in success.get("content", {}).items():
                if media_type == "application/octet-stream":
                    continue
                assert content["example"]
                if media_type == "application/json":
                    checked = {**content["schema"], "components": schema["components"]}
                    jsonschema.Draft202012Validator(checked).validate(content["example"])


def test_every_route_and_value_says_what_it_is(schema: Any) -> None:
    operations = [operation for methods in schema["paths"].values() for operation in methods.values()]
    for operation in operations:
        assert operation["summary"]
        assert operation["description"]
        assert len(operation["tags"]) == 1
        for parameter in operation.get("parameters", []):
            assert parameter["description"], (operation["operationId"], parameter["name"])
    names = [operation["operationId"] for operation in operations]
    assert "get_v1_documents_document_id_text" in names
    assert len(set(names)) == len(names)
    for name, value in schema["components"]["schemas"].items():
        assert value["description"], name


def test_every_body_has_an_example_or_is_files(schema: Any) -> None:
    bodies = [o["requestBody"] for methods in schema["paths"].values() for o in methods.values() if "requestBody" in o]
    assert len(bodies) == 7
    for body in bodies:
        for media_type, content in body["content"].items():
            assert media_type == "multipart/form-data" or "example" in json.dumps(content)


def test_every_reference_in_it_leads_somewhere(schema: Any) -> None:
    def references(value: Any) -> set[str]:
        if isinstance(value, dict):
            own = {value["$ref"]} if isinstance(value.get("$ref"), str) else set()
            return own.union(*(references(item) for item in value.values()))
        return set().union(*(references(item) for item in value)) if isinstance(value, list) else set()

    found = references(schema)
    assert found
    assert {name.rpartition("/")[2] for name in found} <= set(schema["components"]["schemas"])


def test_a_key_and_a_session_are_described(schema: Any) -> None:
    schemes = schema["components"]["securitySchemes"]
    assert (schemes["key"]["type"], schemes["key"]["scheme"]) == ("http", "bearer")
    assert (schemes["session"]["in"], schemes["session"]["name"]) == ("cookie", "rag_session")
    assert schema["security"] == [{}, {"key": []}, {"session": []}]
    for path, methods in schema["paths"].items():
        for operation in methods.values():
            keyed = (path.startswith("/v1/") and path != "/v1/me") or path == "/metrics"
            assert ({"401", "408", "429"} <= set(operation["responses"])) == (keyed or path == "/login")
            assert "403" in operation["responses"]
