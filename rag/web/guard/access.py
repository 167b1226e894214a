"""Access control: the guard of every route, the sessions of the page, and the rate limit of each key.

Without keys, only this machine may use the service, and it may do everything. With keys, each route names the scope it needs.

Litestar's own sessions and rate limiter are not used. Its sessions continue under any id that the browser sends, which an
attacker may have planted. Its limiter counts in fixed windows, so that twice the limit fits around the edge of one; it sends no
`Retry-After`; and it runs before the guards, when the key is not known yet.
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

from rag.address import is_loopback
from rag.errors import AccessRefused, KeyRefused, TooManyRequests
from rag.keys import SCOPES, Key, Keys
from rag.settings import Settings
from rag.web.guard import browsers

# What a route may require, in its `opt["scope"]`: to ask and read; to change documents; to change which index serves.
READ, INGEST, ADMIN = SCOPES
# The `opt` of a route that needs no key. A route without a scope needs ADMIN, so that one that was forgotten is not open.
PUBLIC: dict[str, object] = {"scope": None}

SESSION_COOKIE, CSRF_COOKIE, _CSRF_HEADER = "rag_session", "rag_csrf", "X-CSRF-Token"
_HINT = "make one with `rag keys create NAME`"

# Seconds that a session lasts.
LASTS = 7 * 24 * 3600
# Sessions at once; beyond that, the oldest ends.
_MOST_SESSIONS = 1000
# For the schema: no credentials where there are no keys, else a key or a session.
SCHEMES = Components(
    security_schemes={
        "key": SecurityScheme(type="http", scheme="bearer", description="A key made with `rag keys create`."),
        "session": SecurityScheme(
            type="apiKey",
            name=SESSION_COOKIE,
            security_scheme_in="cookie",
            description=f"The session that `POST /login` starts. A request that is not GET, HEAD or OPTIONS also needs the "
            f"header `{_CSRF_HEADER}` with the value of the cookie `{CSRF_COOKIE}`.",
        ),
    }
)
ANY_SCHEME: list[dict[str, list[str]]] = [{}, {"key": []}, {"session": []}]

Connection = ASGIConnection[Any, Any, Any, Any]


class Buckets:
    """Rate limits in memory: a token bucket for each key, which holds a minute's requests and refills in a minute."""

    def __init__(self, per_minute: int, clock: Callable[[], float] = time.monotonic) -> None:
        """`per_minute` 0 sets no limit. `clock` gives seconds."""
        self._most, self._clock = per_minute, clock
        self._left: dict[str, tuple[float, float]] = {}

    def take(self, name: str) -> None:
        """Count one request of the key `name`. Raises TooManyRequests."""
        if not self._most:
            return
        now = self._clock()
        left, at = self._left.get(name, (float(self._most), now))
        left = min(float(self._most), left + (now - at) * self._most / 60)
        if left < 1:
            wait = math.ceil((1 - left) * 60 / self._most)
            hint = f"try again in {wait} seconds, or raise RAG_REQUESTS_PER_MINUTE"
            raise TooManyRequests(f"this key made {self._most} requests in a minute", hint, wait)
        self._left[name] = (left - 1, now)


@dataclass(frozen=True, slots=True)
class Session:
    """A login on the page.

    `key` is the SHA-256 of the key, `csrf` the token that our own page sends back, and `ends` a time of the session store's
    clock in seconds.
    """

    key: str
    csrf: str
    ends: float


