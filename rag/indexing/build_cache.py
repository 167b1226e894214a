"""Two caches that a build keeps for the next one, in the index's scratch folder.

    stamps.sqlite          SHA-256 of files by path, size, times and inode: a file with the same stamp is not read again
    unfinished-*.vectors   vectors of a build that did not end: their dimension (four bytes, little-endian), then records of a
                           text's digest, its vector, and a CRC-32 of both

If they are lost or damaged, every seed is read once and texts are embedded again; nothing else happens. A record that a crash
cut short, or left partly as zeros, is skipped. The file of vectors is removed at the end of a build.
"""

import sqlite3
import time
import zlib
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rag.ingestion.seeds_folder import Stamp

# Of a text's digest; then of the header and of the checksum in the file of vectors.
DIGEST_BYTES = 16
_HEADER_BYTES = _CHECK_BYTES = 4
# Nanoseconds. A file written so shortly before it was read may be written again without a change of its time: file systems
# keep times to two seconds at worst.
_TOO_FRESH = 2_000_000_000
_SCHEMA = """
create table if not exists stamps (
    path text primary key, size integer, mtime_ns integer, ctime_ns integer, inode integer, sha256 text not null) without rowid;
"""


class Stamps:
    """Digests of files by path and stamp, in one SQLite file."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._known = _read(file)
        self._learnt: dict[str, tuple[Stamp, str]] = {}

    def digest(self, path: str, stamp: Stamp) -> str | None:
        """The SHA-256 of the file's bytes, if its stamp is unchanged; else None."""
        known = self._known.get(path)
        return known[1] if known and known[0] == stamp else None

    def learn(self, path: str, stamp: Stamp, sha256: str) -> None:
        """Remember the digest of a file that was read, unless it was written in the last two seconds."""
        if time.time_ns() - max(stamp.mtime_ns, stamp.ctime_ns) > _TOO_FRESH:
            self._learnt[path] = (stamp, sha256)

    def save(self) -> None:
        """Write what was learnt. If that fails, the files are read again next time."""
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


class Unfinished:
    """Vectors by the digest of their text, for the embedder with the digest `maker`."""

    def __init__(self, root: Path, maker: str) -> None:
        self._file = root / f"unfinished-{maker[:16]}.vectors"

    def load(self) -> dict[bytes, NDArray[np.float32]]:
        """The vectors that an earlier build left, each of shape (dimension,). Cuts off a torn record, for others to follow."""
        raw = self._file.read_bytes() if self._file.exists() else b""
        dimension = int.from_bytes(raw[:_HEADER_BYTES], "little")
        if len(raw) < _HEADER_BYTES or not dimension:
            self._file.unlink(missing_ok=True)
            return {}
        size = DIGEST_BYTES + 4 * dimension + _CHECK_BYTES
        whole = (len(raw) - _HEADER_BYTES) // size
        if not whole:
            # Behind a header that a crash left wrong, nothing appended would ever be read.
            self._file.unlink(missing_ok=True)
            return {}
        with self._file.open("r+b") as file:
            file.truncate(_HEADER_BYTES + whole * size)
        records = (raw[start : start + size] for start in range(_HEADER_BYTES, _HEADER_BYTES + whole * size, size))
        return {
            record[:DIGEST_BYTES]: np.frombuffer(record[DIGEST_BYTES:-_CHECK_BYTES], dtype="<f4")
            for record in records
            if record[-_CHECK_BYTES:] == _check(record[:-_CHECK_BYTES])
        }

    def append(self, digests: Sequence[bytes], vectors: NDArray[np.float32]) -> None:
        """Add records for vectors of shape (len(digests), dimension). Raises OSError."""
        rows = np.ascontiguousarray(vectors, dtype="<f4")
        with self._file.open("ab") as file:
            if not file.tell():
                file.write(rows.shape[1].to_bytes(_HEADER_BYTES, "little"))
            records = (digest + row.tobytes() for digest, row in zip(digests, rows, strict=True))
            file.write(b"".join(record + _check(record) for record in records))


def _check(record: bytes) -> bytes:
    return zlib.crc32(record).to_bytes(_CHECK_BYTES, "little")


def left(root: Path) -> list[Path]:
    """The files of vectors of builds that did not end."""
    return sorted(root.glob("unfinished-*.vectors"))


def clear(root: Path) -> None:
    """Remove the vectors of all embedders: once the index is in line, none is of use."""
    for path in left(root):
        path.unlink(missing_ok=True)
