"""The seeds folder: the documents to index.

- `find` lists the documents, `stamp` and `read` give a file without and with its bytes, `parse` turns it into a `Document`.
- `add` and `add_bytes` copy documents into the folder, so that a rebuild finds them again.
- `remove` deletes a document.

Paths given to the last three may come from clients: nothing is written or deleted outside the folder.
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
from rag.ingestion.formats import Format
from rag.ingestion.wire import Extracted
from rag.text import normalise
from rag.types import Document

SUFFIXES = formats.SUFFIXES
# A larger text is a data dump, and no browser opens the page that shows it; other formats of that size are mostly pictures.
_MOST_BYTES = 100_000_000
# Most file systems allow 255 bytes; the hidden file that is written first has a longer name than the document.
_MOST_NAME_BYTES = 200
_HINT_RIGHTS = f"get read permission, or {formats.HINT_REMOVE}"


@dataclass(frozen=True, slots=True)
class Closed:
    """A folder in the seeds that cannot be listed, and why. `path` is relative to the seeds."""

    path: str
    error: SeedError


@dataclass(frozen=True, slots=True)
class Listing:
    """The sorted paths of the documents in the seeds folder, and the folders in it that cannot be listed."""

    paths: tuple[str, ...]
    closed: tuple[Closed, ...] = ()


@dataclass(frozen=True, slots=True)
class Stamp:
    """A file's metadata: while the stamp is the same, so are the file's bytes. Times are in nanoseconds since 1970."""

    size: int
    mtime_ns: int
    ctime_ns: int
    inode: int


@dataclass(frozen=True, slots=True)
class Seed:
    """A file of the seeds folder.

    `path` is relative to the folder, with forward slashes; `sha256` is the digest of `raw`, the file's bytes; `date` is the ISO
    day, in UTC, on which the file was last written.
    """

    path: str
    sha256: str
    date: str
    raw: bytes


def document_id(path: str) -> str:
    """A short id of the document at this path, which does not depend on its text."""
    return hashlib.sha256(path.encode("utf-8", "surrogateescape")).hexdigest()[:12]


def find(folder: Path) -> Listing:
    """The documents below `folder`. Hidden files, files without one of `SUFFIXES` and linked folders are skipped.

    Raises SeedError where the folder itself cannot be listed.
    """
    if not os.path.isdir(folder):  # noqa: PTH112 - Path.is_dir raises where the folder above may not be entered
        raise SeedError(f"there is no folder {folder}", "make it and put documents in, or set RAG_HOME to the folder above it")
    found: list[str] = []
    closed: list[OSError] = []
    for base, folders, names in os.walk(folder, onerror=closed.append):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        # Strings, which are faster than paths: a large folder is listed before every build.
        inside = os.path.relpath(base, folder)
        within = "" if inside == "." else f"{inside}/".replace(os.sep, "/")
        found += [within + name for name in names if not name.startswith(".") and suffix(name) in SUFFIXES]
    for error in closed:
        if Path(error.filename) == folder:
            raise _unlisted(error)
    shut = [Closed(Path(error.filename).relative_to(folder).as_posix(), _unlisted(error)) for error in closed]
    return Listing(tuple(sorted(found)), tuple(shut))


def suffix(name: str) -> str:
    """The suffix of a file's name or path, in lower case."""
    return os.path.splitext(name)[1].lower()  # noqa: PTH122 - see `find`


def _unlisted(error: OSError) -> SeedError:
    return SeedError(f"the folder {shown(error.filename)} cannot be listed ({error.strerror})", _HINT_RIGHTS)


def stamp(folder: Path, path: str) -> Stamp:
    """The file's stamp. Raises SeedError where `read` would refuse the file before reading it."""
    status = _status(folder, path)
    return Stamp(status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino)


def read(folder: Path, path: str) -> Seed:
    """The file with its bytes. Raises SeedError where it cannot be read, is outside the folder, or is too large."""
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
        # `find` enters no linked folders, so nothing else leads outside. Resolving every path would take seconds.
        if stat.S_ISLNK(status.st_mode) or ".." in path or path.startswith("/"):
            file = folder / path
            status, inside = file.stat(), file.resolve().is_relative_to(folder.resolve())
    except OSError as error:
        raise SeedError(f"{path} cannot be read ({error.strerror})", _HINT_RIGHTS) from error
    if not inside:
        raise SeedError(f"{path} is a link to a place outside {folder}", "copy the file itself into the seeds")
    if not stat.S_ISREG(status.st_mode):  # reading a pipe would block
        raise SeedError(f"{path} is not a file", "remove it from the seeds")
    if status.st_size > _MOST_BYTES:
        raise _too_large(path)
    return status


