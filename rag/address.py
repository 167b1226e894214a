"""The address that the service listens on: taking it, and finding out whether it is free. Knows nothing of HTTP."""

import errno
import os
import socket

from rag.errors import StorageError

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
        raise StorageError(f"{shown(host, port)} cannot be listened on ({why})", _mend(error)) from error
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


def _mend(error: OSError) -> str:
    if isinstance(error, socket.gaierror) or error.errno == errno.EADDRNOTAVAIL:
        return "set RAG_HOST or --host to an address of this machine, as 127.0.0.1"
    return "set RAG_PORT or --port to a free one"
