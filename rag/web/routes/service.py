"""The routes for operating the service: probes, metrics and the page's login.

The probes for liveness and readiness load nothing and need no key. A login exchanges a key for a cookie that scripts
cannot read.
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
    """The service is running; its version."""

    status: str
    version: str


@dataclass(frozen=True, slots=True)
class Health:
    """The service can answer questions, from this snapshot with so many documents."""

    status: str
    version: str
    snapshot: str
    documents: int


@get(
    "/health/live",
    sync_to_thread=False,
    summary="Liveness probe",
    opt=PUBLIC,
    responses=problems.documented(keyed=False),
)
def live() -> Live:
    """200 as long as the service runs."""
    return Live("ok", __version__)


@get(
    ["/health", "/health/ready"],
    sync_to_thread=True,
    summary="Readiness probe",
    opt=PUBLIC,
    responses=problems.documented(503, keyed=False),
)
def ready(engine: NamedDependency[Engine]) -> Health:
    """200 if questions can be answered; 503, with what to do, while there is no index or model weights are missing."""
    manifest = engine.manifest()
    engine.models.require_weights()
    return Health("ok", __version__, manifest.id, manifest.documents)


@dataclass(frozen=True, slots=True)
class Me:
    """The scopes of the client, and whether the service requires a key."""

    scopes: tuple[str, ...]
    keys_required: bool


class LoginRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """A key of `rag keys create`."""

    key: str


@get(
    "/v1/me",
    sync_to_thread=False,
    summary="Get your scopes",
    opt=PUBLIC,
    responses=problems.documented(keyed=False),
)
def me(request: Request[Any, Any, Any], access: NamedDependency[Access]) -> Me:
    """The scopes of the key or session; all scopes where no key is required, none where the key is missing or invalid."""
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
    """Start a session: sets the cookies `rag_session` and `rag_csrf`.

    Send the value of `rag_csrf` as the header `X-CSRF-Token` with every request that is not GET, HEAD or OPTIONS. The session
    ends after seven days, when its key is revoked or expires, and when the service stops.
    """
    token, session = access.log_in(data.key)
    values = {SESSION_COOKIE: token, CSRF_COOKIE: session.csrf}
    return _with_cookies(request, values, LASTS)


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
    """End the session and delete its cookies."""
    access.log_out(request)
    return _with_cookies(request, {SESSION_COOKIE: "", CSRF_COOKIE: ""}, 0)


def _with_cookies(request: Request[Any, Any, Any], values: dict[str, str], seconds: int) -> Response[None]:
    """A response that sets these cookies, for our own pages only (`SameSite`), and for TLS only where it is in use."""
    secure = request.url.scheme == "https"
    cookies = [
        Cookie(name, value=value, max_age=seconds, httponly=name == SESSION_COOKIE, secure=secure, samesite="strict")
        for name, value in values.items()
    ]
    return Response(None, status_code=204, cookies=cookies)


@get(
    "/metrics",
    sync_to_thread=True,
    summary="Metrics for Prometheus",
    opt={"scope": READ},
    media_type="text/plain",
    responses=problems.documented(),
)
def metrics(counted: NamedDependency[Metrics]) -> Response[str]:
    """The service's metrics in Prometheus' text format. They contain no text of questions or documents."""
    return Response(counted.exposition(), media_type=TEXT)
