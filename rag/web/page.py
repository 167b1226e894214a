"""The page: the files of static/ as they lie, each with its type, a tag to keep it by, and a policy that admits no other."""

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
# Litestar adds `charset=utf-8` to what is text.
_TYPES = {".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
# What a document says can never run: nothing is loaded but the page's own files, and no script or style stands in the markup.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_HEADERS = {
    "Content-Security-Policy": POLICY,
    # The browser keeps a file and asks each time whether it still is the same, so a new version of rag is never half seen.
    "Cache-Control": "no-cache",
}


@dataclass(frozen=True, slots=True)
class Asset:
    """A file of the page, and the tag by which a browser asks whether it has changed."""

    body: bytes
    media_type: str
    etag: str


@cache
def assets() -> dict[str, Asset]:
    """Every file of the page by its path within static/. What is not in here is not served, whatever a path says."""
    files = sorted(path for path in _FOLDER.rglob("*") if path.suffix in _TYPES)
    return {path.relative_to(_FOLDER).as_posix(): _asset(path) for path in files}


def _asset(path: Path) -> Asset:
    body = path.read_bytes()
    return Asset(body, _TYPES[path.suffix], f'"{hashlib.sha256(body).hexdigest()[:32]}"')


def _is_kept(request: Request[Any, Any, Any], etag: str) -> bool:
    """Whether the browser has the file with this tag."""
    tags = (tag.strip().removeprefix("W/") for tag in request.headers.get("if-none-match", "").split(","))
    return any(tag in {etag, "*"} for tag in tags)


def _reply(request: Request[Any, Any, Any], name: str) -> Response[bytes | None]:
    asset = assets().get(name)
    if asset is None:
        raise NotFoundException("the page has no such file; open / instead")
    headers = {**_HEADERS, "ETag": asset.etag}
    if _is_kept(request, asset.etag):
        return Response(None, status_code=304, headers=headers)
    return Response(asset.body, media_type=asset.media_type, headers=headers)


@get("/", include_in_schema=False, sync_to_thread=False, opt=PUBLIC)
def index(request: Request[Any, Any, Any]) -> Response[bytes | None]:
    """The page itself."""
    return _reply(request, _INDEX)


@get("/static/{path:path}", include_in_schema=False, sync_to_thread=False, opt=PUBLIC)
def static(request: Request[Any, Any, Any], path: FromPath[str]) -> Response[bytes | None]:
    """A style, a script or a picture of the page."""
    return _reply(request, path.removeprefix("/"))


HANDLERS = (index, static)
