import gzip
import json
import socket
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from typing import Any

import httpx
import pytest
from litestar.testing import TestClient

from rag.engine import Engine
from rag.errors import WeightsError
from rag.web import admission
from rag.web.app import create
from tests.fakes import BagEmbedder, OverlapReader, SlowReader, StuckReader
from tests.web.conftest import PATIENCE, QUESTION, Served, assert_problem, events, questions_running, until

STREAM = {"Accept": "text/event-stream"}


def test_ask_answers_with_verifiable_citations(client: TestClient[Any], engine: Engine) -> None:
    reply = client.post("/v1/ask", json={"question": QUESTION})
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


def test_an_answer_as_events_ends_with_what_the_json_is(client: TestClient[Any]) -> None:
    reply = client.post("/v1/ask", json={"question": QUESTION}, headers=STREAM)
    assert reply.headers["content-type"].startswith("text/event-stream")
    received = [(kind, json.loads(data)) for kind, data in events(reply.text)]
    kinds = [kind for kind, _ in received]
    assert kinds[:2] == ["evidence", "verdict"]
    assert kinds == sorted(kinds, key=["evidence", "verdict", "token", "citation", "done"].index)
    passage = received[0][1]["passages"][0]
    assert passage["start"] <= passage["highlight"]["start"] < passage["highlight"]["end"] <= passage["end"]
    assert set(received[1][1]) == {"citation", "confidence"}
    answer, whole = received[-1][1], client.post("/v1/ask", json={"question": QUESTION}).json()
    assert [data["citation"] for kind, data in received if kind == "citation"] == answer["citations"]
    assert [data["number"] for kind, data in received if kind == "citation"] == [1]
    assert {**answer, "receipt": None} == {**whole, "receipt": None}


def test_a_refusal_as_events_has_evidence_and_an_end(client: TestClient[Any]) -> None:
    received = events(client.post("/v1/ask", json={"question": "Siapa juara sepak bola Brasil?"}, headers=STREAM).text)
    assert [kind for kind, _ in received] == ["evidence", "done"]


def test_asking_keeps_to_its_filter(client: TestClient[Any]) -> None:
    assert client.post("/v1/ask", json={"question": QUESTION, "where": "language=id"}).json()["answered"]
    answer = client.post("/v1/ask", json={"question": QUESTION, "where": "language!=id"}).json()
    assert (answer["answered"], answer["citations"], answer["passages"]) == (False, [], [])


@pytest.mark.slow("waits for a slow reader")
def test_a_follow_up_is_understood_by_the_conversation_and_says_how(client: TestClient[Any]) -> None:
    history = [{"question": "Siapa Menteri Pertahanan Iran?", "answer": "Menteri Pertahanan Iran adalah Ashtiani."}]
    body = {"question": "Apa katanya tentang Venezuela?", "history": history}
    answer = client.post("/v1/ask", json=body).json()
    assert "Ashtiani" in answer["understood_as"]
    assert "Venezuela" in answer["citations"][0]["text"]
    received = [(kind, json.loads(data)) for kind, data in events(client.post("/v1/ask", json=body, headers=STREAM).text)]
    assert [kind for kind, _ in received][:4] == ["evidence", "understood", "evidence", "verdict"]
    assert received[1][1] == {"question": answer["understood_as"]}
    assert client.post("/v1/ask", json={"question": QUESTION, "history": history}).json()["understood_as"] == ""


def test_search_gives_as_many_as_asked(client: TestClient[Any]) -> None:
    reply = client.post("/v1/search", json={"question": "Venezuela", "count": 1})
    (passage,) = reply.json()["passages"]
    assert {"text", "start", "end", "path", "score", "dense", "lexical", "page"} <= set(passage)


def test_search_is_judged_where_that_is_asked(client: TestClient[Any]) -> None:
    question = {"question": QUESTION}
    found, judged = (client.post("/v1/search", json=question | more).json()["passages"] for more in ({}, {"judged": True}))
    assert all(passage["confidence"] is None for passage in found)
    assert all(0 < passage["confidence"] < 1 for passage in judged)


