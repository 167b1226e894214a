"""Waits for changes in the seeds folder. The only importer of watchfiles."""

from collections.abc import Iterator
from pathlib import Path

import watchfiles

from rag.errors import SeedError

# Changes that come closer together than `_QUIET` milliseconds are taken as one, for `_LONGEST` at most: a folder being copied.
_QUIET = 500
_LONGEST = 5000


def changes(folder: Path) -> Iterator[None]:
    """One item as soon as `folder` is watched, then one after each burst of changes below it, without end.

    What changes while an item is being dealt with makes the next one. Raises SeedError where the folder cannot be watched.
    """
    if not folder.is_dir():
        raise SeedError(f"there is no folder {folder}", "make it and put documents in, or set RAG_HOME to the folder above it")
    watched = False
    try:
        for burst in watchfiles.watch(
            folder, watch_filter=None, step=_QUIET, debounce=_LONGEST, rust_timeout=_QUIET, yield_on_timeout=True
        ):
            if burst or not watched:
                watched = True
                yield
    except OSError as error:
        mend = "raise the system's limit of watched files, or run `rag index` from a timer"
        raise SeedError(f"{folder} cannot be watched ({error})", mend) from error
