"""The way to an endpoint, to a real server that misbehaves in every way we know."""

import socket
import time
from collections.abc import Callable, Iterator
from threading import Event, Thread, Timer
from typing import Any

import pytest

from rag import stopping
from rag.address import parse
from rag.answering.endpoint import transport
from rag.answering.endpoint.transport import Connection
from rag.errors import EndpointError, EndpointRefused, EndpointUnavailable
from rag.stopping import Stop, Stopped
from tests.answering.serving import PATIENCE, Endpoint, Handler, served

KEY = "sk-s3cret"
BODY = {
    "model": "tiny",
    "messages": [{"role": "system", "content": ""}, {"role": "user", "content": "Text: Ada.\n\nQuestion: Apa?\nJawab."}],
}
STREAM = BODY | {"stream": True}


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    with served() as opened:
        yield opened


@pytest.fixture
def opened(endpoint: Endpoint) -> Iterator[Connection]:
    made = connect(endpoint.url)
    yield made
    made.close()


def connect(url: str) -> Connection:
    address = parse(url)
    assert address is not None
    return Connection(address, KEY)


def failing(status: int, value: object = None, **headers: str) -> Any:
    return lambda handler, _: handler.fail(status, value, **headers)


def test_the_key_goes_into_the_header_and_the_models_are_named(endpoint: Endpoint, opened: Connection) -> None:
    endpoint.key = KEY
    assert opened.models() == ["tiny", "large"]
    opened.complete(BODY)
    assert endpoint.keys == [f"Bearer {KEY}"]


def test_an_endpoint_that_asks_for_no_key_is_sent_none(endpoint: Endpoint) -> None:
    address = parse(endpoint.url)
    assert address is not None
    without = Connection(address, "")
    without.complete(BODY)
    without.close()
    assert endpoint.keys == [None]


@pytest.mark.parametrize(
    ("instead", "kind", "message"),
    [
        (failing(401, {"error": KEY}), EndpointError, r"refuses access \(HTTP 401\); set RAG_LLM_KEY"),
        (failing(403), EndpointError, r"refuses access \(HTTP 403\); set RAG_LLM_KEY"),
        (failing(400, {"error": {"message": "long"}}), EndpointRefused, r"refuses the question \(HTTP 400\): long; .*log"),
        (failing(500, b"<html>oops</html>"), EndpointRefused, r"refuses the question \(HTTP 500\); .*log"),
        (failing(413), EndpointError, r"cannot answer \(HTTP 413\); "),
        (failing(429, {"error": "slow"}, Retry_After="7"), EndpointUnavailable, "is overloaded: slow; ask again in 7 seconds"),
        (failing(429, Retry_After="Wed, 21 Oct"), EndpointUnavailable, "is overloaded; ask again later"),
        (failing(503, {"error": {"message": "Loading"}}), EndpointUnavailable, r"\(HTTP 503\): Loading; "),
        (failing(502, b"\xff\xfe"), EndpointUnavailable, r"cannot answer \(HTTP 502\); "),
        (failing(301, Location="http://else.where/v1"), EndpointError, "redirects to http://else.where/v1; name that address"),
        (failing(404, {"error": "no 'tiny'"}), EndpointError, "no 'tiny'; name one in RAG_LLM after `#`, of tiny, large"),
    ],
)
def test_a_failure_is_one_line_that_says_how_to_fix_it(
    endpoint: Endpoint, opened: Connection, instead: Any, kind: type[EndpointError], message: str
) -> None:
    endpoint.instead = instead
    for ask in (lambda: opened.complete(BODY), lambda: next(opened.write(STREAM, 9))):
        with pytest.raises(EndpointError, match=message) as caught:
            ask()
        assert type(caught.value) is kind
        assert "\n" not in str(caught.value)
        assert KEY not in str(caught.value)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (b"rubbish", "not of the expected form: it is not JSON; set RAG_LLM"),
        (b" " * 4_100_000, "not of the expected form: it is too long; set RAG_LLM"),
        ({"error": "no"}, "the endpoint failed: no; its own log"),
    ],
)
def test_a_reply_of_another_form_is_an_error(endpoint: Endpoint, opened: Connection, value: object, message: str) -> None:
    endpoint.instead = lambda handler, _: handler.reply(value)
    with pytest.raises(EndpointError, match=message):
        opened.complete(BODY)


def test_a_failure_that_repeats_the_key_is_reported_without_it(endpoint: Endpoint, opened: Connection) -> None:
    endpoint.instead = failing(400, {"error": f"Authorization: Bearer {KEY} is odd"})
    with pytest.raises(EndpointRefused, match="Bearer … is odd") as caught:
        opened.complete(BODY)
    assert KEY not in str(caught.value)
    assert KEY not in repr(caught.value.__cause__)


def test_nothing_is_asked_twice(endpoint: Endpoint, opened: Connection) -> None:
    endpoint.instead = failing(503)
    with pytest.raises(EndpointUnavailable):
        opened.complete(BODY)
    assert len(endpoint.heard) == 1


def test_an_address_where_nothing_listens_is_reported() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        opened = connect(f"http://127.0.0.1:{free.getsockname()[1]}/v1")
        with pytest.raises(EndpointUnavailable, match=r"nothing answers at http://127.*refused.*; start it, or name another"):
            opened.models()
        opened.close()


def test_an_unknown_host_is_reported() -> None:
    opened = connect("http://tiada.invalid/v1")
    with pytest.raises(EndpointUnavailable, match=r"nothing answers at http://tiada\.invalid/v1"):
        opened.models()
    opened.close()


