"""What is known of the seeds' files without reading them: same stamp, same bytes. A cache, not the index.

Damaged or lost, it costs one reading of every seed.
"""

import sqlite3
import time
from contextlib import closing
from pathlib import Path

from rag.ingestion.seeds import Stamp

# A file written within so many nanoseconds before it was read can be written once more without its time showing it: file
# systems keep times to two seconds at worst.
_TOO_FRESH = 2_000_000_000
_SCHEMA = """
create table if not exists stamps (
    path text primary key, size integer, mtime_ns integer, ctime_ns integer, inode integer, sha256 text not null) without rowid;
"""


class Stamps:
    """Digests of files by path and stamp, kept in one SQLite file beside the snapshots."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._known = _read(file)
        self._learnt: dict[str, tuple[Stamp, str]] = {}

    def digest(self, path: str, stamp: Stamp) -> str | None:
        """The SHA-256 of the file's bytes where it has not been written since; else None."""
        known = self._known.get(path)
        return known[1] if known and known[0] == stamp else None

    def learn(self, path: str, stamp: Stamp, sha256: str) -> None:
        """Remember the digest of a file that was read, unless it was written a moment ago."""
        if time.time_ns() - max(stamp.mtime_ns, stamp.ctime_ns) > _TOO_FRESH:
            self._learnt[path] = (stamp, sha256)

    def save(self) -> None:
        """Write what was learnt. What cannot be written is read again next time."""
        if not self._learnt:
            return
        rows = [(p, s.size, s.mtime_ns, s.ctime_ns, s.inode, sha256) for p, (s, sha256) in self._learnt.items()]
        try:
            with closing(sqlite3.connect(self._file)) as database, database:
                database.executescript(_SCHEMA)
                database.executemany("insert or replace into stamps values (?, ?, ?, ?, ?, ?)", rows)
        except sqlite3.Error:
            self._file.unlink(missing_ok=True)


def _read(file: Path) -> dict[str, tuple[Stamp, str]]:
    if not file.exists():
        return {}
    try:
        with closing(sqlite3.connect(file)) as database:
            rows = database.execute("select path, size, mtime_ns, ctime_ns, inode, sha256 from stamps").fetchall()
        return {path: (Stamp(*numbers), sha256) for path, *numbers, sha256 in rows}
    except (sqlite3.Error, TypeError):
        file.unlink(missing_ok=True)
        return {}