@pytest.mark.parametrize(
    ("where", "found"),
    [("", 2), ("folder=berita", 1), ("folder!=berita and date>=2020", 1), ("document=*.txt", 2), ("date<1980", 0)],
)
def test_search_keeps_to_its_filter(client: TestClient[Any], engine: Engine, where: str, found: int) -> None:
    (engine.settings.seeds / "berita").mkdir()
    (engine.settings.seeds / "berita" / "b.txt").write_text("Kapal Venezuela berlabuh di Jakarta.", encoding="utf-8")
    engine.rebuild()
    reply = client.post("/v1/search", json={"question": "Venezuela", "count": 20, "where": where})
    assert reply.status_code == 200
    assert len({passage["path"] for passage in reply.json()["passages"]}) == found


ASK, SEARCH = "/v1/ask", "/v1/search"
BAD: list[tuple[str, Any]] = [
    (ASK, {"question": ""}),
    (ASK, {"question": "?!"}),
    (ASK, {"question": "x" * 1001}),
    (ASK, {"question": 3}),
    (ASK, {"question": None}),
    (ASK, {}),
    (ASK, []),
    (ASK, {"question": "Apa?", "where": None}),
    (ASK, {"question": "Apa?", "where": "date>soon"}),
    (ASK, {"question": "Apa?", "history": None}),
    (ASK, {"question": "Apa?", "history": {}}),
    (ASK, {"question": "Apa?", "history": ["Siapa?"]}),
    (ASK, {"question": "Apa?", "history": [{"question": "Siapa?"}]}),
    (ASK, {"question": "Apa?", "history": [{"question": "Siapa?", "answer": 3}]}),
    (ASK, {"question": "Apa?", "history": [{"question": "Siapa?", "answer": "", "role": "x"}]}),
    (ASK, {"question": "Apa?", "history": [{"question": "x" * 1001, "answer": ""}]}),
    (ASK, {"question": "Apa?", "history": [{"question": "Siapa?", "answer": "x" * 10_001}]}),
    (ASK, {"question": "Apa?", "history": [{"question": "Siapa?", "answer": ""}] * 21}),
    (ASK, {"question": "Apa?", "temperature": 1}),
    (SEARCH, {"question": ""}),
    (SEARCH, {"question": "", "judged": True}),
    (SEARCH, {"question": "Apa?", "count": 0}),
    (SEARCH, {"question": "Apa?", "count": 101}),
    (SEARCH, {"question": "Apa?", "count": 10**30}),
    (SEARCH, {"question": "Apa?", "count": 2.5}),
    (SEARCH, {"question": "Apa?", "count": "many"}),
    (SEARCH, {"question": "Apa?", "judged": "much"}),
    (SEARCH, {"question": "Apa?", "where": "author=me"}),
    (SEARCH, {"question": "Apa?", "where": 3}),
    (SEARCH, {"question": "Apa?", "where": "language=" + ",".join(["id"] * 5000)}),
    (SEARCH, {"question": "Apa?", "where": "document=" + "*" * 50_000}),
    (SEARCH, {"question": "Apa?", "page": 2}),
]


def test_a_bad_request_is_a_problem_that_says_what_to_do(client: TestClient[Any]) -> None:
    for path, body in BAD:
        assert_problem(client.post(path, json=body), 400)
    for body in ({"question": ""}, {"question": "x" * 1001}, {"question": "Apa?", "where": "date>soon"}):
        assert_problem(client.post(ASK, json=body, headers=STREAM), 400)


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{",
        b"null",
        b"\xff\xfe",
        b'{"question": "\xff"}',
        b'{"question": "apa \\ud800"}',
        b'{"question": "apa \xed\xa0\x80"}',
        b'{"question": "apa \x00"}',
        b'{"question": NaN}',
        b'\xef\xbb\xbf{"question": "apa"}',
        '{"question": "apa"}'.encode("utf-16"),
        gzip.compress(b'{"question": "apa"}', mtime=0),
        b"[" * 100_000,
        b'{"where": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b'{"' + b"k" * 500_000 + b'": 1}',
    ],
)
def test_a_body_that_is_no_json_is_a_problem(client: TestClient[Any], raw: bytes) -> None:
    reply = client.post(ASK, content=raw, headers={"content-type": "application/json"})
    assert_problem(reply, 400)
    assert len(reply.content) < 1000


