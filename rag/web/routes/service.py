"""Whether the service lives, and whether it can answer. Nothing is loaded to find out, and no key is needed.

Logging in on the page: a key is exchanged for a cookie that no script can read; and what the asker may do.
"""

from dataclasses import dataclass
from typing import Annotated, Any

from litestar import Request, Response, get, post
from litestar.datastructures import Cookie
from litestar.di import NamedDependency
from litestar.openapi.spec import Example
from litestar.params import BodyKwarg
from msgspec import Struct

from rag import __version__
from rag.engine import Engine
from rag.web import problems
from rag.web.guard.access import CSRF_COOKIE, LASTS, PUBLIC, READ, SESSION_COOKIE, Access
from rag.web.operations import NoContent
from rag.web.telemetry.metrics import TEXT, Metrics


@dataclass(frozen=True, slots=True)
class Live:
    """That the service runs, and its version."""

    status: str
    version: str


@dataclass(frozen=True, slots=True)
class Health:
    """That questions can be answered, and from which snapshot."""

    status: str
    version: str
    snapshot: str
    documents: int


@get(
    "/health/live",
    sync_to_thread=False,
    summary="Whether the service runs",
    opt=PUBLIC,
    responses=problems.documented(keyed=False),
)
def live() -> Live:
    """200 as long as it does."""
    return Live("ok", __version__)


@get(
    ["/health", "/health/ready"],
    sync_to_thread=True,
    summary="Whether questions can be answered",
    opt=PUBLIC,
    responses=problems.documented(503, keyed=False),
)
def ready(engine: NamedDependency[Engine]) -> Health:
    """503 with what mends it while there is no index, or weights are missing."""
    manifest = engine.manifest()
    engine.models.require_weights()
    return Health("ok", __version__, manifest.id, manifest.documents)


@dataclass(frozen=True, slots=True)
class Me:
    """What the asker may do, and whether a key is needed for it."""

    scopes: tuple[str, ...]
    keys_required: bool


class LoginRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """The key to log in with."""

    key: str


@get("/v1/me", sync_to_thread=False, summary="What you may do here", opt=PUBLIC, responses=problems.documented(keyed=False))
def me(request: Request[Any, Any, Any], access: NamedDependency[Access]) -> Me:
    """All scopes, as long as no key is required; none without a key that is good."""
    return Me(access.scopes(request), access.keys_required)


@post(
    "/login",
    status_code=204,
    sync_to_thread=False,
    summary="Log in with a key, for browsers",
    opt=PUBLIC,
    operation_class=NoContent,
    responses=problems.documented(400, 401, 408, 413, 429, keyed=False),
)
def login(
    data: Annotated[LoginRequest, BodyKwarg(examples=[Example(summary="A key", value={"key": "rag_..."})])],
    request: Request[Any, Any, Any],
    access: NamedDependency[Access],
) -> Response[None]:
    """Sets the cookie of a session, and `rag_csrf`, whose value goes into the header `X-CSRF-Token` of what changes something.

    The session ends when its key is revoked or expires, with the service, and after seven days.
    """
    token, session = access.log_in(data.key)
    values = {SESSION_COOKIE: token, CSRF_COOKIE: session.csrf}
    return _setting(request, values, LASTS)


@post(
    "/logout",
    status_code=204,
    sync_to_thread=False,
    summary="Log out",
    opt=PUBLIC,
    operation_class=NoContent,
    responses=problems.documented(keyed=False),
)
def logout(request: Request[Any, Any, Any], access: NamedDependency[Access]) -> Response[None]:
    """Ends the session, and takes its cookies away."""
    access.log_out(request)
    return _setting(request, {SESSION_COOKIE: "", CSRF_COOKIE: ""}, 0)


def _setting(request: Request[Any, Any, Any], values: dict[str, str], seconds: int) -> Response[None]:
    """A reply that sets these cookies, which browsers send back from our own pages only, and by TLS where that is in use."""
    secure = request.url.scheme == "https"
    cookies = [
        Cookie(name, value=value, max_age=seconds, httponly=name == SESSION_COOKIE, secure=secure, samesite="strict")
        for name, value in values.items()
    ]
    return Response(None, status_code=204, cookies=cookies)


@get(
    "/metrics",
    sync_to_thread=True,
    summary="What the service counts, for Prometheus",
    opt={"scope": READ},
    media_type="text/plain",
    responses=problems.documented(),
)
def metrics(counted: NamedDependency[Metrics]) -> Response[str]:
    """Prometheus' text format. Nothing in it says what was asked or what documents say."""
    return Response(counted.exposition(), media_type=TEXT)
