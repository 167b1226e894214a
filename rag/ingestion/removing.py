"""Takes documents out of the seeds folder. What it is told may come from outside: it never leaves that folder."""

from pathlib import Path, PurePosixPath

from rag.errors import SeedError
from rag.files import storage_errors


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
