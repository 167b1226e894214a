"""Protection against pages of other sites: which browser requests are refused, and the headers of every response. Pure.

Without keys, anything that reaches the service may use it, and so could any page that its user visits. Browsers say where a
request comes from (`Origin`, `Sec-Fetch-Site`), and no page can forge these headers. A request without them is not from a page.
"""

import re
from collections.abc import Collection, Mapping

from litestar.datastructures import MutableScopeHeaders
from litestar.types import Message, Scope

from rag.address import is_loopback
from rag.errors import AccessRefused

# These change nothing, and a page of another site cannot read their responses.
SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
# A host, or an IPv6 address in brackets, and perhaps a port. `user@host` is no value of `Host`, whatever the host is.
_HOST = re.compile(r"(\[[^\[\]]*\]|[^\[\]:]*)(?::[0-9]*)?")


def require_loopback(
    host: str, hint: str = "use http://127.0.0.1 or http://localhost, or make a key: rag keys create NAME"
) -> None:
    """Refuse a `Host` header that does not name this machine. Raises AccessRefused with `hint`.

    A stranger's domain can resolve to this machine from one moment to the next (DNS rebinding). The browser then takes our
    responses for that domain's own, and lets its page read them.
    """
    if not is_loopback(_name(host)):
        raise AccessRefused(f"requests for host {host[:80]!a} are refused", hint)


def require_loopback_origin(origin: str, hint: str) -> None:
    """Refuse an `Origin` header, where there is one, that does not name this machine. Raises AccessRefused with `hint`."""
    scheme, _, place = origin.lower().partition("://")
    if origin and not (scheme in {"http", "https"} and is_loopback(_name(place))):
        raise AccessRefused(f"requests from pages of {origin[:80]!a} are refused", hint)


def require_own_page(method: str, headers: Mapping[str, str], allowed: Collection[str]) -> None:
    """Refuse a request that changes or costs something and comes from a page of an origin not in `allowed`.

    Raises AccessRefused.
    """
    origin = headers.get("origin", "").lower()
    if method in SAFE or origin in allowed:
        return
    # Browsers send it over HTTPS and to this machine only. A proxy may have changed `Host`, but not this.
    site = headers.get("sec-fetch-site", "")
    own = site in {"same-origin", "none"} if site else not origin or _place(origin) == headers.get("host", "").lower()
    if not own:
        hint = "use the service's own page, or add the origin to RAG_CORS_ORIGINS"
        by = f" by pages of {origin[:80]!a}" if origin else ""
        raise AccessRefused(f"cross-site requests{by} are refused", hint)


def _name(host: str) -> str:
    """The name in a `Host` header, without the port; empty where it is not valid."""
    found = _HOST.fullmatch(host)
    return found[1] if found else ""


def _place(origin: str) -> str | None:
    """Host and port of an origin; None for the origin `null`."""
    return origin.partition("://")[2] or None


# For responses that are no page: a browser that takes one for a page, or a document in it, loads and runs nothing.
NOTHING = "default-src 'none'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'"
EVERYWHERE = {
    "Content-Security-Policy": NOTHING,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}


async def protect(message: Message, _scope: Scope) -> None:
    """Add `EVERYWHERE` to the headers of a response, errors included. A header that the route set itself is kept."""
    if message["type"] == "http.response.start":
        headers = MutableScopeHeaders.from_message(message)
        for name, value in EVERYWHERE.items():
            headers.setdefault(name, value)
