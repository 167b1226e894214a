"""Which requests a browser may have been tricked into: those of other sites' pages. Pure.

Where no key is asked for, whoever reaches the service may use it, and so might any page that its user looks at. Browsers say
from where a request comes, and no page can change what they say. A request without such a word comes from no browser.

What every reply tells browsers: run nothing, guess nothing, show it in no frame, keep no answer.
"""

from collections.abc import Collection, Mapping
from ipaddress import ip_address
from urllib.parse import urlsplit

from litestar.datastructures import MutableScopeHeaders
from litestar.types import Message, Scope

from rag.errors import AccessRefused

# They change nothing, and their replies are for no other page to read.
SAFE = frozenset({"GET", "HEAD", "OPTIONS"})


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches what is called so."""
    name = host.lower().removesuffix(".")
    if name == "localhost" or name.endswith(".localhost"):  # no domain of anybody's can end so (RFC 6761)
        return True
    try:
        return ip_address(name).is_loopback
    except ValueError:
        return False


def require_loopback(host: str) -> None:
    """That the `Host` header names this machine. Raises AccessRefused.

    A stranger's domain may name this machine too, from one moment to the next (DNS rebinding); to the browser our answers
    then are that domain's own, and its page may read them.
    """
    try:
        name = urlsplit(f"//{host}").hostname or ""
    except ValueError:
        name = ""
    if not is_loopback(name):
        hint = "ask http://127.0.0.1 or http://localhost, or make a key: rag keys create NAME"
        raise AccessRefused(f"without keys the service is not to be had under the name {name[:80]!a}", hint)


def require_own_page(method: str, headers: Mapping[str, str], allowed: Collection[str]) -> None:
    """That what changes or costs something is not asked by a page of another origin, but for those `allowed`.

    Raises AccessRefused.
    """
    origin = headers.get("origin", "").lower()
    if method in SAFE or origin in allowed:
        return
    # Only sent over HTTPS and to this machine; a proxy between may have changed Host, but not this.
    site = headers.get("sec-fetch-site", "")
    own = site in {"same-origin", "none"} if site else not origin or _place(origin) == headers.get("host", "").lower()
    if not own:
        hint = "use the service's own page, or name the origin in RAG_CORS_ORIGINS"
        raise AccessRefused(f"a page of {origin[:80]!a} may not ask this" if origin else "another page may not ask this", hint)


def _place(origin: str) -> str | None:
    """Host and port of an origin; that of a page without one is `null`, and no place."""
    return origin.partition("://")[2] or None


# For what is no page: should a browser take an answer, or a stranger's document in it, for one, it loads and runs nothing.
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
    """Add the headers to a reply that is about to go, also to one of an error; what a route says itself stays."""
    if message["type"] == "http.response.start":
        headers = MutableScopeHeaders.from_message(message)
        for name, value in EVERYWHERE.items():
            headers.setdefault(name, value)
