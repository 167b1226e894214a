"""Brings documents into the seeds folder from elsewhere: what is indexed lies there, so that a rebuild loses nothing."""

import hashlib
import os
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

from rag.errors import SeedError
from rag.files import replacing, storage_errors
from rag.ingestion import seeds as documents

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
        found = documents.find(source)
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
    if documents.suffix(path.name) not in documents.SUFFIXES:
        raise SeedError(f"{path.name} is of no kind that is read", f"name one of {', '.join(sorted(documents.SUFFIXES))}")


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        with replacing(target) as new:
            shutil.copy2(source, new)
    except PermissionError as error:
        if error.filename != str(source):
            raise
        raise SeedError(f"{source} cannot be read ({error.strerror})", "give yourself the right to read it") from error
