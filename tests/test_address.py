import socket

import pytest

from rag import address
from rag.errors import StorageError


def test_what_listens_is_reached() -> None:
    (opened,) = address.listen("127.0.0.1", 0)
    with opened, socket.create_connection(opened.getsockname(), timeout=60):
        taken, _ = opened.accept()
        taken.close()


def test_one_that_is_taken_is_told_and_is_not_free() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert not address.is_free("127.0.0.1", port)
        with pytest.raises(StorageError, match=f"127.0.0.1:{port} cannot be listened on .*; set RAG_PORT or --port to a free"):
            address.listen("127.0.0.1", port)
    assert address.is_free("127.0.0.1", port)


def test_a_port_that_one_address_of_the_host_has_is_not_taken_by_half() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(StorageError, match="cannot be listened on"):
        address.listen("localhost", taken.getsockname()[1])


@pytest.mark.parametrize("host", ["192.0.2.1", "no.such.host.invalid"])
def test_an_address_of_no_machine_or_another_is_told(host: str) -> None:
    with pytest.raises(StorageError, match="set RAG_HOST or --host to an address of this machine"):
        address.listen(host, 0)
    assert address.is_free(host, 0)


def test_an_address_of_ipv6_stands_in_brackets() -> None:
    assert (address.shown("::1", 80), address.shown("localhost", 80)) == ("[::1]:80", "localhost:80")
