"""Whether the service lives, and whether it can answer. Nothing is loaded to find out, and no key is needed."""

from dataclasses import dataclass

from litestar import get
from litestar.di import NamedDependency

from rag import __version__
from rag.engine import Engine
from rag.indexing.embedded import snapshot
from rag.web import problems
from rag.web.guard.access import PUBLIC


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
    manifest = snapshot.read_manifest(engine.settings.index)
    engine.models.require_weights()
    return Health("ok", __version__, manifest.id, manifest.documents)
