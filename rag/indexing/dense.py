"""Exact inner-product search with FAISS. The only importer of faiss."""

from pathlib import Path

import faiss
import numpy as np
from numpy.typing import NDArray


class DenseIndex:
    """Vectors by row number; row i belongs to chunk i of the snapshot."""

    def __init__(self, index: faiss.Index) -> None:
        self._index = index

    @classmethod
    def build(cls, vectors: NDArray[np.float32]) -> "DenseIndex":
        """An index over unit vectors of shape (rows, dimension)."""
        index = faiss.IndexFlatIP(vectors.shape[1])
        index.add(vectors)
        return cls(index)

    @classmethod
    def open(cls, path: Path) -> "DenseIndex":
        """The index that `write` left. Raises RuntimeError (faiss) where the file is none."""
        return cls(faiss.read_index(str(path)))

    def write(self, path: Path) -> None:
        """Write the index to `path`. Raises OSError."""
        # FAISS reports a full disk as a RuntimeError without its number; Python's own write does not.
        path.write_bytes(faiss.serialize_index(self._index).tobytes())

    def search(self, query: NDArray[np.float32], count: int) -> list[tuple[int, float]]:
        """The `count` rows with the highest inner product with `query` (dimension,), best first."""
        scores, rows = self._index.search(query[None, :], min(count, len(self)))
        return [(int(row), float(score)) for row, score in zip(rows[0], scores[0], strict=True)]

    def vectors(self, rows: list[int]) -> NDArray[np.float32]:
        """The stored vectors of these rows, shape (len(rows), dimension)."""
        return np.asarray(self._index.reconstruct_batch(np.asarray(rows, dtype=np.int64)), dtype=np.float32)

    def __len__(self) -> int:
        return int(self._index.ntotal)
