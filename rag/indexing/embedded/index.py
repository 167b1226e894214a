"""The snapshots that are kept: which one serves, going back to another, removing old ones and what killed builds left."""

import shutil
from pathlib import Path

from rag.errors import IndexDamaged, IndexMismatch, IndexMissing
from rag.files import storage_errors, write_atomically
from rag.indexing.embedded import snapshot
from rag.indexing.embedded.snapshot import Manifest, Snapshot

# The one that serves and those before it: they share their files, so they cost what changed since.
KEPT = 5


def stored(root: Path) -> list[Manifest]:
    """The snapshots that can be gone back to, newest first; those that cannot be read are left out."""
    found = []
    for folder in (root / "snapshots").glob("[!.]*"):
        try:
            found.append(snapshot.read_manifest(root, folder.name))
        except (IndexDamaged, IndexMismatch):
            continue
    return sorted(found, key=lambda manifest: manifest.id, reverse=True)


def switch(root: Path, name: str) -> None:
    """Make this snapshot the one that serves. Raises StorageError."""
    write_atomically(root / "current", name + "\n")


def open_stored(root: Path, name: str) -> Snapshot:
    """Open one of the snapshots that can be gone back to. Raises IndexMissing, IndexMismatch or IndexDamaged."""
    if name not in {manifest.id for manifest in stored(root)}:
        raise IndexMissing(f"there is no snapshot {name}", "choose one of `rag snapshots list`")
    return Snapshot.open(root, name)


def rollback(root: Path, name: str) -> Manifest:
    """Make an older snapshot serve again, once it was found whole. Raises as `open_stored` does."""
    opened = open_stored(root, name)
    opened.close()
    switch(root, name)
    return opened.manifest


def prune(root: Path, keep: int) -> list[str]:
    """Remove all but the newest `keep` snapshots, and what killed builds left; the one that serves stays in any case.

    Returns the ids of what was removed. The caller holds the lock. Raises StorageError.
    """
    clear_abandoned(root)
    serving = snapshot.current_id(root)
    with storage_errors(root):
        names = sorted((path.name for path in (root / "snapshots").glob("[!.]*") if path.name != serving), reverse=True)
        old = names[keep - 1 :]
        for name in old:
            # Renamed first: a removal that is killed half-way leaves no half snapshot under its name.
            shutil.rmtree(_doomed(root, name), ignore_errors=True)
    return old


def _doomed(root: Path, name: str) -> Path:
    return snapshot.folder_of(root, name).rename(root / "snapshots" / f".removing-{name}")


def abandoned(root: Path) -> list[Path]:
    """What killed builds and removals left: harmless, and cleaned by the next build."""
    return sorted((root / "snapshots").glob(".*"))


def clear_abandoned(root: Path) -> None:
    """Remove what killed builds and removals left. The caller holds the lock."""
    for path in abandoned(root):
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
