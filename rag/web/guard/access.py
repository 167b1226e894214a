"""How often each key may ask: a token bucket for each, in memory. Knows nothing of HTTP.

Litestar's own limiter counts in fixed windows, so that twice the limit fits around the turn of one, says no `Retry-After`, and
runs before a route's guards, when nobody knows the key yet.

Who has logged in on the page: in memory, so logging out ends a session for good, and so does the end of the service.

Litestar's own sessions go on under the id that a browser came with, which somebody else may have put there.

Who may do what. Every route names the scope it needs; without keys only this machine is let in, and may do all.
"""

import math
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from hmac import compare_digest
from typing import Any

from litestar.connection import ASGIConnection
from litestar.handlers import BaseRouteHandler
from litestar.openapi.spec import Components, SecurityScheme

from rag.errors import AccessRefused, KeyRefused, TooManyRequests
from rag.keys import SCOPES, Key, Keys
from rag.settings import Settings
from rag.web.guard import browsers


class Buckets:
    """A bucket for each key that asked; it holds a minute's worth of requests, and fills in a minute."""

    def __init__(self, per_minute: int, clock: Callable[[], float] = time.monotonic) -> None:
        """`per_minute` 0 sets no limit. `clock` gives seconds."""
        self._most, self._clock = per_minute, clock
        self._left: dict[str, tuple[float, float]] = {}

    def take(self, name: str) -> None:
        """One request of `name`. Raises TooManyRequests."""
        if not self._most:
            return
        now = self._clock()
        left, at = self._left.get(name, (float(self._most), now))
        left = min(float(self._most), left + (now - at) * self._most / 60)
        if left < 1:
            wait = math.ceil((1 - left) * 60 / self._most)
            hint = f"ask again in {wait} seconds, or set RAG_REQUESTS_PER_MINUTE higher"
            raise TooManyRequests(f"this key has asked {self._most} times in a minute", hint, wait)
        self._left[name] = (left - 1, now)


# Seconds after which one has to log in again.
LASTS = 7 * 24 * 3600
# Those who have logged in longest ago are the first to have to do it again.
_MOST = 1000


@dataclass(frozen=True, slots=True)
class Session:
    """`key` is the digest of the key that began it, `csrf` what the page has to send to prove that it asks itself."""

    key: str
    csrf: str
    ends: float


