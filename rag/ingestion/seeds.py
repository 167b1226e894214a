"""The seeds folder: which files are documents, what they say, in which language. Reads, never writes."""

import hashlib
import os
import stat
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from rag import language
from rag.errors import SeedError, SeedTooLarge
from rag.ingestion import formats, worker
from rag.ingestion.dates import front_matter_day
from rag.ingestion.decoding import decode
from rag.ingestion.wire import Extracted
from rag.text import normalise
from rag.types import Document

SUFFIXES = formats.SUFFIXES
# Above this a text file is a data dump, and the page that shows it would not open; other formats hold pictures, mostly.
_MOST_BYTES = 100_000_000
_MEND_RIGHTS = "give yourself the right to read it, or remove it from the seeds"


@dataclass(frozen=True, slots=True)
class Closed:
    """A folder of the seeds that cannot be listed, and why. `path` is relative to them."""

    path: str
    error: SeedError


@dataclass(frozen=True, slots=True)
class Listing:
    """The seeds folder: the documents' paths, sorted, and the folders in it that cannot be listed."""

    paths: tuple[str, ...]
    closed: tuple[Closed, ...] = ()


@dataclass(frozen=True, slots=True)
class Stamp:
    """What the disk tells of a file without reading it: while it is the same, so are the bytes. Times in ns since 1970."""

    size: int
    mtime_ns: int
    ctime_ns: int
    inode: int


@dataclass(frozen=True, slots=True)
class Seed:
    """A file of the seeds folder. `path` is relative to it, with forward slashes; `sha256` that of its bytes.

    `date` is the ISO day, in UTC, on which the file was last written.
    """

    path: str
    sha256: str
    date: str
    raw: bytes


def document_id(path: str) -> str:
    """A short name for the document at this path that stays the same when its text changes."""
    return hashlib.sha256(path.encode("utf-8", "surrogateescape")).hexdigest()[:12]


def find(folder: Path) -> Listing:
    """The documents below `folder`; hidden files and other kinds of file are passed over.

    Raises SeedError where the folder itself cannot be listed.
    """
    if not os.path.isdir(folder):  # noqa: PTH112 - Path.is_dir raises where the folder above may not be entered
        raise SeedError(f"there is no folder {folder}", "make it and put documents in, or set RAG_HOME to the folder above it")
    found: list[str] = []
    closed: list[OSError] = []
    for base, folders, names in os.walk(folder, onerror=closed.append):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        # Strings, not paths: a large folder is listed before every build.
        inside = os.path.relpath(base, folder)
        within = "" if inside == "." else f"{inside}/".replace(os.sep, "/")
        found += [within + name for name in names if not name.startswith(".") and suffix(name) in SUFFIXES]
    for error in closed:
        if Path(error.filename) == folder:
            raise _unlisted(error)
    shut = [Closed(Path(error.filename).relative_to(folder).as_posix(), _unlisted(error)) for error in closed]
    return Listing(tuple(sorted(found)), tuple(shut))


def suffix(name: str) -> str:
    """The ending of a file's name or path, in small letters, which says its kind until its bytes do."""
    return os.path.splitext(name)[1].lower()  # noqa: PTH122 - see `find`


def _unlisted(error: OSError) -> SeedError:
    return SeedError(f"the folder {shown(error.filename)} cannot be listed ({error.strerror})", _MEND_RIGHTS)


def stamp(folder: Path, path: str) -> Stamp:
    """The file's stamp, without reading it. Raises SeedError where `read` would before it reads."""
    status = _status(folder, path)
    return Stamp(status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino)


def read(folder: Path, path: str) -> Seed:
    """The file's bytes and digest. Raises SeedError where it cannot be read, lies outside the folder, or is too large."""
    status = _status(folder, path)
    try:
        with (folder / path).open("rb") as file:
            raw = file.read(_MOST_BYTES + 1)  # it may have grown since
    except OSError as error:
        raise SeedError(f"{path} cannot be read ({error.strerror})", _MEND_RIGHTS) from error
    if len(raw) > _MOST_BYTES:
        raise _too_large(path)
    written = datetime.fromtimestamp(status.st_mtime, UTC).date().isoformat()
    return Seed(path, hashlib.sha256(raw).hexdigest(), written, raw)


def _status(folder: Path, path: str) -> os.stat_result:
    if not path.isprintable():
        raise SeedError(f"the name {shown(path)} has characters that cannot be shown", "give the file another name")
    try:
        status = os.lstat(f"{folder}/{path}")
        inside = True
        # Folders that are links are not entered, so nothing else leads outside; to resolve each path would take seconds.
        if stat.S_ISLNK(status.st_mode) or ".." in path or path.startswith("/"):
            file = folder / path
            status, inside = file.stat(), file.resolve().is_relative_to(folder.resolve())
    except OSError as error:
        raise SeedError(f"{path} cannot be read ({error.strerror})", _MEND_RIGHTS) from error
    if not inside:
        raise SeedError(f"{path} is a link to a place outside {folder}", "copy the file itself into the seeds")
    if not stat.S_ISREG(status.st_mode):  # reading a pipe would wait for ever
        raise SeedError(f"{path} is not a file", "remove it from the seeds")
    if status.st_size > _MOST_BYTES:
        raise _too_large(path)
    return status


def _too_large(path: str) -> SeedError:
    return SeedTooLarge(f"{path} is larger than {_MOST_BYTES / 1e6:.0f} MB", "split it, or remove it from the seeds")


def shown(name: str) -> str:
    """A name as it can be printed."""
    # Surrogates stand for bytes that are no UTF-8: such a name can be neither stored nor printed.
    return name if name.isprintable() else name.encode("unicode_escape").decode("ascii")


def parse(seed: Seed) -> Document:
    """The document that the seed's bytes say. Raises SeedError where they say none."""
    ending = suffix(seed.path)
    try:
        if formats.is_text(seed.raw, ending):
            said = _plain(seed.raw, formats.TEXTS[ending])
        else:
            said = worker.shared.extract(seed.raw, ending)
    except SeedError as error:
        raise type(error)(f"{seed.path}: {error.problem}", error.mend) from error
    return Document(
        id=document_id(seed.path),
        path=seed.path,
        sha256=seed.sha256,
        media_type=said.media_type,
        language=language.detect(normalise(said.text)),
        date=said.date or seed.date,
        text=said.text,
        pages=said.pages,
    )


def _plain(raw: bytes, media_type: str) -> Extracted:
    """A text file, which is its characters and nothing else."""
    text, encoding = decode(raw)
    date = front_matter_day(text) if media_type == "text/markdown" else ""
    return Extracted(text, date, media_type=f"{media_type}; charset={encoding}")
