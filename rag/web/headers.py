"""What every reply tells browsers: run nothing, guess nothing, show it in no frame, keep no answer."""

from litestar.datastructures import MutableScopeHeaders
from litestar.types import Message, Scope

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
