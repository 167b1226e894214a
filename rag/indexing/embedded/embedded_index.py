"""The index on this disk, an implementation of `Index`: keeps snapshots of FAISS and tantivy, and a pointer to one of them.

    ROOT/current       the id of the snapshot that serves
    ROOT/.lock         held by the one who writes
    ROOT/unread.json   what the last build could not read

`snapshot` has the rest of the layout.
"""

import json
import shutil
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path

import numpy as np
from filelock import FileLock, Timeout
from numpy.typing import NDArray

from rag.errors import IndexDamaged, IndexMismatch, IndexMissing, StorageError
from rag.files import storage_errors, write_atomically
from rag.indexing.embedded import draft, snapshot
from rag.indexing.embedded.snapshot import Snapshot, SnapshotManifest
from rag.indexing.protocol import KEPT, Maker, NewDocument, State, Unread


class EmbeddedIndex:
    """The snapshots below the folder `root`, which need not exist. Safe to use from several threads and processes."""

    def __init__(self, root: Path) -> None:
        self.root = root

    @property
    def scratch(self) -> Path:
        """The folder of the index itself."""
        return self.root

    def serving(self) -> str | None:
        """The id of the snapshot that serves; None where there is none. Raises IndexDamaged."""
        return snapshot.current_id(self.root)

    def manifest(self) -> SnapshotManifest:
        """The manifest of the snapshot that serves. Raises IndexMissing, IndexMismatch or IndexDamaged."""
        return snapshot.read_manifest(self.root)

    def open(self, name: str | None = None) -> Snapshot:
        """Open and check the snapshot `name`, else the one that serves. Raises SnapshotError or StorageError."""
        if name is not None:
            self._require_stored(name)
            return Snapshot.open(self.root, name)
        try:
            return Snapshot.open(self.root)
        except IndexDamaged:
            # A build may have switched to another snapshot, and removed this one, while it was being opened.
            serving = self.serving()
            if serving is None or not snapshot.folder_of(self.root, serving).exists():
                raise
            return Snapshot.open(self.root)

    def stored(self) -> list[SnapshotManifest]:
        """The snapshots that can be rolled back to, newest first. One whose manifest cannot be read is left out."""
        found = []
        for folder in (self.root / "snapshots").glob("[!.]*"):
            with suppress(IndexDamaged, IndexMismatch):
                found.append(snapshot.read_manifest(self.root, folder.name))
        return sorted(found, key=lambda manifest: manifest.id, reverse=True)

    @contextmanager
    def writing(self, waiting: Callable[[], None] = lambda: None) -> Iterator[None]:
        """The lock of this index, for threads and processes. Raises StorageError."""
        with storage_errors(self.root):
            self.root.mkdir(parents=True, exist_ok=True)
            lock = FileLock(self.root / ".lock")
            try:
                lock.acquire(timeout=0)
            except Timeout:
                waiting()
                lock.acquire()
        try:
            self._clear_abandoned()
            yield
        finally:
            lock.release()

    def write(
        self,
        base: State | None,
        maker: Maker,
        *,
        stays: Collection[int],
        new: Sequence[NewDocument],
        vectors: Mapping[bytes, NDArray[np.float32]],
    ) -> SnapshotManifest:
        """Write a snapshot after `base`, and make it serve. Raises StorageError or OSError."""
        assert base is None or isinstance(base, Snapshot)
        with storage_errors(self.root):
            manifest = draft.write(self.root, base, maker, stays=stays, new=new, vectors=vectors)
        self._switch(manifest.id)
        # The new snapshot serves. A failure to remove old ones is no failure of the build: the next one tries again.
        with suppress(StorageError):
            self.prune(KEPT)
        return manifest

    def rollback(self, name: str) -> SnapshotManifest:
        """Check an older snapshot, and make it serve again. Raises IndexMissing, IndexMismatch or IndexDamaged."""
        opened = self.open(name)
        opened.close()
        self._switch(name)
        return opened.manifest

    def prune(self, keep: int) -> list[str]:
        """Keep the snapshot that serves and the newest others, `keep` in all. Removes what killed builds left, too.

        Returns the ids of the snapshots removed. Raises StorageError.
        """
        self._clear_abandoned()
        serving = self.serving()
        with storage_errors(self.root):
            folders = (self.root / "snapshots").glob("[!.]*")
            names = sorted((path.name for path in folders if path.name != serving), reverse=True)
            old = names[keep - 1 :]
            for name in old:
                # Renamed first, so that a removal killed half-way leaves no half snapshot under its id.
                doomed = snapshot.folder_of(self.root, name).rename(self.root / "snapshots" / f".removing-{name}")
                shutil.rmtree(doomed, ignore_errors=True)
        return old

    def unread(self) -> list[Unread]:
        """The files that the last build could not read. Empty without a valid list: the next build writes one."""
        with suppress(OSError, ValueError, TypeError, RecursionError):
            return [Unread(**each) for each in json.loads(self._unread_file.read_text("utf-8"))]
        return []

    def note_unread(self, found: Sequence[Unread]) -> None:
        """Replace the note, if it differs. Raises StorageError."""
        if list(found) != self.unread():
            # File names that are not UTF-8 hold surrogates, which JSON can only write as escapes.
            write_atomically(self._unread_file, json.dumps([asdict(each) for each in found]))

    @property
    def _unread_file(self) -> Path:
        return self.root / "unread.json"

    def verify(self) -> Iterator[str]:
        """Every defect of the snapshot that serves, a line each; every byte is read. Raises SnapshotError."""
        return snapshot.verify(self.root)

    def described(self) -> str:
        """The number of segments of the snapshot that serves, and how their vectors are searched. Raises SnapshotError."""
        opened = self.open()
        kinds = sorted({segment.dense.kind for segment in opened.segments})
        opened.close()
        return f"{len(opened.segments)} segments, vectors searched by {' and '.join(kinds)}"

    def interrupted(self) -> bool:
        """Whether a write is under way or was killed. What it left is harmless, and removed by the next `writing`."""
        return bool(self._abandoned())

    def _require_stored(self, name: str) -> None:
        if name not in {manifest.id for manifest in self.stored()}:
            raise IndexMissing(f"there is no snapshot {name}", "choose one of `rag snapshots list`")

    def _switch(self, name: str) -> None:
        write_atomically(self.root / "current", name + "\n")

    def _abandoned(self) -> list[Path]:
        return sorted((self.root / "snapshots").glob(".*"))

    def _clear_abandoned(self) -> None:
        for path in self._abandoned():
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)
