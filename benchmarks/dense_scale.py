"""Recall, latency, memory, size and build time of the vector search at 10 k, 100 k and 1 M vectors.

usage: python benchmarks/dense_scale.py DATA [--sizes 10000,100000,1000000] [--probes 16,48,96]

The vectors have the distribution of real ones: passages of the corpora in DATA are embedded, and the sample is enlarged by
moving real vectors by the difference of two of their near neighbours, at the distance from the mean that they had. What that
does is printed: the cosine with the nearest, and with a random one, in the real sample and in an equally large grown one.
Queries are real questions. Recall is against exact search over the same vectors.
"""

import argparse
import json
import resource
import tempfile
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rag import settings
from rag.engine import Engine
from rag.indexing.embedded import dense
from rag.indexing.embedded.dense import DenseIndex

Vectors = NDArray[np.float32]
_NEIGHBOURS = 20
_MOVE = (0.8, 1.2)
_QUERIES = 200
_FOUND = 10
_DEPTH = 100


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--sizes", default="10000,100000,1000000")
    parser.add_argument("--probes", default=str(dense.PROBES))
    parser.add_argument("--passages", type=int, default=4000)
    parser.add_argument("--vectors", type=Path, help="where the real vectors are kept between runs")
    chosen = parser.parse_args()
    real, queries = embedded(chosen.data, chosen.passages, chosen.vectors)
    print(f"{len(real)} real passages, {len(queries)} real questions")
    _compare(real, grown(real, len(real)))
    for size in map(int, chosen.sizes.split(",")):
        _measure(grown(real, size), queries, [int(n) for n in chosen.probes.split(",")])


def embedded(data: Path, passages: int, kept: Path | None) -> tuple[Vectors, Vectors]:
    if kept and kept.exists():
        stored = np.load(kept)
        return stored["passages"], stored["questions"]
    texts = _sample(data, "corpus", "text", passages)
    embedder = Engine(settings.load({}, {})).models.embedder
    real, queries = embedder.embed_passages(texts), embedder.embed_queries(_sample(data, "questions", "question", _QUERIES))
    if kept:
        np.savez(kept, passages=real, questions=queries)
    return real, queries


def _sample(data: Path, kind: str, field: str, count: int) -> list[str]:
    files = sorted(data.glob(f"*.{kind}.jsonl"))
    texts = [str(json.loads(line)[field]) for file in files for line in file.read_text("utf-8").splitlines()]
    order = np.random.default_rng(0).permutation(len(texts))
    return [texts[i] for i in order[:count]]


def grown(real: Vectors, size: int) -> Vectors:
    random = np.random.default_rng(1)
    near = np.argsort(-(real @ real.T), axis=1)[:, 1 : _NEIGHBOURS + 1]
    mean = real.mean(axis=0)
    grown = np.empty((size, real.shape[1]), dtype=np.float32)
    for start in range(0, size, 50_000):
        rows = random.integers(0, len(real), min(50_000, size - start))
        place = random.integers(0, _NEIGHBOURS, len(rows))
        # Never the same twice: a move of nothing would make copies, whose order is chance.
        one, other = near[rows, place], near[rows, (place + random.integers(1, _NEIGHBOURS, len(rows))) % _NEIGHBOURS]
        before = real[rows] - mean
        moved = before + random.uniform(*_MOVE, (len(rows), 1)).astype(np.float32) * (real[one] - real[other])
        moved *= np.linalg.norm(before, axis=1, keepdims=True) / np.linalg.norm(moved, axis=1, keepdims=True)
        moved += mean
        grown[start : start + len(rows)] = moved / np.linalg.norm(moved, axis=1, keepdims=True)
    return grown


def _compare(real: Vectors, grown: Vectors) -> None:
    for name, vectors in (("real", real), ("grown", grown)):
        cosines = vectors @ vectors.T
        np.fill_diagonal(cosines, -1)
        nearest, random = cosines.max(axis=1), cosines[np.triu_indices(len(cosines), 1)]
        spread = [np.quantile(values, (0.1, 0.5, 0.9)).round(3).tolist() for values in (nearest, random)]
        print(f"{name}: cosine with the nearest {spread[0]}, with a random one {spread[1]} (10 %, median, 90 %)")


def _measure(vectors: Vectors, queries: Vectors, probes: list[int]) -> None:
    exact = [np.argpartition(-(vectors @ query), _FOUND)[:_FOUND] for query in queries]
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        dense.write(Path(folder), vectors)
        built = time.perf_counter() - start
        before = _resident()
        index = DenseIndex.open(Path(folder))
        for number in probes:
            dense.PROBES = number
            seconds, hits = _searched(index, queries)
            recall = np.mean([len({*rows} & {*found}) / _FOUND for rows, found in zip(hits, exact, strict=True)])
            p50, p99 = np.quantile(seconds, (0.5, 0.99)) * 1000
            size = sum(path.stat().st_size for path in Path(folder).iterdir()) / 1e6
            probing = "" if index.exact else f", {number} probes"
            print(
                f"{len(vectors)} vectors, {index.kind}{probing}: recall@{_FOUND} {recall:.3f}, p50 {p50:.1f} ms,"
                f" p99 {p99:.1f} ms, built in {built:.1f} s, {size:.0f} MB on disk,"
                f" {(_resident() - before) / 1e6:.0f} MB more resident",
                flush=True,
            )


def _searched(index: DenseIndex, queries: Vectors) -> tuple[list[float], list[NDArray[np.int64]]]:
    index.search(queries[0], _DEPTH)
    seconds, found = [], []
    for query in queries:
        start = time.perf_counter()
        hits = index.search(query, _DEPTH)
        seconds.append(time.perf_counter() - start)
        found.append(hits.rows[:_FOUND])
    return seconds, found


def _resident() -> int:
    """Bytes of this process in memory now; pages of mapped files count when they are touched."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize()


if __name__ == "__main__":
    main()
