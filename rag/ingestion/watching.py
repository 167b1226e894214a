"""Waits for changes in the seeds folder."""

import time
from collections.abc import Iterator
from pathlib import Path

import watchfiles

from rag.errors import SeedError

# Milliseconds. Changes with less than `_QUIET` between them are one burst, for `_LONGEST` at most: a folder being copied.
_QUIET = 500
_LONGEST = 5000


def changes(folder: Path) -> Iterator[None]:
    """One item as soon as `folder` is watched, then one after each burst of changes below it, without end.

    Changes during the handling of an item give the next item. A removed folder is watched again when it is back. Raises
    SeedError where the folder cannot be watched.
    """
    if not folder.is_dir():
        raise SeedError(f"there is no folder {folder}", "make it and put documents in, or set RAG_HOME to the folder above it")
    while True:
        yield from _changes_of_one(folder)
        if not folder.is_dir():
            yield
        while not folder.is_dir():
            time.sleep(_QUIET / 1000)


def _changes_of_one(folder: Path) -> Iterator[None]:
    """As `changes`, until another folder has the path: the system watches the folder itself, not its path."""
    identity, watched = _identity(folder), False
    try:
        for burst in watchfiles.watch(
            folder, watch_filter=None, step=_QUIET, debounce=_LONGEST, rust_timeout=_QUIET, yield_on_timeout=True
        ):
            if _identity(folder) != identity:
                return
            if burst or not watched:
                watched = True
                yield
    except FileNotFoundError:
        return
    except OSError as error:
        hint = "raise the system's limit of watched files, or run `rag index` from a timer"
        raise SeedError(f"{folder} cannot be watched ({error})", hint) from error


def _identity(folder: Path) -> tuple[int, int] | None:
    """The device and inode of the folder; None where there is none."""
    try:
        status = folder.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino
