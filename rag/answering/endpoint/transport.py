"""The HTTP connection to an endpoint: three requests, and every failure as an EndpointError. The only importer of httpx.

Nothing is retried: a repeated question may be billed again, and a server that refuses one connection refuses the next.
Redirects are not followed: documents are sent to the address that the user named, and nowhere else.
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

# Seconds to connect, and to wait for the next token: a slow processor first reads the passage, or even loads the model.
_CONNECT, _SILENCE = 5.0, 120.0
# Seconds to wait for the list of models, for which nothing is read or loaded.
_NAMES = 10.0
_MOST_BYTES = 4_000_000
_UNKNOWN, _TOO_MANY = 404, 429
_NO_ACCESS = (401, 403)
# Statuses after which a simpler request may succeed: llama-cpp-python answers 500 if it was started without probabilities.
_REFUSALS = (400, 415, 422, 500, 501)
_ITS_LOG = "the endpoint's own log says more; `rag doctor` tries it"


class Connection:
    """A connection to one endpoint. Safe to use from several threads."""

    def __init__(self, endpoint: Endpoint, key: str) -> None:
        """`key` is sent in the header of each request and goes nowhere else; empty if the endpoint needs none."""
        self.endpoint, self._key = endpoint, key
        self._client = httpx.Client(
            headers={"Authorization": f"Bearer {key}"} if key else {},
            # One connection per request: to stop a request is to shut its connection, and none is ever stale.
            limits=httpx.Limits(max_keepalive_connections=0),
            # A proxy would carry documents off this machine, so an endpoint on it is reached directly.
            trust_env=not endpoint.local,
        )
        # Not every engine is closed: then its connections end with it.
        self._closing = weakref.finalize(self, self._client.close)

    def models(self) -> list[str]:
        """The names of the models that the endpoint serves. Raises EndpointError."""
        with self._replied("GET", "/models", None, _NAMES) as response:
            return completions.model_names(completions.decoded(_whole(response)))

    def complete(self, body: Json) -> Json:
        """The whole reply. Raises EndpointError, or EndpointRefused if the endpoint rejects the request itself."""
        with self._replied("POST", "/chat/completions", body, _SILENCE) as response:
            return completions.decoded(_whole(response))

    def write(self, body: Json, tokens: int) -> Generator[str, None, bool]:
        """The answer as it is written. Returns whether it is cut. Raises EndpointError, also after some pieces.

        Closing the iterator closes the connection, and the server then stops its model.
        """
        with self._replied("POST", "/chat/completions", body, _SILENCE) as response:
            return (yield from completions.pieces(completions.events(response.iter_bytes()), tokens))

    def close(self) -> None:
        """Close all connections."""
        self._closing()

    @contextmanager
    def _replied(self, method: str, path: str, body: Json | None, silence: float) -> Iterator[httpx.Response]:
        """A reply with status 200. Raises EndpointError for all failures until it is read; messages never hold the key.

        Stopping the thread's work shuts the connection, even before the reply begins, and raises Stopped.
        """
        # Lone surrogates, which a document may hold, cannot be encoded.
        content = None if body is None else json.dumps(body, ensure_ascii=False).encode("utf-8", "replace")
        headers = {"Content-Type": "application/json"} if content else {}
        opened = _Socket()
        more: dict[str, Any] = {"extensions": {"trace": opened.trace}, "timeout": httpx.Timeout(silence, connect=_CONNECT)}
        url = self.endpoint.url + path
        try:
            with (
                stopping.current().telling(opened.shut),
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
        """The error for a network failure."""
        url, reason = self.endpoint.url, completions.complaint(str(error) or type(error).__name__)
        match error:
            case httpx.ConnectError() | httpx.ConnectTimeout() | httpx.ProxyError():
                return EndpointUnavailable(f"nothing answers at {url} ({reason})", "start it, or name another in RAG_LLM")
            case httpx.TimeoutException():
                return EndpointUnavailable(f"{url} sent nothing for {silence:.0f} seconds", "ask again, or see its log")
            case httpx.InvalidURL() | httpx.UnsupportedProtocol():
                return EndpointError(f"{url} is not a valid address ({reason})", "name another in RAG_LLM")
        return EndpointError(
            f"{url} closed the connection before the reply was complete ({reason})",
            "ask again; the endpoint's own log says why",
        )

    def _failure(self, response: httpx.Response, path: str) -> EndpointError:
        """The error for a reply whose status is not 200."""
        url, status = self.endpoint.url, response.status_code
        said = _complaint(response)
        if status in _NO_ACCESS:
            # Its message is not shown: some endpoints repeat half of the key.
            return EndpointError(f"{url} refuses access (HTTP {status})", "set RAG_LLM_KEY to a key that it takes")
        if response.is_redirect:
            target = completions.complaint(response.headers.get("location", "elsewhere"))
            return EndpointError(f"{url} redirects to {target}", "name that address in RAG_LLM, if you trust it")
        if status == _UNKNOWN:
            return self._unknown(path, said)
        if status == _TOO_MANY:
            wait = response.headers.get("retry-after", "")
            hint = f"ask again in {wait} seconds" if wait.isdecimal() else "ask again later"
            return EndpointUnavailable(f"{url} is overloaded{said}", hint)
        if status in _REFUSALS:
            return EndpointRefused(f"{url} refuses the question (HTTP {status}){said}", _ITS_LOG)
        kind = EndpointUnavailable if response.is_server_error else EndpointError
        return kind(f"{url} cannot answer (HTTP {status}){said}", _ITS_LOG)

    def _unknown(self, path: str, said: str) -> EndpointError:
        """The error for status 404: there is no such model, or no such endpoint."""
        url = self.endpoint.url
        if path != "/models":
            try:
                known = ", ".join(self.models()[:8])
            except EndpointError:
                known = ""
            if known:
                return EndpointError(f"{url} does not have the model{said}", f"name one in RAG_LLM after `#`, of {known}")
        return EndpointError(f"there is no OpenAI-compatible endpoint at {url}", "set RAG_LLM to its address, mostly with /v1")


class _Socket:
    """The socket of one request, once there is one, so that another thread can shut it."""

    def __init__(self) -> None:
        self._socket: socket.socket | None = None

    def trace(self, _event: str, info: dict[str, Any]) -> None:
        """Called by httpx when a connection was opened, and again when it was encrypted."""
        opened = getattr(info.get("return_value"), "get_extra_info", None)
        if opened is not None:
            self._socket = opened("socket")
            if stopping.current().is_set:
                self.shut()

    def shut(self) -> None:
        """Shut the socket, which wakes the thread that waits for it; closing the socket would not."""
        if self._socket is not None:
            with suppress(OSError):  # it has already ended
                # Not the method of an SSL socket, which would change the object that the other thread uses.
                socket.socket.shutdown(self._socket, socket.SHUT_RDWR)


def _whole(response: httpx.Response) -> bytes:
    """The body. Raises EndpointError if it is too long."""
    held = bytearray()
    for chunk in response.iter_bytes():
        held += chunk
        if len(held) > _MOST_BYTES:
            raise completions.malformed("it is too long")
    return bytes(held)


def _complaint(response: httpx.Response) -> str:
    """The message of a failing endpoint, after a colon; empty if there is none, or if the body is not JSON."""
    try:
        raw = _whole(response)
        said = completions.complaint(json.loads(raw))
    except (EndpointError, httpx.HTTPError, ValueError, RecursionError):
        return ""
    return f": {said}" if said else ""