class Sessions:
    """The sessions that were begun and not ended. Whether the key still is one is for others to ask."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._kept: OrderedDict[str, Session] = OrderedDict()

    def begin(self, key: str) -> tuple[str, Session]:
        """A new session for the key of this digest, and its token, which is nowhere else."""
        token = secrets.token_urlsafe(32)
        session = Session(key, secrets.token_urlsafe(32), self._clock() + LASTS)
        self._kept[_digest(token)] = session
        while len(self._kept) > _MOST:
            self._kept.popitem(last=False)
        return token, session

    def find(self, token: str) -> Session | None:
        """The session of this token; None where there is none, or where it has ended."""
        session = self._kept.get(_digest(token))
        return session if session and session.ends > self._clock() else None

    def end(self, token: str) -> None:
        """End it, if there is one."""
        self._kept.pop(_digest(token), None)


def _digest(token: str) -> str:
    # Looked up by its digest, a token cannot be guessed sign by sign from how long the look takes.
    return sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


# What a route needs: to ask and to read documents; to change them; to change what serves. It stands in the route's `opt`.
READ, INGEST, ADMIN = SCOPES
# For routes that are for everybody. One that names nothing is for administrators: what was forgotten is not open.
PUBLIC: dict[str, object] = {"scope": None}

SESSION_COOKIE, CSRF_COOKIE, _CSRF_HEADER = "rag_session", "rag_csrf", "X-CSRF-Token"
_MAKE = "make one with `rag keys create NAME`"

# For the schema: nothing where there are no keys, else one of the two.
SCHEMES = Components(
    security_schemes={
        "key": SecurityScheme(type="http", scheme="bearer", description="A key that `rag keys create` made."),
        "session": SecurityScheme(
            type="apiKey",
            name=SESSION_COOKIE,
            security_scheme_in="cookie",
            description=f"What POST /login gives. To change something, send its cookie {CSRF_COOKIE} as {_CSRF_HEADER} too.",
        ),
    }
)
ANY_SCHEME: list[dict[str, list[str]]] = [{}, {"key": []}, {"session": []}]

Connection = ASGIConnection[Any, Any, Any, Any]


class Access:
    """Decides of each request whether it may do what it asks for."""

    def __init__(self, settings: Settings) -> None:
        self._keys = Keys(settings.keys)
        self._open = browsers.is_loopback(settings.host)
        self._origins = frozenset(settings.origins)
        self._sessions = Sessions()
        self._buckets = Buckets(settings.requests_per_minute)

    @property
    def keys_required(self) -> bool:
        """Whether a key is needed: wherever there were any, and where other machines reach the service."""
        return self._keys.exist or not self._open

    async def guard(self, connection: Connection, handler: BaseRouteHandler) -> None:
        """Let the request through, or raise KeyRefused, AccessRefused, TooManyRequests or KeysDamaged.

        Nothing of its body was read yet.
        """
        method, required = str(connection.scope.get("method", "GET")), self.keys_required
        if not required:
            browsers.require_loopback(connection.headers.get("host", ""))
        browsers.require_own_page(method, connection.headers, self._origins)
        # What Litestar itself answers to OPTIONS only names methods.
        needed = handler.opt.get("scope", None if method == "OPTIONS" else ADMIN)
        if needed is None or not required:
            return
        key = self._key_of(connection, method)
        if needed not in key.scopes:
            hint = f"use one with the scope {needed}: rag keys create NAME --scope {needed}"
            raise AccessRefused(f"the key {key.name} has the scope {key.scope}", hint)
        self._buckets.take(key.sha256)

    def scopes(self, connection: Connection) -> tuple[str, ...]:
        """What the asker may do; nothing where a key is required and none, or no good one, came along."""
        if not self.keys_required:
            return SCOPES
        try:
            return self._key_of(connection, "GET").scopes
        except KeyRefused:
            return ()

    def log_in(self, token: str) -> tuple[str, Session]:
        """A session for whoever holds the key, and its token. Raises KeyRefused, TooManyRequests or KeysDamaged."""
        key = self._key(token)
        self._buckets.take(key.sha256)
        return self._sessions.begin(key.sha256)

    def log_out(self, connection: Connection) -> None:
        """End the session of the connection, if it has one. Raises AccessRefused."""
        token = connection.cookies.get(SESSION_COOKIE, "")
        if session := self._sessions.find(token):
            _require_csrf(connection, session)
            self._sessions.end(token)

    def _key_of(self, connection: Connection, method: str) -> Key:
        """The key that came along: itself, else that of the session."""
        scheme, _, token = connection.headers.get("authorization", "").partition(" ")
        # Another scheme is none of ours: a proxy before us may ask for a password of its own.
        if scheme.lower() == "bearer":
            return self._key(token)
        session = self._sessions.find(connection.cookies.get(SESSION_COOKIE, ""))
        if session is None:
            raise KeyRefused("this service wants a key", f"send `Authorization: Bearer rag_...`, or log in at /; {_MAKE}")
        if method not in browsers.SAFE:
            _require_csrf(connection, session)
        return _valid(self._keys.find_digest(session.key))

    def _key(self, token: str) -> Key:
        return _valid(self._keys.find(token.strip()))


def _valid(key: Key | None) -> Key:
    if key is None:
        raise KeyRefused("the key is not known here, or was revoked", _MAKE)
    if key.has_expired(datetime.now(UTC)):
        raise KeyRefused(f"the key {key.name} expired on {key.expires[:10]}", _MAKE)
    return key


def _require_csrf(connection: Connection, session: Session) -> None:
    """A browser adds cookies to whatever a page asks; only our own page can read the cookie whose value this header has."""
    sent = connection.headers.get(_CSRF_HEADER, "")
    if not compare_digest(sent.encode(), session.csrf.encode()):
        raise AccessRefused(
            f"{_CSRF_HEADER} is not what the cookie {CSRF_COOKIE} says", "send that, or a key instead of cookies"
        )