def test_a_question_of_megabytes_is_refused(client: TestClient[Any]) -> None:
    assert_problem(client.post(ASK, json={"question": "x" * 10_000_000}), 413)


def test_without_an_index_asking_says_how_to_make_one(client: TestClient[Any], engine: Engine) -> None:
    (engine.settings.index / "current").unlink()
    for path, headers in ((ASK, {}), (ASK, STREAM), (SEARCH, {})):
        assert_problem(client.post(path, json={"question": "Apa?"}, headers=headers), 503, "run `rag index`")


class BrokenReader(OverlapReader):
    """Fails after its first token."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    def answer(self, question: str, passages: Sequence[str], instruction: str) -> Generator[str, None, bool]:
        yield "Menteri "
        raise self.error


def test_what_goes_wrong_in_the_middle_is_the_last_event(client: TestClient[Any], engine: Engine) -> None:
    engine.models.reader = BrokenReader(WeightsError("it cannot be read", "set RAG_LLM to another"))
    received = events(client.post(ASK, json={"question": QUESTION}, headers=STREAM).text)
    assert [kind for kind, _ in received][-2:] == ["token", "error"]
    problem = json.loads(received[-1][1])
    assert (problem["type"], problem["status"]) == ("urn:rag:WeightsError", 503)
    assert_problem(client.post(ASK, json={"question": QUESTION}), 503, "it cannot be read")


def test_an_internal_error_is_reported_without_its_message(
    client: TestClient[Any], engine: Engine, caplog: pytest.LogCaptureFixture
) -> None:
    engine.models.reader = BrokenReader(ValueError("secret"))
    received = events(client.post(ASK, json={"question": QUESTION}, headers=STREAM).text)
    assert received[-1][0] == "error"
    assert "secret" not in received[-1][1]
    assert "POST /v1/ask failed" in caplog.text
    assert QUESTION not in caplog.text


@pytest.fixture
def slow(engine: Engine) -> SlowReader:
    engine.models.reader = reader = SlowReader()
    return reader


@pytest.fixture
def served(engine: Engine, slow: SlowReader) -> Iterator[Served]:
    made = Served(create(engine, admission=admission.Admission(at_once=1, most_waiting=1)))
    yield made
    made.close()


def hang_up_after(url: str, word: str) -> None:
    """Ask for events, and close the connection once one of this kind came."""
    with (
        httpx.Client(timeout=PATIENCE) as client,
        client.stream("POST", url + ASK, json={"question": QUESTION}, headers=STREAM) as reply,
    ):
        assert reply.status_code == 200
        for line in reply.iter_lines():
            if line == f"event: {word}":
                return
    raise AssertionError(f"no {word} came")


def test_hanging_up_in_the_middle_of_a_stream_stops_the_model(served: Served, slow: SlowReader) -> None:
    hang_up_after(served.url, "token")
    assert slow.left.wait(PATIENCE)
    assert slow.written < slow.most
    until(lambda: not questions_running())
    assert httpx.get(served.url + "/health/live").status_code == 200


def test_hanging_up_on_a_json_answer_stops_the_model(served: Served, slow: SlowReader) -> None:
    body = json.dumps({"question": QUESTION}).encode()
    head = f"POST {ASK} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    with socket.create_connection((served.host, served.port)) as connection:
        connection.sendall(head.encode() + body)
        until(lambda: slow.written)
    assert slow.left.wait(PATIENCE)
    assert slow.written < slow.most
    until(lambda: not questions_running())


class StuckEmbedder(BagEmbedder):
    """Is within one long step until it is stopped: then there is no first event yet."""

    def __init__(self) -> None:
        super().__init__()
        self.stuck = StuckReader()

    def embed_queries(self, texts: Sequence[str]) -> Any:
        self.stuck.judge("", texts)


@pytest.mark.parametrize(
    ("path", "headers", "body"),
    [
        (ASK, {}, {"question": QUESTION}),
        (ASK, STREAM, {"question": QUESTION}),
        ("/v1/chat/completions", {}, {"model": "rag", "stream": True, "messages": [{"role": "user", "content": QUESTION}]}),
    ],
)
def test_hanging_up_before_the_first_event_stops_the_question(
    engine: Engine, path: str, headers: dict[str, str], body: dict[str, Any]
) -> None:
    engine.models.embedder = embedder = StuckEmbedder()  # type: ignore[assignment]
    with closing(Served(create(engine))) as made, socket.create_connection((made.host, made.port)) as connection:
        raw = json.dumps(body).encode()
        lines = {"Host": "localhost", "Content-Type": "application/json", "Content-Length": len(raw), **headers}
        head = "\r\n".join([f"POST {path} HTTP/1.1", *(f"{name}: {value}" for name, value in lines.items())])
        connection.sendall(f"{head}\r\n\r\n".encode() + raw)
        assert embedder.stuck.working.wait(PATIENCE)
        connection.close()
        assert embedder.stuck.left.wait(PATIENCE)
        until(lambda: not questions_running())


def test_hanging_up_reaches_a_model_that_is_within_a_step(engine: Engine) -> None:
    """No event is sent between the evidence and the first token, so a disconnect is not noticed by sending."""
    engine.models.reader = stuck = StuckReader()
    made = Served(create(engine))
    with (
        httpx.Client(timeout=PATIENCE) as client,
        client.stream("POST", made.url + ASK, json={"question": QUESTION}, headers=STREAM) as reply,
    ):
        lines = reply.iter_lines()  # kept: httpx disconnects when it is garbage collected
        assert next(lines) == "event: evidence"
        assert stuck.working.wait(PATIENCE)
    assert stuck.left.wait(PATIENCE)
    until(lambda: not questions_running())
    made.close()


def test_a_question_that_waits_gets_evidence_and_one_too_many_is_refused(served: Served, slow: SlowReader) -> None:
    with (
        httpx.Client(timeout=PATIENCE) as client,
        client.stream("POST", served.url + ASK, json={"question": QUESTION}, headers=STREAM) as reply,
    ):
        lines = reply.iter_lines()  # kept: httpx disconnects when it is garbage collected
        assert next(lines) == "event: evidence"
        # The second waits for the model. It gets the evidence all the same, and leaves the queue when it disconnects.
        for _ in range(2):
            hang_up_after(served.url, "evidence")
            until(lambda: questions_running() == 1)
        with client.stream("POST", served.url + ASK, json={"question": QUESTION}, headers=STREAM) as second:
            more = second.iter_lines()
            assert next(more) == "event: evidence"
            assert next(line for line in more if line.startswith("event")) == "event: waiting"
            assert json.loads(next(more).removeprefix("data: ")) == {"before": 1}
            for headers in ({}, STREAM):
                third = httpx.post(served.url + ASK, json={"question": QUESTION}, headers=headers, timeout=PATIENCE)
                assert_problem(third, 429, "2 questions are ahead of this one")
                assert int(third.headers["retry-after"]) > 0
            # Search needs no model.
            assert httpx.post(served.url + SEARCH, json={"question": "Venezuela"}, timeout=PATIENCE).status_code == 200
    until(lambda: not questions_running())


@pytest.mark.slow("waits for a slow reader")
def test_a_service_that_stops_leaves_no_question(engine: Engine, slow: SlowReader) -> None:
    made = Served(create(engine))
    made.server.config.timeout_graceful_shutdown = 1
    with (
        httpx.Client(timeout=PATIENCE) as client,
        client.stream("POST", made.url + ASK, json={"question": QUESTION}, headers=STREAM) as reply,
    ):
        lines = reply.iter_lines()  # kept: httpx disconnects when it is garbage collected
        assert next(lines) == "event: evidence"
        until(lambda: slow.written)
        made.close()
    assert slow.left.wait(PATIENCE)
    until(lambda: not questions_running())