class Sessions:
    """The sessions, in memory: logging out ends one for good, and so does the end of the service.

    Does not know whether a session's key is still valid.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._kept: OrderedDict[str, Session] = OrderedDict()

    def begin(self, key: str) -> tuple[str, Session]:
        """A new session for the key with this digest, and its token, of which only the digest is kept."""
        token = secrets.token_urlsafe(32)
        session = Session(key, secrets.token_urlsafe(32), self._clock() + LASTS)
        self._kept[_digest(token)] = session
        while len(self._kept) > _MOST_SESSIONS:
            self._kept.popitem(last=False)
        return token, session

    def find(self, token: str) -> Session | None:
        """The session of this token; None where there is none or it has ended."""
        session = self._kept.get(_digest(token))
        return session if session and session.ends > self._clock() else None

    def end(self, token: str) -> None:
        """End the session of this token, if there is one."""
        self._kept.pop(_digest(token), None)


def _digest(token: str) -> str:
    # A lookup by digest takes the same time however much of a guessed token is right.
    return sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


class Access:
    """Decides whether a request is allowed."""

    def __init__(self, settings: Settings) -> None:
        self._keys = Keys(settings.keys)
        self._is_local = is_loopback(settings.host)
        self._origins = frozenset(settings.origins)
        self._sessions = Sessions()
        self._buckets = Buckets(settings.requests_per_minute)

    @property
    def keys_required(self) -> bool:
        """Whether a key is needed: once one was made, or where other machines reach the service."""
        return self._keys.exist or not self._is_local

    async def guard(self, connection: Connection, handler: BaseRouteHandler) -> None:
        """Litestar's guard of every route, called before any of the body is read.

        Raises KeyRefused, AccessRefused, TooManyRequests or KeysDamaged.
        """
        method, required = str(connection.scope.get("method", "GET")), self.keys_required
        if not required:
            browsers.require_loopback(connection.headers.get("host", ""))
        browsers.require_own_page(method, connection.headers, self._origins)
        # Litestar itself answers OPTIONS, with nothing but the methods of the route.
        needed = handler.opt.get("scope", None if method == "OPTIONS" else ADMIN)
        if needed is None or not required:
            return
        key = self._sent_key(connection, method)
        if needed not in key.scopes:
            hint = f"use a key with the scope {needed}: rag keys create NAME --scope {needed}"
            raise AccessRefused(f"the key {key.name} has the scope {key.scope}", hint)
        self._buckets.take(key.sha256)

    def scopes(self, connection: Connection) -> tuple[str, ...]:
        """The scopes of the client; none where a key is required and the request has no valid one."""
        if not self.keys_required:
            return SCOPES
        try:
            return self._sent_key(connection, "GET").scopes
        except KeyRefused:
            return ()

    def log_in(self, token: str) -> tuple[str, Session]:
        """Exchange a key for a session and its token. Raises KeyRefused, TooManyRequests or KeysDamaged."""
        key = self._key(token)
        self._buckets.take(key.sha256)
        return self._sessions.begin(key.sha256)

    def log_out(self, connection: Connection) -> None:
        """End the session of the request, if it has one. Raises AccessRefused where the CSRF token is wrong."""
        token = connection.cookies.get(SESSION_COOKIE, "")
        if session := self._sessions.find(token):
            _require_csrf(connection, session)
            self._sessions.end(token)

    def _sent_key(self, connection: Connection, method: str) -> Key:
        """The key in the `Authorization` header, else that of the session. Raises KeyRefused or AccessRefused."""
        scheme, _, token = connection.headers.get("authorization", "").partition(" ")
        # Another scheme is not for us: a proxy in front of the service may ask for a password of its own.
        if scheme.lower() == "bearer":
            return self._key(token)
        session = self._sessions.find(connection.cookies.get(SESSION_COOKIE, ""))
        if session is None:
            raise KeyRefused("this service needs a key", f"send `Authorization: Bearer rag_...`, or log in at /; {_HINT}")
        if method not in browsers.SAFE:
            _require_csrf(connection, session)
        return _valid(self._keys.find_digest(session.key))

    def _key(self, token: str) -> Key:
        return _valid(self._keys.find(token.strip()))


def _valid(key: Key | None) -> Key:
    if key is None:
        raise KeyRefused("the key is unknown or was revoked", _HINT)
    if key.has_expired(datetime.now(UTC)):
        raise KeyRefused(f"the key {key.name} expired on {key.expires[:10]}", _HINT)
    return key


def _require_csrf(connection: Connection, session: Session) -> None:
    """Refuse a request whose CSRF header is wrong. Raises AccessRefused.

    A browser adds our cookies to requests of any page; only our own page can read the cookie, and so send its value.
    """
    sent = connection.headers.get(_CSRF_HEADER, "")
    if not compare_digest(sent.encode(), session.csrf.encode()):
        hint = "send the cookie's value in the header, or a key instead of cookies"
        raise AccessRefused(f"the header {_CSRF_HEADER} does not match the cookie {CSRF_COOKIE}", hint)
