"""Who may do what. Every route names the scope it needs; without keys only this machine is let in, and may do all."""

from datetime import UTC, datetime
from hmac import compare_digest
from typing import Any

from litestar.connection import ASGIConnection
from litestar.handlers import BaseRouteHandler
from litestar.openapi.spec import Components, SecurityScheme

from rag.errors import AccessRefused, KeyRefused
from rag.keys import SCOPES, Key, Keys
from rag.settings import Settings
from rag.web.guard import browsers
from rag.web.rates import Buckets
from rag.web.sessions import Session, Sessions

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
            mend = f"use one with the scope {needed}: rag keys create NAME --scope {needed}"
            raise AccessRefused(f"the key {key.name} has the scope {key.scope}", mend)
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
