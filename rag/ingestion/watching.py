"""Waits for changes in the seeds folder. The only importer of watchfiles."""

import time
from collections.abc import Iterator
from pathlib import Path

import watchfiles

from rag.errors import SeedError

# Changes that come closer together than `_QUIET` milliseconds are taken as one, for `_LONGEST` at most: a folder being copied.
_QUIET = 500
_LONGEST = 5000


def changes(folder: Path) -> Iterator[None]:
    """One item as soon as `folder` is watched, then one after each burst of changes below it, without end.

    What changes while an item is being dealt with makes the next one. A folder that is removed is waited for. Raises SeedError
    where the folder cannot be watched.
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
    """As `changes`, until the folder is no longer the one that is watched: the system watches a folder, not its name."""
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
    """What the system knows the folder by; None where there is none."""
    try:
        status = folder.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino
