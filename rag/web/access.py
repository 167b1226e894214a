"""Who may do what. Every route names the scope it needs; while there are no keys, whoever reaches the service has all."""

from dataclasses import dataclass

from litestar import get

from rag.web import problems

# What a route needs: to ask and to read documents; to change them; to change what serves. It stands in the route's `opt`.
READ, INGEST, ADMIN = "read", "ingest", "admin"


@dataclass(frozen=True, slots=True)
class Me:
    """What the asker may do, and whether a key is needed for it."""

    scopes: tuple[str, ...]
    keys_required: bool


@get("/v1/me", sync_to_thread=False, summary="What you may do here", opt={"scope": READ}, responses=problems.documented())
def me() -> Me:
    """All scopes, as long as no key is required."""
    return Me((READ, INGEST, ADMIN), keys_required=False)
