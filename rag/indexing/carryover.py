"""Vectors of a build that is under way, kept as they are made: a build that was killed goes on where it stopped.

One file beside the snapshots: the vectors' dimension (four bytes), then records of a text's digest, its vector, and their
checksum. A record that a crash cut short or left in part as zeros is left out. The file is removed when the build has ended.
"""

import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

DIGEST_BYTES = 16
_HEADER_BYTES = _CHECK_BYTES = 4


class Unfinished:
    """Vectors by the digest of their text, for one embedder: `maker` names it."""

    def __init__(self, root: Path, maker: str) -> None:
        self._file = root / f"unfinished-{maker[:16]}.vectors"

    def load(self) -> dict[bytes, NDArray[np.float32]]:
        """What an earlier build left, each vector of shape (dimension,). Cuts off a torn end, so that records can follow."""
        raw = self._file.read_bytes() if self._file.exists() else b""
        dimension = int.from_bytes(raw[:_HEADER_BYTES], "little")
        if len(raw) < _HEADER_BYTES or not dimension:
            self._file.unlink(missing_ok=True)
            return {}
        size = DIGEST_BYTES + 4 * dimension + _CHECK_BYTES
        whole = (len(raw) - _HEADER_BYTES) // size
        if not whole:
            # With a header that a crash left wrong, nothing appended behind it would ever be read.
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
    """Files of builds that did not end."""
    return sorted(root.glob("unfinished-*.vectors"))


def clear(root: Path) -> None:
    """The index is in line: nothing that was left is of use any more, whichever embedder made it."""
    for path in left(root):
        path.unlink(missing_ok=True)