def test_an_address_that_is_no_such_endpoint_is_reported(endpoint: Endpoint) -> None:
    opened = connect(endpoint.url.removesuffix("/v1"))
    for ask in (opened.models, lambda: opened.complete(BODY)):
        with pytest.raises(
            EndpointError, match=r"no OpenAI-compatible endpoint at .*; set RAG_LLM to its address, mostly with /v1"
        ):
            ask()
    opened.close()


def test_a_server_that_is_not_http_is_reported() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        opened = connect(f"http://127.0.0.1:{listening.getsockname()[1]}/v1")
        listening.settimeout(PATIENCE)

        def greet() -> None:
            client, _ = listening.accept()
            with client:
                client.sendall(b"220 mail.example.com ESMTP\r\n")

        greeter = Thread(target=greet)
        greeter.start()
        with pytest.raises(EndpointError, match="closed the connection before the reply was complete"):
            opened.models()
        greeter.join()
        opened.close()


def test_silence_ends_at_some_time(endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "_SILENCE", 0.2)
    endpoint.may_go_on.clear()
    opened = connect(endpoint.url)
    pieces = opened.write(STREAM, 9)
    assert next(pieces)
    with pytest.raises(EndpointUnavailable, match="sent nothing for 0 seconds; ask again"):
        list(pieces)
    opened.close()


def test_a_piece_is_reported_before_the_next_is_written(endpoint: Endpoint, opened: Connection) -> None:
    endpoint.may_go_on.clear()
    endpoint.instead = lambda handler, _: handler.write(["Satu ", "dua."])
    pieces = opened.write(STREAM, 9)
    assert next(pieces) == "Satu "
    endpoint.may_go_on.set()
    assert list(pieces) == ["dua."]


def test_an_answer_that_is_cut_in_the_middle_is_an_error_after_its_pieces(endpoint: Endpoint, opened: Connection) -> None:
    endpoint.instead = lambda handler, _: handler.write(["Satu "], ending=False)
    pieces = opened.write(STREAM, 9)
    assert next(pieces) == "Satu "
    with pytest.raises(EndpointError, match="closed the connection before the reply was complete"):
        next(pieces)


def test_leaving_early_closes_the_connection(endpoint: Endpoint, opened: Connection) -> None:
    def endless(handler: Handler, _: dict[str, Any]) -> None:
        handler.begin()
        try:
            while True:
                handler.event({"choices": [{"delta": {"content": "kata "}}]})
                time.sleep(0.001)
        except OSError:
            endpoint.left_alone.set()

    endpoint.instead = endless
    pieces = opened.write(STREAM, 9)
    assert next(pieces) == "kata "
    pieces.close()
    assert endpoint.left_alone.wait(PATIENCE)


def silent(asked: Event, left: Event) -> Callable[[Handler, dict[str, Any]], None]:
    """Never answers, and notices when the other side has gone."""

    def wait(handler: Handler, _: dict[str, Any]) -> None:
        asked.set()
        handler.connection.settimeout(PATIENCE)
        if handler.connection.recv(1) == b"":
            left.set()
        handler.close_connection = True

    return wait


@pytest.mark.parametrize("way", ["complete", "write"])
def test_a_stop_closes_the_connection_while_nothing_has_come_yet(endpoint: Endpoint, opened: Connection, way: str) -> None:
    asked, left, stop, ended = Event(), Event(), Stop(), []

    def ask() -> None:
        with stopping.by(stop):
            try:
                opened.complete(BODY) if way == "complete" else list(opened.write(STREAM, 9))
            except Stopped as stopped:
                ended.append(stopped)

    endpoint.instead = silent(asked, left)
    thread = Thread(target=ask)
    thread.start()
    assert asked.wait(PATIENCE)
    stop.set()
    thread.join(PATIENCE)
    assert ended
    assert left.wait(PATIENCE)
    endpoint.instead = None
    assert opened.complete(BODY)


def test_a_stop_between_two_pieces_is_heard_too(endpoint: Endpoint, opened: Connection) -> None:
    endpoint.may_go_on.clear()
    stop = Stop()
    with stopping.by(stop):
        pieces = opened.write(STREAM, 9)
        assert next(pieces)
        Timer(0.05, stop.set).start()
        with pytest.raises(Stopped):
            list(pieces)
    endpoint.may_go_on.set()


def test_what_was_stopped_before_asks_nobody_for_long(endpoint: Endpoint, opened: Connection) -> None:
    stop = Stop()
    stop.set()
    endpoint.instead = silent(Event(), Event())
    with stopping.by(stop), pytest.raises(Stopped):
        opened.complete(BODY)


def test_half_a_character_in_a_question_is_sent_as_something(endpoint: Endpoint, opened: Connection) -> None:
    message = {"role": "user", "content": "Text: a\ud800b\n\nQuestion: Apa?\nJawab."}
    opened.complete(BODY | {"messages": [message, message]})
    assert "a?b" in endpoint.heard[0]["messages"][1]["content"]


def test_what_stays_on_this_machine_goes_through_no_proxy(endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    with served() as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url.removesuffix("/v1"))
        for name in ("no_proxy", "NO_PROXY"):
            monkeypatch.delenv(name, raising=False)
        opened = connect(endpoint.url)
        assert opened.models() == ["tiny", "large"]
        opened.close()
        assert (endpoint.asked_for_models, proxy.asked_for_models) == (1, 0)


def test_a_redirect_is_not_followed(endpoint: Endpoint, opened: Connection) -> None:
    with served() as other:
        endpoint.instead = failing(307, None, Location=other.url + "/chat/completions")
        with pytest.raises(EndpointError, match="redirects to"):
            opened.complete(BODY)
        assert other.heard == []
