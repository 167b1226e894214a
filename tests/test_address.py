import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag import address
from rag.address import Endpoint, is_loopback, parse
from rag.errors import QuestionError, StorageError
from rag.weights.catalogue import LLM

LOOPBACK = [
    "localhost",
    "LocalHost",
    "localhost.",
    "x.localhost",
    "a.b-c.localhost.",
    "127.0.0.1",
    "127.9.9.9",
    "127.0.0.1.",
    "::1",
    "[::1]",
    "0:0:0:0:0:0:0:1",
    "::ffff:127.0.0.1",
    "[::ffff:127.0.0.1]",
]
OTHERS = [
    "",
    ".",
    ".localhost",
    "notlocalhost",
    "localhost.example",
    "localhost\n",
    "localhost:80",
    "0.0.0.0",
    "::",
    "[::]",
    "8.8.8.8",
    "192.168.1.2",
    "127.0.0.1.example",
    "::ffff:8.8.8.8",
    "::1]",
    "[::1",
    "[127.0.0.1]",
    "[localhost]",
    "evil.com@127.0.0.1",
    "evil.com@x.localhost",
    "evil.com/x.localhost",
    "evil.com?x.localhost",
    "evil.com#.localhost",
    "evil.com\\.localhost",
    "evil com.localhost",
]


@pytest.mark.parametrize("host", LOOPBACK)
def test_a_loopback_host_reaches_this_machine_only(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize("host", OTHERS)
def test_any_other_host_may_reach_another_machine(host: str) -> None:
    assert not is_loopback(host)


def test_what_listens_is_reached() -> None:
    (opened,) = address.listen("127.0.0.1", 0)
    with opened, socket.create_connection(opened.getsockname(), timeout=60):
        taken, _ = opened.accept()
        taken.close()


def test_an_address_in_use_is_an_error_and_not_free() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert not address.is_free("127.0.0.1", port)
        with pytest.raises(StorageError, match=f"cannot listen on 127.0.0.1:{port} .*; set RAG_PORT or --port to a free port"):
            address.listen("127.0.0.1", port)
    assert address.is_free("127.0.0.1", port)


def test_a_port_that_one_address_of_the_host_has_is_not_taken_by_half() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(StorageError, match="cannot listen on"):
        address.listen("localhost", taken.getsockname()[1])


@pytest.mark.parametrize("host", ["192.0.2.1", "no.such.host.invalid"])
def test_an_address_of_another_machine_or_of_none_is_an_error(host: str) -> None:
    with pytest.raises(StorageError, match="set RAG_HOST or --host to an address of this machine"):
        address.listen(host, 0)
    assert address.is_free(host, 0)


def test_an_address_of_ipv6_stands_in_brackets() -> None:
    assert (address.shown("::1", 80), address.shown("localhost", 80)) == ("[::1]:80", "localhost:80")


@pytest.mark.parametrize(
    ("name", "url", "model"),
    [
        ("http://127.0.0.1:8080/v1", "http://127.0.0.1:8080/v1", ""),
        ("http://127.0.0.1:8080/v1/", "http://127.0.0.1:8080/v1", ""),
        ("HTTP://Localhost:11434/v1#qwen2.5:3b", "http://localhost:11434/v1", "qwen2.5:3b"),
        ("https://api.openai.com/v1#gpt-4o-mini", "https://api.openai.com/v1", "gpt-4o-mini"),
        ("http://[::1]:8000/v1#meta-llama/Llama-3", "http://[::1]:8000/v1", "meta-llama/Llama-3"),
    ],
)
def test_an_address_and_the_models_name(name: str, url: str, model: str) -> None:
    endpoint = parse(name)
    assert endpoint is not None
    assert (endpoint.url, endpoint.model) == (url, model)
    assert parse(str(endpoint)) == endpoint


@pytest.mark.parametrize("name", [LLM, "", "orang/model:file.gguf", "/home/x/model.gguf", "ftp://x", "http:/x", "httpx://x"])
def test_what_is_no_address_of_the_web_is_no_endpoint(name: str) -> None:
    assert parse(name) is None


@pytest.mark.parametrize(
    "name",
    [
        "http://",
        "http:///v1",
        "http://x:y/v1",
        "http://x:99999/v1",
        "http://[::1/v1",
        "http://a b/v1",
        "http://x/v1\n",
        "http://x/v1?k=s3cret",
    ],
)
def test_an_address_that_cannot_be_says_how_one_looks(name: str) -> None:
    with pytest.raises(QuestionError, match=r"set RAG_LLM to one such as http://127\.0\.0\.1:8080/v1") as caught:
        parse(name)
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize("name", ["http://me:s3cret@x/v1", "http://s3cret@x/v1", "http://me:s3cret#@x/v1"])
def test_a_password_is_refused_and_not_repeated(name: str) -> None:
    with pytest.raises(QuestionError) as caught:
        parse(name)
    assert "s3cret" not in str(caught.value)


@given(st.text().map(lambda rest: "http://" + rest))
def test_any_address_is_an_endpoint_or_refused(name: str) -> None:
    try:
        endpoint = parse(name)
    except QuestionError:
        return
    assert isinstance(endpoint, Endpoint)
    assert "@" not in endpoint.url.split("/")[2]


@pytest.mark.parametrize(
    ("name", "local"),
    [
        ("http://127.0.0.1/v1", True),
        ("http://127.9.9.9:1/v1", True),
        ("http://[::1]/v1", True),
        ("http://localhost/v1", True),
        ("http://model.localhost/v1", True),
        ("http://localhost./v1", True),
        ("http://[::ffff:127.0.0.1]/v1", True),
        ("http://localhost.example.com/v1", False),
        ("http://192.168.1.7/v1", False),
        ("https://api.openai.com/v1", False),
    ],
)
def test_only_a_loopback_address_is_on_this_machine(name: str, *, local: bool) -> None:
    endpoint = parse(name)
    assert endpoint is not None
    assert endpoint.local is local
