"""The address that the service listens on: taking it, and finding out whether it is free. Knows nothing of HTTP.

An OpenAI-compatible endpoint as a user names it: `http://127.0.0.1:11434/v1#qwen2.5:3b`. Pure: nobody is asked.
"""

import errno
import ipaddress
import os
import re
import socket
from dataclasses import dataclass
from urllib.parse import urlsplit

from rag.errors import QuestionError, StorageError

# Connections that may wait until they are taken.
_BACKLOG = 2048


def listen(host: str, port: int) -> list[socket.socket]:
    """Sockets that listen on the port at all addresses of the host (`localhost` has two). Port 0 is any that is free.

    Raises StorageError with what mends it.
    """
    opened: list[socket.socket] = []
    try:
        for family, address in _addresses(host, port):
            if opened and not port:  # each address would get a port of its own
                break
            opened += _opened(family, address, optional=bool(opened))
    except OSError as error:
        _close(opened)
        # The text of create_server's errors is long, and tells the address again.
        why = error.strerror if isinstance(error, socket.gaierror) or not error.errno else os.strerror(error.errno)
        raise StorageError(f"{shown(host, port)} cannot be listened on ({why})", _hint_for(error)) from error
    return opened


def is_free(host: str, port: int) -> bool:
    """Whether the address could be listened on now; whether the host is one of this machine is not asked."""
    try:
        _close(listen(host, port))
    except StorageError as error:
        return not (isinstance(error.__cause__, OSError) and error.__cause__.errno == errno.EADDRINUSE)
    return True


def shown(host: str, port: int) -> str:
    """The address as it stands in a URL."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _addresses(host: str, port: int) -> list[tuple[int, tuple[str, int]]]:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    return list(dict.fromkeys((family, (str(address[0]), int(address[1]))) for family, _, _, _, address in found))


def _opened(family: int, address: tuple[str, int], *, optional: bool) -> list[socket.socket]:
    try:
        return [socket.create_server(address, family=family, backlog=_BACKLOG)]
    except OSError as error:
        if optional and error.errno in {
            errno.EADDRNOTAVAIL,
            errno.EAFNOSUPPORT,
        }:  # a machine without IPv6 names it all the same
            return []
        raise


def _close(sockets: list[socket.socket]) -> None:
    for opened in sockets:
        opened.close()


def _hint_for(error: OSError) -> str:
    if isinstance(error, socket.gaierror) or error.errno == errno.EADDRNOTAVAIL:
        return "set RAG_HOST or --host to an address of this machine, as 127.0.0.1"
    return "set RAG_PORT or --port to a free one"


_ADDRESS = re.compile(r"https?://", re.IGNORECASE)
_HINT = "set RAG_LLM to one such as http://127.0.0.1:8080/v1 or http://127.0.0.1:11434/v1#qwen2.5:3b"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a language model is served. `url` has neither credentials nor a slash at its end; `host` is of it.

    `model` is the name by which the endpoint knows it, empty where the first that it has is meant.
    """

    url: str
    host: str
    model: str

    @property
    def local(self) -> bool:
        """Whether the address itself says that it is on this machine."""
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost" or self.host.endswith(".localhost")

    def __str__(self) -> str:
        return f"{self.url}#{self.model}" if self.model else self.url


def parse(name: str) -> Endpoint | None:
    """The endpoint whose address `name` is; None where it is no address of the web.

    Raises QuestionError for an address that cannot be one. It does not repeat the address, which may hold a password.
    """
    if not _ADDRESS.match(name):
        return None
    try:
        parts = urlsplit(name)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise QuestionError("llm is no address that can be", _HINT) from error
    if not host or not name.isprintable() or " " in name:
        raise QuestionError("llm is no address that can be", _HINT)
    if "@" in parts.netloc:
        raise QuestionError("llm holds a user or a password", "name the address alone in RAG_LLM, and the key in RAG_LLM_KEY")
    if parts.query:
        raise QuestionError("llm is an address with a query", _HINT)
    shown = f"[{host}]" if ":" in host else host
    place = shown if port is None else f"{shown}:{port}"
    return Endpoint(f"{parts.scheme}://{place}{parts.path.rstrip('/')}", host, parts.fragment)
