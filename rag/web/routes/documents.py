"""The routes for indexed documents: their list, text and files, and the list of files that could not be read."""

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
from rag.web.routes import index

# In a response: documents, files that could not be read, and characters of a document's text.
MOST_LISTED = 200
_MOST_UNREAD = 200
MOST_CHARACTERS = 200_000

_Id = Annotated[str, PathParameter(description="the `document_id` of a citation, or the `id` in GET /v1/documents")]
# The largest offset: one that no document has, and that fits into any integer type.
_MOST_OFFSET = 10**9


@dataclass(frozen=True, slots=True)
class Item:
    """A document. `characters` is the length of its text, `pages` the number of its pages, 0 where it has none.

    `language` is a code such as `id`. `date` is the day that the document itself states, else that of its file, as 2026-11-24.
    `url` downloads its file.
    """

    id: str
    path: str
    language: str
    media_type: str
    date: str
    characters: int
    pages: int
    url: str


class Documents(Struct, frozen=True):
    """Documents in the order of their paths: at most `limit` of `total`, from `offset` on."""

    items: list[Item]
    total: int
    offset: int
    limit: int


@dataclass(frozen=True, slots=True)
class Page:
    """A page: its number, from 1, and the character of the text at which it starts."""

    number: int
    start: int


class Text(Struct, frozen=True):
    """The text from character `start` to `end` of a document with `length` characters, and all pages of the document.

    Characters are Unicode code points.
    """

    id: str
    path: str
    start: int
    end: int
    length: int
    text: str
    pages: list[Page]


@dataclass(frozen=True, slots=True)
class UnreadItem:
    """A file or folder that could not be read, and why. A file can be removed by its `id`; a folder's is empty."""

    id: str
    path: str
    problem: Problem


class UnreadFiles(Struct, frozen=True):
    """The files in `seeds/` that the last rebuild could not read: the first 200 of `total`."""

    items: list[UnreadItem]
    total: int


class Removed(Struct, frozen=True):
    """The path of the file that was removed from `seeds/`, and the rebuild that removes it from the index."""

    removed: str
    job: index.Job


@get(
    "/v1/documents",
    sync_to_thread=True,
    summary="List the documents",
    opt={"scope": READ},
    responses=problems.documented(400, 503, 507),
)
def listed(
    engine: NamedDependency[Engine],
    offset: Annotated[int, QueryParameter(ge=0, le=_MOST_OFFSET, description="how many documents to skip")] = 0,
    limit: Annotated[int, QueryParameter(ge=1, le=MOST_LISTED, description="how many documents to list at most")] = 50,
    contains: Annotated[
        str, QueryParameter(max_length=1000, description="only paths that contain this, in upper or lower case")
    ] = "",
    language: Annotated[str, QueryParameter(max_length=20, description="only this language, as `id`")] = "",
) -> Documents:
    """The documents in the index that meet both filters, in the order of their paths."""
    opened = engine.snapshot()
    part = contains.casefold()
    found = [d for d in opened.listed() if part in d.path.casefold() and language in {"", d.language}]
    found.sort(key=lambda document: document.path)
    return Documents([_item(d, opened) for d in found[offset : offset + limit]], len(found), offset, limit)


@get(
    "/v1/documents/unread",
    sync_to_thread=True,
    summary="List the files that could not be read",
    opt={"scope": READ},
    responses=problems.documented(),
)
def unread(engine: NamedDependency[Engine]) -> UnreadFiles:
    """The files that the last rebuild left out, also a rebuild of the command line, each with a problem that says why.

    A file is listed also where the index still has the text of its earlier version.
    """
    found = engine.unread()
    return UnreadFiles([_unread_item(each) for each in found[:_MOST_UNREAD]], len(found))


@get(
    "/v1/documents/{document_id:str}",
    sync_to_thread=True,
    summary="Get a document",
    opt={"scope": READ},
    responses=problems.documented(400, 404, 503, 507),
)
def one(document_id: _Id, engine: NamedDependency[Engine]) -> Item:
    """A document's properties, and the URL of its file."""
    opened = engine.snapshot()
    return _item(_known(opened, document_id), opened)


@get(
    "/v1/documents/{document_id:str}/text",
    sync_to_thread=True,
    summary="Read a document's text",
    opt={"scope": READ},
    responses=problems.documented(400, 404, 503, 507),
)
def text(
    document_id: _Id,
    engine: NamedDependency[Engine],
    start: Annotated[int, QueryParameter(ge=0, le=_MOST_OFFSET, description="the first character, as in a citation")] = 0,
    end: Annotated[int | None, QueryParameter(ge=0, le=_MOST_OFFSET, description="the character after the last")] = None,
) -> Text:
    """The characters from `start` to `end` of the text, to which the offsets of passages and citations refer.

    A range beyond the end of the text is cut there. Without `end`, the text from `start` on; at most 200,000 characters.
    """
    found = engine.snapshot().document(document_id)
    if found is None:
        raise _unknown(document_id)
    if end is not None and end < start:
        raise QuestionError(f"{start} to {end} is not a range", "use an `end` that is not before `start`")
    # A client that wants the text around a citation does not know where the text ends, or that it became shorter since.
    length = len(found.text)
    first, last = min(start, length), min(start + MOST_CHARACTERS if end is None else end, length)
    if last - first > MOST_CHARACTERS:
        raise QuestionError(f"{last - first} characters are too many", f"ask for at most {MOST_CHARACTERS} at once")
    pages = [Page(number, begins) for number, begins in enumerate(found.pages, 1)]
    return Text(found.id, found.path, first, last, length, found.text[first:last], pages)


@get(
    "/v1/documents/{document_id:str}/original",
    sync_to_thread=True,
    summary="Download a document's file",
    opt={"scope": READ},
    operation_class=Original,
    media_type="application/octet-stream",
    responses=problems.documented(400, 404, 409, 503, 507),
)
def original(document_id: _Id, engine: NamedDependency[Engine]) -> Response[bytes]:
    """The bytes of the file that was indexed, always as an attachment; 409 where the file has changed since.

    Browsers save it and never show it: an HTML document could otherwise run scripts in the name of this service.
    """
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
    """Remove a document's file from `seeds/`, also one that could not be read, and start a rebuild.

    The document is still found until that job is done.
    """
    path = _unread_path(engine, document_id) or _known(engine.snapshot(), document_id).path
    engine.remove(path)
    return Removed(shown(path), index.shown(rebuilds.start()))


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


def _unread_path(engine: Engine, wanted: str) -> str | None:
    """The path of the unread file with this id; None where there is none. The id is compared, and never made a path."""
    paths = (each.path for each in engine.unread() if not each.is_folder)
    return next((path for path in paths if document_id(path) == wanted), None)


def _unread_item(each: Unread) -> UnreadItem:
    problem = Problem(f"urn:rag:{each.kind}", each.kind, SeedError.status, each.detail)
    return UnreadItem("" if each.is_folder else document_id(each.path), shown(each.path), problem)
