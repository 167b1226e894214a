"""The files that the last rebuild could not read: which, why, and under which id they are removed.

The documents: which there are, what they say, their files as they are, and changing them, which starts a rebuild.
"""

from dataclasses import dataclass
from typing import Annotated
from urllib.parse import quote

from litestar import Response, delete, get
from litestar.di import NamedDependency
from litestar.params import PathParameter, QueryParameter
from msgspec import Struct

from rag.engine import Engine
from rag.errors import NotFound, QuestionError, SeedError
from rag.indexing.protocol import Listed, State, Unread
from rag.ingestion.seeds_folder import document_id, shown
from rag.web import problems
from rag.web.guard.access import INGEST, READ
from rag.web.operations import Original
from rag.web.problems import Problem
from rag.web.rebuilding import Rebuilds
from rag.web.routes import jobs

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
    return UnreadFiles([_unread_item(each) for each in found[:_MOST]], len(found))


def path_of(engine: Engine, wanted: str) -> str | None:
    """The path of the unread file with this id, which is compared and never becomes a path; None where there is none."""
    paths = (each.path for each in engine.unread() if not each.is_folder)
    return next((path for path in paths if document_id(path) == wanted), None)


def _unread_item(each: Unread) -> UnreadItem:
    problem = Problem(f"urn:rag:{each.kind}", each.kind, SeedError.status, each.detail)
    return UnreadItem("" if each.is_folder else document_id(each.path), shown(each.path), problem)


# Documents in one reply, and characters of a document's text in one.
MOST_LISTED = 200
MOST_CHARACTERS = 200_000

_Id = Annotated[str, PathParameter(description="as in a citation's `document_id`, or as GET /v1/documents lists it")]
_MOST_PLACE = 10**9


@dataclass(frozen=True, slots=True)
class Item:
    """A document. `characters` is the length of its text, `pages` how many it has, 0 where it has none."""

    id: str
    path: str
    language: str
    media_type: str
    date: str
    characters: int
    pages: int
    url: str


class Documents(Struct, frozen=True):
    """Documents by their paths, from `offset` on, at most `limit` of `total`."""

    items: list[Item]
    total: int
    offset: int
    limit: int


@dataclass(frozen=True, slots=True)
class Page:
    """A page, and where in the text it begins."""

    number: int
    start: int


class Text(Struct, frozen=True):
    """A range of a document's text, of `length` characters in all; `pages` are all that it has."""

    id: str
    path: str
    start: int
    end: int
    length: int
    text: str
    pages: list[Page]


class Removed(Struct, frozen=True):
    """What was removed from the seeds, and the rebuild that removes it from the index."""

    removed: str
    job: jobs.Job


@get(
    "/v1/documents",
    sync_to_thread=True,
    summary="The documents of the index",
    opt={"scope": READ},
    responses=problems.documented(400, 503, 507),
)
def listed(
    engine: NamedDependency[Engine],
    offset: Annotated[int, QueryParameter(ge=0, le=_MOST_PLACE, description="how many to leave out at the beginning")] = 0,
    limit: Annotated[int, QueryParameter(ge=1, le=MOST_LISTED, description="how many to list at most")] = 50,
    contains: Annotated[str, QueryParameter(max_length=1000, description="what the path has in it, in any case")] = "",
    language: Annotated[str, QueryParameter(max_length=20, description="the language of the documents, as `id`")] = "",
) -> Documents:
    """Those that meet both filters, by their paths."""
    opened = engine.snapshot()
    part = contains.casefold()
    found = [d for d in opened.listed() if part in d.path.casefold() and language in {"", d.language}]
    found.sort(key=lambda document: document.path)
    return Documents([_item(d, opened) for d in found[offset : offset + limit]], len(found), offset, limit)


@get(
    "/v1/documents/{document_id:str}",
    sync_to_thread=True,
    summary="One document",
    opt={"scope": READ},
    responses=problems.documented(400, 404, 503, 507),
)
def one(document_id: _Id, engine: NamedDependency[Engine]) -> Item:
    """What is known of it, and where its file is."""
    opened = engine.snapshot()
    return _item(_known(opened, document_id), opened)


@get(
    "/v1/documents/{document_id:str}/text",
    sync_to_thread=True,
    summary="A document's text, to which the offsets of citations belong",
    opt={"scope": READ},
    responses=problems.documented(400, 404, 503, 507),
)
def text(
    document_id: _Id,
    engine: NamedDependency[Engine],
    start: Annotated[int, QueryParameter(ge=0, le=_MOST_PLACE, description="the first character, as a citation has it")] = 0,
    end: Annotated[int | None, QueryParameter(ge=0, le=_MOST_PLACE, description="the one after the last, likewise")] = None,
) -> Text:
    """The characters from `start` to `end`, as far as the text goes; without an end as many as there are, 200,000 at most."""
    found = engine.snapshot().document(document_id)
    if found is None:
        raise _unknown(document_id)
    if end is not None and end < start:
        raise QuestionError(f"{start} to {end} is no range", "ask for one that ends where it begins, or after")
    # Who asks for the surroundings of a citation need not know where the text ends, nor that it has become shorter since.
    length = len(found.text)
    first, last = min(start, length), min(start + MOST_CHARACTERS if end is None else end, length)
    if last - first > MOST_CHARACTERS:
        raise QuestionError(f"{last - first} characters are too many", f"ask for at most {MOST_CHARACTERS} at once")
    pages = [Page(number, begins) for number, begins in enumerate(found.pages, 1)]
    return Text(found.id, found.path, first, last, length, found.text[first:last], pages)


@get(
    "/v1/documents/{document_id:str}/original",
    sync_to_thread=True,
    summary="A document's file",
    opt={"scope": READ},
    operation_class=Original,
    media_type="application/octet-stream",
    responses=problems.documented(400, 404, 409, 503, 507),
)
def original(document_id: _Id, engine: NamedDependency[Engine]) -> Response[bytes]:
    """Its bytes, to be saved and never shown: a page of a stranger must not run in the name of this service."""
    document = _known(engine.snapshot(), document_id)
    headers = {
        "Content-Disposition": f"attachment; filename*=UTF-8''{quote(document.path.rpartition('/')[2], safe='')}",
        "X-Content-Type-Options": "nosniff",
    }
    return Response(engine.original(document), media_type="application/octet-stream", headers=headers)


@delete(
    "/v1/documents/{document_id:str}",
    status_code=202,
    sync_to_thread=True,
    summary="Remove a document",
    opt={"scope": INGEST},
    responses=problems.documented(400, 404, 422, 503, 507),
)
def remove(document_id: _Id, engine: NamedDependency[Engine], rebuilds: NamedDependency[Rebuilds]) -> Removed:
    """Removes its file from the seeds, also one that could not be read. It is found until the job is done."""
    path = path_of(engine, document_id) or _known(engine.snapshot(), document_id).path
    engine.remove(path)
    return Removed(shown(path), jobs.shown(rebuilds.start()))


def _known(opened: State, document_id: str) -> Listed:
    found = opened.find("id", document_id)
    if found is None:
        raise _unknown(document_id)
    return found


def _unknown(document_id: str) -> NotFound:
    return NotFound(f"there is no document {document_id[:40]}", "choose one of GET /v1/documents")


def _item(document: Listed, opened: State) -> Item:
    d = document
    length, url = opened.characters(d), f"/v1/documents/{d.id}/original"
    return Item(d.id, d.path, d.language, d.media_type, d.date, length, len(d.pages), url)
