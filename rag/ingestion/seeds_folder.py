"""The seeds folder: which files are documents, what they say, in which language. Reads, never writes.

Brings documents into the seeds folder from elsewhere: what is indexed lies there, so that a rebuild loses nothing.

Takes documents out of the seeds folder. What it is told may come from outside: it never leaves that folder.
"""

import hashlib
import os
import shutil
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath

from rag import language
from rag.errors import SeedError, SeedTooLarge
from rag.files import replacing, storage_errors
from rag.ingestion import formats, worker
from rag.ingestion.dates import front_matter_day
from rag.ingestion.decoding import decode
from rag.ingestion.wire import Extracted
from rag.text import normalise
from rag.types import Document

SUFFIXES = formats.SUFFIXES
# Above this a text file is a data dump, and the page that shows it would not open; other formats hold pictures, mostly.
_MOST_BYTES = 100_000_000
_HINT_RIGHTS = "give yourself the right to read it, or remove it from the seeds"


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
    return SeedError(f"the folder {shown(error.filename)} cannot be listed ({error.strerror})", _HINT_RIGHTS)


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
        raise SeedError(f"{path} cannot be read ({error.strerror})", _HINT_RIGHTS) from error
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
        raise SeedError(f"{path} cannot be read ({error.strerror})", _HINT_RIGHTS) from error
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
        raise type(error)(f"{seed.path}: {error.problem}", error.hint) from error
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


# Most file systems take 255; the hidden file that is written first has a longer name than the document.
_MOST_NAME_BYTES = 200


def add(seeds: Path, sources: Sequence[Path]) -> list[str]:
    """Copy files, and the documents of folders, into `seeds`; one of the same name is replaced. Returns their paths there.

    Raises SeedError where a source is no document or cannot be read, StorageError where it cannot be written.
    """
    pairs = list(dict.fromkeys(pair for source in sources for pair in _pairs(seeds, source)))
    origins: dict[Path, Path] = {}
    for source, target in pairs:
        if origins.setdefault(target, source) != source:
            problem = f"{origins[target]} and {source} would both become {target.relative_to(seeds)}"
            raise SeedError(problem, "rename one, or index them one after the other")
    with storage_errors(seeds):
        for source, target in pairs:
            _copy(source, target)
    return [target.relative_to(seeds).as_posix() for _, target in pairs]


def add_bytes(seeds: Path, raw: bytes, name: str | None) -> str:
    """Write `raw` into `seeds` as `name`, else under its digest as a text. Returns the path there. Raises as `add` does."""
    name = name or f"stdin-{hashlib.sha256(raw).hexdigest()[:12]}.txt"
    if not raw:
        raise SeedError("standard input is empty", "pipe a document into `rag index -`")
    require_name(name)
    with storage_errors(seeds):
        seeds.mkdir(parents=True, exist_ok=True)
        with replacing(seeds / name) as new:
            new.write_bytes(raw)
    return name


def require_name(name: str) -> None:
    """That a document of the seeds may have this name, which then is no path. Raises SeedError."""
    if Path(name).name != name or name.startswith(".") or not name.isprintable():
        raise SeedError(f"{name!a} is no file name", "give one without folders, as in: --name notes.txt")
    if len(name.encode()) > _MOST_NAME_BYTES:
        raise SeedError(f"the name {name[:40]}… is too long", f"give one of at most {_MOST_NAME_BYTES} bytes in UTF-8")
    _require_known(Path(name))


def _pairs(seeds: Path, source: Path) -> Iterator[tuple[Path, Path]]:
    """Each document of the source, and where it goes: a folder keeps its name and its shape."""
    source = Path(os.path.abspath(source))  # noqa: PTH100 - a link keeps the name it was given by
    if not source.exists():
        raise SeedError(f"there is no {source}", "name a file or a folder, or - for standard input")
    if source.is_relative_to(seeds.absolute()) or source.resolve().is_relative_to(seeds.resolve()):
        return
    if source.name.startswith("."):
        raise SeedError(f"{source.name} is hidden, and what is hidden in the seeds is passed over", "give it another name")
    if source.is_dir():
        if seeds.resolve().is_relative_to(source.resolve()):
            raise SeedError(f"{source} holds {seeds} itself", "name the files and folders in it that are to be copied")
        found = find(source)
        if found.closed:
            raise found.closed[0].error
        for path in found.paths:
            yield source / path, seeds / source.name / path
    else:
        if not source.is_file():
            raise SeedError(f"{source} is no file", "name a file or a folder, or - for standard input")
        _require_known(source)
        yield source, seeds / source.name


def _require_known(path: Path) -> None:
    if suffix(path.name) not in SUFFIXES:
        raise SeedError(f"{path.name} is of no kind that is read", f"name one of {', '.join(sorted(SUFFIXES))}")


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        with replacing(target) as new:
            shutil.copy2(source, new)
    except PermissionError as error:
        if error.filename != str(source):
            raise
        raise SeedError(f"{source} cannot be read ({error.strerror})", "give yourself the right to read it") from error


def remove(seeds: Path, path: str) -> None:
    """Remove the file at `path`, relative to `seeds`; one that is gone already is no error.

    A link is removed, not what it leads to. Raises SeedError where the path leads out of the seeds, StorageError where the
    disk does not let it be removed.
    """
    inside = PurePosixPath(path)
    folder = (seeds / inside).parent
    if inside.is_absolute() or ".." in inside.parts or not folder.resolve().is_relative_to(seeds.resolve()):
        raise SeedError(f"{path} is no document of {seeds}", "name one that lies in it")
    with storage_errors(seeds):
        (seeds / inside).unlink(missing_ok=True)
