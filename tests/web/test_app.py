from collections.abc import Iterator
from typing import Any

import pytest
from litestar.testing import TestClient

from rag.engine import Engine
from rag.web.app import create
from tests.fakes import SilentObserver


@pytest.fixture
def client(engine: Engine) -> Iterator[TestClient[Any]]:
    with TestClient(create(engine)) as opened:
        yield opened


def test_ask_answers_with_verifiable_citations(client: TestClient[Any], engine: Engine) -> None:
    reply = client.post("/v1/ask", json={"question": "Apa kata Menteri Pertahanan Ashtiani tentang Venezuela?"})
    assert reply.status_code == 200
    answer = reply.json()
    assert answer["answered"]
    (citation, *_) = answer["citations"]
    document = engine.document(citation["document_id"])
    assert document is not None
    assert document.text[citation["start"] : citation["end"]] == citation["text"]
    assert "[1]" in answer["text"]
    marked = answer["marked"]
    assert document.text[marked["start"] : marked["end"]] == marked["text"]


def test_ask_refuses_honestly(client: TestClient[Any]) -> None:
    answer = client.post("/v1/ask", json={"question": "Siapa juara sepak bola Brasil?"}).json()
    assert (answer["answered"], answer["citations"]) == (False, [])
    assert answer["text"] == "Dokumen-dokumen ini tidak menjawab pertanyaan itu."


def test_search_gives_as_many_as_asked(client: TestClient[Any]) -> None:
    reply = client.post("/v1/search", json={"question": "Venezuela", "count": 1})
    (passage,) = reply.json()["passages"]
    assert {"text", "start", "end", "path", "score", "dense", "lexical", "page"} <= set(passage)


def test_search_is_judged_where_that_is_asked(client: TestClient[Any]) -> None:
    question = {"question": "Apa kata Menteri Pertahanan Ashtiani tentang Venezuela?"}
    found, judged = (client.post("/v1/search", json=question | more).json()["passages"] for more in ({}, {"judged": True}))
    assert all(passage["confidence"] is None for passage in found)
    assert all(0 < passage["confidence"] < 1 for passage in judged)
    assert client.post("/v1/search", json=question | {"judged": "much"}).status_code == 400


@pytest.mark.parametrize(
    ("where", "found"),
    [("", 2), ("folder=berita", 1), ("folder!=berita and date>=2020", 1), ("document=*.txt", 2), ("date<1980", 0)],
)
def test_search_keeps_to_its_filter(client: TestClient[Any], engine: Engine, where: str, found: int) -> None:
    (engine.settings.seeds / "berita").mkdir()
    (engine.settings.seeds / "berita" / "b.txt").write_text("Kapal Venezuela berlabuh di Jakarta.", encoding="utf-8")
    engine.rebuild(SilentObserver())
    reply = client.post("/v1/search", json={"question": "Venezuela", "count": 20, "where": where})
    assert reply.status_code == 200
    assert len({passage["path"] for passage in reply.json()["passages"]}) == found


def test_asking_keeps_to_its_filter(client: TestClient[Any]) -> None:
    question = "Apa kata Menteri Pertahanan Ashtiani tentang Venezuela?"
    assert client.post("/v1/ask", json={"question": question, "where": "language=id"}).json()["answered"]
    answer = client.post("/v1/ask", json={"question": question, "where": "language!=id"}).json()
    assert (answer["answered"], answer["citations"], answer["passages"]) == (False, [], [])


def test_health_names_the_snapshot(client: TestClient[Any], engine: Engine) -> None:
    assert client.get("/health").json() == {
        "status": "ok",
        "version": "0.1.0",
        "snapshot": engine.snapshot().manifest.id,
        "documents": 1,
    }


def test_health_is_503_without_an_index(client: TestClient[Any], engine: Engine) -> None:
    (engine.settings.index / "current").unlink()
    reply = client.get("/health")
    assert reply.status_code == 503
    assert reply.json()["detail"].endswith("run `rag index`")


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/v1/ask", {"question": ""}, 400),
        ("/v1/ask", {"question": "x" * 1001}, 400),
        ("/v1/ask", {"question": 3}, 400),
        ("/v1/ask", {}, 400),
        ("/v1/ask", [], 400),
        ("/v1/search", {"question": "Apa?", "count": 0}, 400),
        ("/v1/search", {"question": "Apa?", "count": "many"}, 400),
        ("/v1/search", {"question": "Apa?", "where": "author=me"}, 400),
        ("/v1/search", {"question": "Apa?", "where": 3}, 400),
        ("/v1/search", {"question": "Apa?", "where": "language=" + ",".join(["id"] * 5000)}, 400),
        ("/v1/search", {"question": "Apa?", "where": "document=" + "*" * 50_000}, 400),
        ("/v1/ask", {"question": "Apa?", "where": "date>soon"}, 400),
        ("/v1/nowhere", {}, 404),
    ],
)
def test_a_bad_request_is_a_problem_that_says_what_mends_it(client: TestClient[Any], path: str, body: Any, status: int) -> None:
    reply = client.post(path, json=body)
    assert reply.status_code == status
    assert reply.headers["content-type"].startswith("application/problem+json")
    assert set(reply.json()) == {"type", "title", "status", "detail"}


@pytest.mark.parametrize(
    "raw", [b"{", b"\xff\xfe", b"null", b'{"question": "\xff"}', b"[" * 10_000, b'{"question": "apa \\ud800"}']
)
def test_a_body_that_is_no_json_is_a_problem(client: TestClient[Any], raw: bytes) -> None:
    reply = client.post("/v1/ask", content=raw, headers={"content-type": "application/json"})
    assert reply.status_code == 400


def test_the_schema_is_served_and_names_every_route(client: TestClient[Any]) -> None:
    schema = client.get("/schema").json()
    assert schema["openapi"].startswith("3.1")
    assert set(schema["paths"]) == {"/v1/ask", "/v1/search", "/health"}
