"""Vectors of a build that is under way, kept as they are made: a build that was killed goes on where it stopped.

One file beside the snapshots: the vectors' dimension (four bytes), then records of a text's digest and its vector. A record cut
short by a crash is left out. The file is removed when the build has ended.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

DIGEST_BYTES = 16
_HEADER_BYTES = 4
# Of the length of a unit vector; a record that a crash left as zeros is far from it.
_TOLERANCE = 1e-2


class Unfinished:
    """Vectors by the digest of their text, for one embedder: `maker` names it."""

    def __init__(self, root: Path, maker: str) -> None:
        self._file = root / f"unfinished-{maker[:16]}.vectors"

    def load(self) -> dict[bytes, NDArray[np.float32]]:
        """What an earlier build left, each vector of shape (dimension,). Cuts off a torn end, so that records can follow."""
        raw = self._file.read_bytes() if self._file.exists() else b""
        dimension = int.from_bytes(raw[:_HEADER_BYTES], "little")
        if len(raw) < _HEADER_BYTES or not dimension:
            self.remove()
            return {}
        size = DIGEST_BYTES + 4 * dimension
        whole = (len(raw) - _HEADER_BYTES) // size
        with self._file.open("r+b") as file:
            file.truncate(_HEADER_BYTES + whole * size)
        records = np.frombuffer(raw, dtype=np.uint8, offset=_HEADER_BYTES, count=whole * size).reshape(-1, size)
        vectors = np.ascontiguousarray(records[:, DIGEST_BYTES:]).view("<f4").astype(np.float32)
        unit = np.abs(np.linalg.norm(vectors, axis=1) - 1) < _TOLERANCE
        return {bytes(record[:DIGEST_BYTES]): vector for record, vector, ok in zip(records, vectors, unit, strict=True) if ok}

    def append(self, digests: Sequence[bytes], vectors: NDArray[np.float32]) -> None:
        """Add records for vectors of shape (len(digests), dimension). Raises OSError."""
        rows = np.ascontiguousarray(vectors, dtype="<f4")
        with self._file.open("ab") as file:
            if not file.tell():
                file.write(rows.shape[1].to_bytes(_HEADER_BYTES, "little"))
            file.write(b"".join(digest + row.tobytes() for digest, row in zip(digests, rows, strict=True)))

    def remove(self) -> None:
        """The build has ended."""
        self._file.unlink(missing_ok=True)


def left(root: Path) -> list[Path]:
    """Files of builds that did not end."""
    return sorted(root.glob("unfinished-*.vectors"))
