"""The way to an endpoint, over HTTP: three requests, and every failure in our words. The only importer of httpx.

Nothing is tried twice: a question that is put again may be paid again, and a server that refuses a connection refuses the next.
Redirects are not followed: documents go where the user said, and nowhere else.
"""

import json
import socket
import weakref
from collections.abc import Generator, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import httpx

from rag import stopping
from rag.address import Endpoint
from rag.answering.endpoint import completions
from rag.answering.endpoint.completions import Json
from rag.errors import EndpointError, EndpointRefused, EndpointUnavailable

# Seconds until a connection stands, and between two tokens: a slow processor reads a passage, or a model's file, first.
_CONNECT, _SILENCE = 5.0, 120.0
# Seconds until the names of the models are there: for those nothing is read or loaded.
_NAMES = 10.0
_MOST_BYTES = 4_000_000
_UNKNOWN, _TOO_MANY = 404, 429
_NOT_LET_IN = (401, 403)
# Where a request that asks for less may succeed: llama-cpp-python answers 500 where it was not told to keep probabilities.
_REFUSALS = (400, 415, 422, 500, 501)
_ITS_LOG = "the endpoint's own log says more; `rag doctor` tries it"


class Connection:
    """To one endpoint. Safe to use from several threads."""

    def __init__(self, endpoint: Endpoint, key: str) -> None:
        """`key` goes into the header of each request and nowhere else; empty for an endpoint that asks for none."""
        self.endpoint, self._key = endpoint, key
        self._client = httpx.Client(
            headers={"Authorization": f"Bearer {key}"} if key else {},
            # Each request has a connection of its own, so whoever stops it knows which one to shut; and none has gone stale.
            limits=httpx.Limits(max_keepalive_connections=0),
            # A proxy of the environment is a way out of this machine: what stays on it does not go there.
            trust_env=not endpoint.local,
        )
        # Nobody closes an engine: its connections end with it.
        self._closing = weakref.finalize(self, self._client.close)

    def models(self) -> list[str]:
        """The names of the models that are served. Raises EndpointError."""
        with self._replied("GET", "/models", None, _NAMES) as response:
            return completions.model_names(completions.decoded(_whole(response)))

    def complete(self, body: Json) -> Json:
        """The whole reply. Raises EndpointError; EndpointRefused where the request itself is not taken."""
        with self._replied("POST", "/chat/completions", body, _SILENCE) as response:
            return completions.decoded(_whole(response))

    def write(self, body: Json, tokens: int) -> Generator[str, None, bool]:
        """The answer as it is written; returns whether it is cut. Raises EndpointError, also after some pieces.

        Leave the iterator early and the connection is closed, by which a server stops its model.
        """
        with self._replied("POST", "/chat/completions", body, _SILENCE) as response:
            return (yield from completions.pieces(completions.events(response.iter_bytes()), tokens))

    def close(self) -> None:
        """Close what is open."""
        self._closing()

    @contextmanager
    def _replied(self, method: str, path: str, body: Json | None, silence: float) -> Iterator[httpx.Response]:
        """The reply, whose status is 200. Raises EndpointError for all that goes wrong until it is read, without the key.

        What stops the work of the thread shuts the connection, also while nothing has come yet, and raises Stopped.
        """
        # Halves of characters, which a document may hold, have no bytes.
        content = None if body is None else json.dumps(body, ensure_ascii=False).encode("utf-8", "replace")
        headers = {"Content-Type": "application/json"} if content else {}
        way = _Way()
        more: dict[str, Any] = {"extensions": {"trace": way.trace}, "timeout": httpx.Timeout(silence, connect=_CONNECT)}
        url = self.endpoint.url + path
        try:
            with (
                stopping.current().telling(way.shut),
                self._client.stream(method, url, content=content, headers=headers, **more) as response,
            ):
                if response.status_code != httpx.codes.OK:
                    raise self._failure(response, path)
                yield response
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            stopping.current().check()
            raise self._broken(error, silence) from error
        except EndpointError as error:
            stopping.current().check()
            if self._key and self._key in error.problem:
                raise type(error)(error.problem.replace(self._key, "…"), error.hint) from None
            raise

    def _broken(self, error: Exception, silence: float) -> EndpointError:
        """A failure of the network."""
        url, reason = self.endpoint.url, completions.complaint(str(error) or type(error).__name__)
        match error:
            case httpx.ConnectError() | httpx.ConnectTimeout() | httpx.ProxyError():
                return EndpointUnavailable(f"nothing answers at {url} ({reason})", "start it, or name another in RAG_LLM")
            case httpx.TimeoutException():
                return EndpointUnavailable(f"{url} said nothing for {silence:.0f} seconds", "ask again, or see its log")
            case httpx.InvalidURL() | httpx.UnsupportedProtocol():
                return EndpointError(f"{url} is no address that can be ({reason})", "name another in RAG_LLM")
        return EndpointError(f"{url} broke off its reply ({reason})", "ask again; the endpoint's own log says why")

    def _failure(self, response: httpx.Response, path: str) -> EndpointError:
        """A reply that says no."""
        url, status = self.endpoint.url, response.status_code
        said = _complaint(response)
        if status in _NOT_LET_IN:
            # Nothing of what it says: some endpoints repeat half of the key.
            return EndpointError(f"{url} does not let us in (HTTP {status})", "set RAG_LLM_KEY to a key that it takes")
        if response.is_redirect:
            target = completions.complaint(response.headers.get("location", "elsewhere"))
            return EndpointError(f"{url} points to {target}", "name that address in RAG_LLM, if you trust it")
        if status == _UNKNOWN:
            return self._unknown(path, said)
        if status == _TOO_MANY:
            wait = response.headers.get("retry-after", "")
            hint = f"ask again in {wait} seconds" if wait.isdecimal() else "ask again later"
            return EndpointUnavailable(f"{url} has too many questions now{said}", hint)
        if status in _REFUSALS:
            return EndpointRefused(f"{url} refuses the question (HTTP {status}){said}", _ITS_LOG)
        kind = EndpointUnavailable if response.is_server_error else EndpointError
        return kind(f"{url} cannot answer (HTTP {status}){said}", _ITS_LOG)

    def _unknown(self, path: str, said: str) -> EndpointError:
        """There is no such model, or no such endpoint."""
        url = self.endpoint.url
        if path != "/models":
            try:
                known = ", ".join(self.models()[:8])
            except EndpointError:
                known = ""
            if known:
                return EndpointError(f"{url} does not have the model{said}", f"name one in RAG_LLM after `#`, of {known}")
        return EndpointError(f"there is no OpenAI-compatible endpoint at {url}", "set RAG_LLM to its address, mostly with /v1")


