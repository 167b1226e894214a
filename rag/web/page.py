"""Serves the page: the files of `static/`, unchanged, with ETags and a content security policy that admits nothing else."""

import hashlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from litestar import Request, Response, get
from litestar.exceptions import NotFoundException
from litestar.params import FromPath

from rag.web.guard.access import PUBLIC

_FOLDER = Path(__file__).parent / "static"
_INDEX = "index.html"
# Litestar adds `charset=utf-8` to text types.
_TYPES = {".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
# No text of a document can ever run as code: only the page's own files are loaded, and inline scripts and styles are refused.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_HEADERS = {
    "Content-Security-Policy": POLICY,
    # The browser keeps a file and revalidates it each time, so that files of two versions of rag are never mixed.
    "Cache-Control": "no-cache",
}


@dataclass(frozen=True, slots=True)
class Asset:
    """A file of the page. `etag` is its ETag, quotes included."""

    body: bytes
    media_type: str
    etag: str


@cache
def assets() -> dict[str, Asset]:
    """Every file of the page by its path within `static/`. Only these are served, so no path can leave the folder."""
    files = sorted(path for path in _FOLDER.rglob("*") if path.suffix in _TYPES)
    return {path.relative_to(_FOLDER).as_posix(): _asset(path) for path in files}


def _asset(path: Path) -> Asset:
    body = path.read_bytes()
    return Asset(body, _TYPES[path.suffix], f'"{hashlib.sha256(body).hexdigest()[:32]}"')


def _is_cached(request: Request[Any, Any, Any], etag: str) -> bool:
    """Whether the browser has the file with this ETag (`If-None-Match`)."""
    tags = (tag.strip().removeprefix("W/") for tag in request.headers.get("if-none-match", "").split(","))
    return any(tag in {etag, "*"} for tag in tags)


def _response(request: Request[Any, Any, Any], name: str) -> Response[bytes | None]:
    asset = assets().get(name)
    if asset is None:
        raise NotFoundException("the page has no such file; open / instead")
    headers = {**_HEADERS, "ETag": asset.etag}
    if _is_cached(request, asset.etag):
        return Response(None, status_code=304, headers=headers)
    return Response(asset.body, media_type=asset.media_type, headers=headers)


@get("/", include_in_schema=False, sync_to_thread=False, opt=PUBLIC)
def index(request: Request[Any, Any, Any]) -> Response[bytes | None]:
    """The page."""
    return _response(request, _INDEX)


@get("/static/{path:path}", include_in_schema=False, sync_to_thread=False, opt=PUBLIC)
def static(request: Request[Any, Any, Any], path: FromPath[str]) -> Response[bytes | None]:
    """A style sheet, script or picture of the page."""
    return _response(request, path.removeprefix("/"))


HANDLERS = (index, static)
