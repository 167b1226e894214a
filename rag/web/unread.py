"""The files that the last rebuild could not read: which, why, and under which id they are removed."""

from dataclasses import dataclass

from litestar import get
from litestar.di import NamedDependency
from msgspec import Struct

from rag.engine import Engine
from rag.errors import SeedError
from rag.indexing.unread import Unread
from rag.ingestion.seeds import document_id, shown
from rag.web import problems
from rag.web.guard.access import READ
from rag.web.problems import Problem

# Files in the reply.
_MOST = 200


@dataclass(frozen=True, slots=True)
class UnreadItem:
    """A file that could not be read, and why. DELETE takes the `id`, which is empty where the path is that of a folder."""

    id: str
    path: str
    problem: Problem


class UnreadFiles(Struct, frozen=True):
    """The files of the seeds that the last rebuild could not read: the first 200 of `total`."""

    items: list[UnreadItem]
    total: int


@get(
    "/v1/documents/unread",
    sync_to_thread=True,
    summary="The files that could not be read",
    opt={"scope": READ},
    responses=problems.documented(),
)
def unread(engine: NamedDependency[Engine]) -> UnreadFiles:
    """What the last rebuild left out, also one of the command line. One whose earlier text is in the index is among them."""
    found = engine.unread()
    return UnreadFiles([_item(each) for each in found[:_MOST]], len(found))


def path_of(engine: Engine, wanted: str) -> str | None:
    """The path of the unread file with this id, which is compared and never becomes a path; None where there is none."""
    paths = (each.path for each in engine.unread() if not each.is_folder)
    return next((path for path in paths if document_id(path) == wanted), None)


def _item(each: Unread) -> UnreadItem:
    problem = Problem(f"urn:rag:{each.kind}", each.kind, SeedError.status, each.detail)
    return UnreadItem("" if each.is_folder else document_id(each.path), shown(each.path), problem)