class _Way:
    """The socket of one request, from when there is one, for whoever shuts it from another thread."""

    def __init__(self) -> None:
        self._socket: socket.socket | None = None

    def trace(self, _event: str, told: dict[str, Any]) -> None:
        """Hears from httpx what was opened: the connection, and once more where it is encrypted."""
        opened = getattr(told.get("return_value"), "get_extra_info", None)
        if opened is not None:
            self._socket = opened("socket")
            if stopping.current().is_set:
                self.shut()

    def shut(self) -> None:
        """Wake whoever waits there. To close it would not: the system goes on waiting for what it no longer has."""
        if self._socket is not None:
            with suppress(OSError):  # it has ended by itself
                # Not the method of an encrypted one, which would change what the other thread is working with.
                socket.socket.shutdown(self._socket, socket.SHUT_RDWR)


def _whole(response: httpx.Response) -> bytes:
    """The body. Raises EndpointError where it has no end."""
    held = bytearray()
    for chunk in response.iter_bytes():
        held += chunk
        if len(held) > _MOST_BYTES:
            raise completions.malformed("it has no end")
    return bytes(held)


def _complaint(response: httpx.Response) -> str:
    """What a failing endpoint says, after a colon; empty where that is a page for browsers, or nothing."""
    try:
        raw = _whole(response)
        said = completions.complaint(json.loads(raw))
    except (EndpointError, httpx.HTTPError, ValueError, RecursionError):
        return ""
    return f": {said}" if said else ""