def _too_large(path: str) -> SeedError:
    return SeedTooLarge(f"{path} is larger than {_MOST_BYTES / 1e6:.0f} MB", formats.HINT_SPLIT)


def shown(name: str) -> str:
    """The name in printable characters."""
    # Surrogates stand for bytes that are not UTF-8: such a name can be neither stored nor printed.
    return name if name.isprintable() else name.encode("unicode_escape").decode("ascii")


def parse(seed: Seed) -> Document:
    """The document in the seed's bytes. Raises SeedError where there is none, with the seed's path."""
    ending = suffix(seed.path)
    try:
        if row := formats.as_text(seed.raw, ending):
            extracted = _plain(seed.raw, row)
        else:
            extracted = worker.shared.extract(seed.raw, ending)
    except SeedError as error:
        raise type(error)(f"{seed.path}: {error.problem}", error.hint) from error
    return Document(
        id=document_id(seed.path),
        path=seed.path,
        sha256=seed.sha256,
        media_type=extracted.media_type,
        language=language.detect(normalise(extracted.text)),
        date=extracted.date or seed.date,
        text=extracted.text,
        pages=extracted.pages,
    )


def _plain(raw: bytes, row: Format) -> Extracted:
    text, encoding = decode(raw)
    date = front_matter_day(text) if row is formats.MARKDOWN else ""
    return Extracted(text, date, media_type=f"{row.media_type}; charset={encoding}")


def add(seeds: Path, sources: Sequence[Path]) -> list[str]:
    """Copy files, and the documents in folders, into `seeds`, replacing those of the same name. Returns their paths there.

    Raises SeedError where a source is not a document or cannot be read, and StorageError where the copy cannot be written.
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
    """Write `raw` into `seeds` as `name`, by default as a text named after its digest. Returns its path there.

    Raises the same errors as `add`.
    """
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
    """Check that `name` is a file name, not a path, with one of `SUFFIXES`. Raises SeedError where it is not."""
    if Path(name).name != name or name.startswith(".") or not name.isprintable():
        raise SeedError(f"{name!a} is not a valid file name", "give one without folders, as in: --name notes.txt")
    if len(name.encode()) > _MOST_NAME_BYTES:
        raise SeedError(f"the name {name[:40]}… is too long", f"give one of at most {_MOST_NAME_BYTES} bytes in UTF-8")
    _require_known(Path(name))


def _pairs(seeds: Path, source: Path) -> Iterator[tuple[Path, Path]]:
    """Each document of the source with its target. A folder keeps its name and structure."""
    source = Path(os.path.abspath(source))  # noqa: PTH100 - a link keeps its own name
    if not source.exists():
        raise SeedError(f"there is no {source}", "name a file or a folder, or - for standard input")
    if source.is_relative_to(seeds.absolute()) or source.resolve().is_relative_to(seeds.resolve()):
        return
    if source.name.startswith("."):
        raise SeedError(f"{source.name} is hidden, and hidden files in the seeds are skipped", "give it another name")
    if source.is_dir():
        if seeds.resolve().is_relative_to(source.resolve()):
            raise SeedError(
                f"{source} contains the seeds folder {seeds}", "name the files and folders in it that should be copied"
            )
        found = find(source)
        if found.closed:
            raise found.closed[0].error
        for path in found.paths:
            yield source / path, seeds / source.name / path
    else:
        if not source.is_file():
            raise SeedError(f"{source} is not a file", "name a file or a folder, or - for standard input")
        _require_known(source)
        yield source, seeds / source.name


def _require_known(path: Path) -> None:
    if suffix(path.name) not in SUFFIXES:
        raise SeedError(f"the type of {path.name} is not supported", f"use one of {', '.join(sorted(SUFFIXES))}")


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        with replacing(target) as new:
            shutil.copy2(source, new)
    except PermissionError as error:
        if error.filename != str(source):
            raise
        raise SeedError(f"{source} cannot be read ({error.strerror})", "get read permission") from error


def remove(seeds: Path, path: str) -> None:
    """Delete the file at `path`, relative to `seeds`. A missing file is no error. A link is deleted, not its target.

    Raises SeedError where the path leads out of the seeds, and StorageError where the file cannot be deleted.
    """
    inside = PurePosixPath(path)
    folder = (seeds / inside).parent
    if inside.is_absolute() or ".." in inside.parts or not folder.resolve().is_relative_to(seeds.resolve()):
        raise SeedError(f"{path} is not in the seeds folder {seeds}", "name one inside that folder")
    with storage_errors(seeds):
        (seeds / inside).unlink(missing_ok=True)
