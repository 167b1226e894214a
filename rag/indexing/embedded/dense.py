"""Search among the vectors of one segment: exact up to `EXACT_MOST` vectors, above that with FAISS. The only importer of faiss.

Exact search is one matrix-vector product over the memory-mapped vectors: for one question it runs on all cores, where
FAISS's flat index scans on one (50,000 vectors of 384: 8.7 ms against 24 ms on two cores). From `EXACT_MOST` on, an inverted
file of 8-bit codes proposes candidates, and these are scored exactly.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import faiss
import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

# Exact search over so many vectors of 384 takes 10 ms on two cores (benchmarks/dense_scale.py).
EXACT_MOST = 50_000
# Lists and probes of the inverted file, candidates for each result wanted: see benchmarks/dense_scale.py.
_LISTS_PER_ROOT = 4
PROBES = 256
_OVERSAMPLING = 4
# Enough points for k-means to place the lists; more only costs time.
_POINTS_PER_LIST = 64
_ITERATIONS = 8
_SEED = 1
# The cost of copying one allowed row, in rows multiplied where they are: for all but one of 50,000 rows, copying and
# multiplying them took 233 ms; multiplying all and choosing from the scores took 36.
_DEAR = 6
_VECTORS, _INVERTED = "vectors.npy", "ivf.faiss"


@dataclass(frozen=True, slots=True)
class Hits:
    """Rows of a segment with their inner products, best first. Both of shape (found,)."""

    rows: NDArray[np.int64]
    scores: NDArray[np.float32]


class DenseIndex:
    """Unit vectors by row number. Safe to use from several threads."""

    def __init__(self, vectors: NDArray[np.float32], inverted: Any) -> None:
        self.vectors, self._inverted = vectors, inverted

    @classmethod
    def open(cls, folder: Path) -> "DenseIndex":
        """Open what `write` wrote, memory-mapped. Raises OSError, ValueError or RuntimeError (faiss) if it is damaged."""
        vectors = np.load(folder / _VECTORS, mmap_mode="r", allow_pickle=False)
        path = folder / _INVERTED
        inverted = faiss.read_index(str(path), faiss.IO_FLAG_MMAP_IFC) if path.exists() else None
        return cls(vectors, inverted)

    @property
    def exact(self) -> bool:
        """Whether a search compares every vector."""
        return self._inverted is None

    @property
    def kind(self) -> str:
        """How it is searched, for people: `exact`, or the kind of the inverted file."""
        return "exact" if self._inverted is None else f"IVF{self._inverted.nlist},SQ8 and exact re-scoring"

    def search(self, query: NDArray[np.float32], count: int, allowed: NDArray[np.bool_] | None = None) -> Hits:
        """The `count` rows with the highest inner product with `query` (dimension,), of the `allowed` (rows,) where given."""
        rows = self._candidates(query, count, allowed)
        scores = self.scores(query, rows)
        best = np.argsort(-scores, kind="stable")[:count]
        return Hits(rows[best], scores[best])

    def scores(self, query: NDArray[np.float32], rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """The exact inner products of these rows with `query`, shape (rows,)."""
        return np.asarray(self.vectors[rows] @ query, dtype=np.float32)

    def _candidates(self, query: NDArray[np.float32], count: int, allowed: NDArray[np.bool_] | None) -> NDArray[np.int64]:
        if self._inverted is None or (allowed is not None and np.count_nonzero(allowed) <= EXACT_MOST):
            return self._best_exactly(query, count, allowed)
        probes = min(PROBES, self._inverted.nlist)
        selector = None if allowed is None else faiss.IDSelectorBitmap(np.packbits(allowed, bitorder="little"))  # type: ignore[call-arg,arg-type]  # the binding takes an array
        parameters = faiss.SearchParametersIVF(nprobe=probes, sel=selector)  # type: ignore[call-arg]  # the binding takes keywords
        _, rows = self._inverted.search(query[None, :], count * _OVERSAMPLING, params=parameters)
        found = np.asarray(rows[0][rows[0] >= 0], dtype=np.int64)
        # The lists nearest to the question may hold few allowed rows, for instance if all are of another language.
        return self._best_exactly(query, count, allowed) if allowed is not None and len(found) < count else found

    def _best_exactly(self, query: NDArray[np.float32], count: int, allowed: NDArray[np.bool_] | None) -> NDArray[np.int64]:
        rows = None if allowed is None else np.flatnonzero(allowed)
        if rows is None or len(rows) * _DEAR > len(self.vectors):
            scores = self.vectors @ query
            scores = scores if rows is None else scores[rows]
        else:
            scores = self.vectors[rows] @ query
        surplus = max(0, len(scores) - count)
        best = np.argpartition(scores, surplus)[surplus:] if surplus else np.arange(len(scores))
        return np.asarray(best if rows is None else rows[best], dtype=np.int64)


def write(folder: Path, vectors: NDArray[np.float32]) -> None:
    """Write unit vectors of shape (rows, dimension) for `DenseIndex.open`. Raises OSError."""
    rows = np.ascontiguousarray(vectors, dtype=np.float32)
    with (folder / _VECTORS).open("wb") as file:
        # Not np.save: on a full disk it raises an OSError without an errno.
        npy.write_array_header_1_0(file, npy.header_data_from_array_1_0(rows))
        file.write(rows.data)
    if len(vectors) > EXACT_MOST:
        # Not faiss.write_index: on a full disk it raises a RuntimeError.
        with (folder / _INVERTED).open("wb") as file:
            file.write(faiss.serialize_index(_invert(vectors)).data)


def _invert(vectors: NDArray[np.float32]) -> Any:
    rows, dimension = vectors.shape
    lists = int(_LISTS_PER_ROOT * rows**0.5)
    index: Any = faiss.index_factory(dimension, f"IVF{lists},SQ8", faiss.METRIC_INNER_PRODUCT)
    index.cp.niter, index.cp.seed, index.cp.max_points_per_centroid = _ITERATIONS, _SEED, _POINTS_PER_LIST
    sample = np.random.default_rng(_SEED).permutation(rows)[: lists * _POINTS_PER_LIST]
    index.train(np.ascontiguousarray(vectors[np.sort(sample)]))
    index.add(vectors)
    return index
