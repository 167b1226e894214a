"""The seeds folder: which files are documents, what they say, in which language. Reads, never writes."""

import hashlib
import os
import stat
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from rag import language
from rag.errors import SeedError
from rag.ingestion.decoding import decode
from rag.text import normalise
from rag.types import Document

SUFFIXES = frozenset({".txt", ".md", ".markdown", ".text"})
# Above this a text file is a data dump, and the page that shows it would not open.
_MOST_BYTES = 100_000_000


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


def find(folder: Path) -> list[str]:
    """Paths of the documents below `folder`, sorted; hidden files and other kinds of file are passed over.

    Raises SeedError where the folder cannot be listed.
    """
    if not os.path.isdir(folder):  # noqa: PTH112 - Path.is_dir raises where the folder above may not be entered
        raise SeedError(f"there is no folder {folder}", "make it and put documents in, or set RAG_HOME to the folder above it")
    found: list[str] = []
    for base, folders, names in os.walk(folder, onerror=_refuse):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        paths = (Path(base, name) for name in names if not name.startswith("."))
        found += [path.relative_to(folder).as_posix() for path in paths if path.suffix.lower() in SUFFIXES]
    return sorted(found)


def _refuse(error: OSError) -> None:
    raise SeedError(f"the folder {error.filename} cannot be listed ({error.strerror})", "give yourself the right to read it")


def read(folder: Path, path: str) -> Seed:
    """The file's bytes and digest. Raises SeedError where it cannot be read or lies outside the folder."""
    file = folder / path
    if not path.isprintable():
        # Surrogates stand for bytes that are no UTF-8: such a name can be neither stored nor printed.
        shown = path.encode("unicode_escape").decode("ascii")
        raise SeedError(f"the name {shown} has characters that cannot be shown", "give the file another name")
    try:
        status = file.stat()
        if not file.resolve().is_relative_to(folder.resolve()):
            raise SeedError(f"{path} is a link to a place outside {folder}", "copy the file itself into the seeds")
        if not stat.S_ISREG(status.st_mode):  # reading a pipe would wait for ever
            raise SeedError(f"{path} is not a file", "remove it from the seeds")
        if status.st_size > _MOST_BYTES:
            raise SeedError(f"{path} is larger than {_MOST_BYTES / 1e6:.0f} MB", "split it, or remove it from the seeds")
        raw = file.read_bytes()
    except OSError as error:
        mend = "give yourself the right to read it, or remove it from the seeds"
        raise SeedError(f"{path} cannot be read ({error.strerror})", mend) from error
    written = datetime.fromtimestamp(status.st_mtime, UTC).date().isoformat()
    return Seed(path, hashlib.sha256(raw).hexdigest(), written, raw)


def parse(seed: Seed) -> Document:
    """The document that the seed's bytes say. Raises SeedError where they are no text."""
    try:
        text, encoding = decode(seed.raw)
    except SeedError as error:
        raise SeedError(f"{seed.path}: {error.problem}", error.mend) from error
    return Document(
        id=document_id(seed.path),
        path=seed.path,
        sha256=seed.sha256,
        media_type=f"text/plain; charset={encoding}",
        language=language.detect(normalise(text)),
        date=seed.date,
        text=text,
    )
