"""Network addresses: parses those that users name, and opens listening sockets.

It also recognises the names of this machine. It knows no HTTP, and connects to nothing.
"""

import errno
import os
import re
import socket
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address
from urllib.parse import urlsplit

from rag.errors import QuestionError, StorageError

# Connections that may wait until the service accepts them.
_BACKLOG = 2048
# No public domain can end in `.localhost` (RFC 6761).
_LOCALHOST = re.compile(r"(?:[\w-]+\.)*localhost")


def is_loopback(host: str) -> bool:
    """Whether a host name or address reaches this machine only: `localhost`, `x.localhost`, `127.0.0.1`, `::1` or `[::1]`.

    No name is resolved: a name that resolves to this machine now may resolve to another one at the next request.
    """
    name = host.lower().removesuffix(".")
    if _LOCALHOST.fullmatch(name):
        return True
    try:
        address = IPv6Address(name[1:-1]) if name.startswith("[") and name.endswith("]") else ip_address(name)
    except ValueError:
        return False
    # Python before 3.13 does not count ::ffff:127.0.0.1 as loopback.
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return (mapped or address).is_loopback


def listen(host: str, port: int) -> list[socket.socket]:
    """Listening sockets on `port` at every address of `host` (`localhost` has two). Port 0 is any free port.

    Raises StorageError.
    """
    opened: list[socket.socket] = []
    try:
        for family, address in _addresses(host, port):
            if opened and not port:  # each address would get a port of its own
                break
            opened += _opened(family, address, optional=bool(opened))
    except OSError as error:
        _close(opened)
        # create_server's own message is long, and repeats the address.
        why = error.strerror if isinstance(error, socket.gaierror) or not error.errno else os.strerror(error.errno)
        raise StorageError(f"cannot listen on {shown(host, port)} ({why})", _hint_for(error)) from error
    return opened


def is_free(host: str, port: int) -> bool:
    """Whether no other program listens on the port. A host that is not of this machine counts as free."""
    try:
        _close(listen(host, port))
    except StorageError as error:
        return not (isinstance(error.__cause__, OSError) and error.__cause__.errno == errno.EADDRINUSE)
    return True


def shown(host: str, port: int) -> str:
    """`host:port` as in a URL, with an IPv6 address in brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _addresses(host: str, port: int) -> list[tuple[int, tuple[str, int]]]:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    return list(dict.fromkeys((family, (str(address[0]), int(address[1]))) for family, _, _, _, address in found))


def _opened(family: int, address: tuple[str, int], *, optional: bool) -> list[socket.socket]:
    try:
        return [socket.create_server(address, family=family, backlog=_BACKLOG)]
    except OSError as error:
        # A machine without IPv6 still lists an IPv6 address for `localhost`.
        if optional and error.errno in {errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT}:
            return []
        raise


def _close(sockets: list[socket.socket]) -> None:
    for opened in sockets:
        opened.close()


def _hint_for(error: OSError) -> str:
    if isinstance(error, socket.gaierror) or error.errno == errno.EADDRNOTAVAIL:
        return "set RAG_HOST or --host to an address of this machine, as 127.0.0.1"
    return "set RAG_PORT or --port to a free port"


_URL = re.compile(r"https?://", re.IGNORECASE)
_HINT = "set RAG_LLM to one such as http://127.0.0.1:8080/v1 or http://127.0.0.1:11434/v1#qwen2.5:3b"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An OpenAI-compatible endpoint that serves a language model, as in `http://127.0.0.1:11434/v1#qwen2.5:3b`.

    `url` has no credentials and no trailing slash; `host` is its host. `model` is the model's name at the endpoint; where it is
    empty, the first model that the endpoint lists is used.
    """

    url: str
    host: str
    model: str

    @property
    def local(self) -> bool:
        """Whether the URL itself names this machine."""
        return is_loopback(self.host)

    def __str__(self) -> str:
        return f"{self.url}#{self.model}" if self.model else self.url


def parse(name: str) -> Endpoint | None:
    """The endpoint that the URL `name` stands for; None where `name` is not an HTTP URL.

    Raises QuestionError for a URL that is not valid. The message does not repeat it, for it may hold a password.
    """
    if not _URL.match(name):
        return None
    try:
        parts = urlsplit(name)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise QuestionError("llm is not a valid URL", _HINT) from error
    if not host or not name.isprintable() or " " in name:
        raise QuestionError("llm is not a valid URL", _HINT)
    if "@" in parts.netloc:
        raise QuestionError(
            "llm contains a user name or password", "put only the URL into RAG_LLM, and the key into RAG_LLM_KEY"
        )
    if parts.query:
        raise QuestionError("llm is a URL with a query string", _HINT)
    bracketed = f"[{host}]" if ":" in host else host
    place = bracketed if port is None else f"{bracketed}:{port}"
    return Endpoint(f"{parts.scheme}://{place}{parts.path.rstrip('/')}", host, parts.fragment)
