"""The cost of a large index: searching it, and adding one seed to it.

usage: python benchmarks/growing.py DATA HOME [--chunks 100000] [--vectors FILE] [--rounds 5]

HOME is filled with documents made of real passages of DATA (drawn at random, so that words occur as they do), cut by the
real chunker. Their vectors are not computed, which would take hours, but drawn as `dense_scale.py` draws them; everything else
is the product's. Then, with the real embedder: search latency over real questions, by stage; and `rag index` as a process of
its own after one new seed, `--rounds` times: seconds, and bytes written (files that the snapshot before lacks).
"""

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from dense_scale import embedded, grown
from numpy.typing import NDArray

from rag import language, settings
from rag.engine import Engine
from rag.indexing import build
from rag.indexing.embedded import snapshot
from rag.indexing.protocol import State
from rag.retrieval.hybrid import HybridRetriever

_PASSAGES_PER_DOCUMENT = 6
_QUESTIONS = 300


class DrawnVectors:
    """An embedder that cuts as the real one does, and draws the vectors of passages."""

    def __init__(self, engine: Engine, vectors: NDArray[np.float32]) -> None:
        self._engine, self._vectors, self._next = engine, vectors, 0

    def token_starts(self, text: str) -> list[int]:
        return self._engine.models.embedder.token_starts(text)

    def embed_passages(self, texts: Sequence[str]) -> NDArray[np.float32]:
        rows = np.arange(self._next, self._next + len(texts)) % len(self._vectors)
        self._next += len(texts)
        return self._vectors[rows]

    def embed_queries(self, texts: Sequence[str]) -> NDArray[np.float32]:
        return self._engine.models.embedder.embed_queries(texts)


def show(stage: str, done: int, total: int) -> None:
    """Print the progress of the build every 5,000 documents."""
    if stage == "reading" and done % 5000 == 0:
        print(f"read {done} of {total} documents", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("home", type=Path)
    parser.add_argument("--chunks", type=int, default=100_000)
    parser.add_argument("--vectors", type=Path)
    parser.add_argument("--rounds", type=int, default=5)
    chosen = parser.parse_args()
    engine = Engine(settings.load({}, {"home": str(chosen.home)}))
    if engine.serving() is None:
        _fill(engine, chosen)
    opened = engine.snapshot()
    print(f"{opened.manifest.chunks} chunks, {opened.manifest.documents} documents, {len(opened.manifest.segments)} segments")
    _search(engine, opened, chosen.data)
    for round_ in range(chosen.rounds):
        _add_one(engine, round_)


def _fill(engine: Engine, chosen: argparse.Namespace) -> None:
    files = sorted(chosen.data.glob("*.corpus.jsonl"))
    passages = [json.loads(line)["text"] for file in files for line in file.read_text("utf-8").splitlines()]
    random = np.random.default_rng(3)
    # About one chunk a passage.
    for number in range(round(chosen.chunks / _PASSAGES_PER_DOCUMENT)):
        drawn = random.integers(0, len(passages), _PASSAGES_PER_DOCUMENT)
        folder = engine.settings.seeds / f"{number // 1000:03}"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{number:06}.txt").write_text("\n\n".join([f"No. {number}", *(passages[i] for i in drawn)]), "utf-8")
    real, _ = embedded(chosen.data, 4000, chosen.vectors)
    drawing = DrawnVectors(engine, grown(real, chosen.chunks))
    start = time.perf_counter()
    report = build.rebuild(
        seeds=engine.settings.seeds,
        index=engine.index,
        maker=engine.maker(),
        chunking=engine.chunking,
        open_embedder=lambda: drawing,
        progress=show,
    )
    print(f"built {report.chunks} chunks, embedding apart, in {time.perf_counter() - start:.0f} s")


def _search(engine: Engine, opened: State, data: Path) -> None:
    files = sorted(data.glob("*.questions.jsonl"))
    questions = [json.loads(line)["question"] for file in files for line in file.read_text("utf-8").splitlines()]
    order = np.random.default_rng(4).permutation(len(questions))[:_QUESTIONS]
    retriever = HybridRetriever(engine.models.embedder, opened)
    languages = opened.languages()
    embedding, searching = [], []
    for number in [*order[:10], *order]:
        question = questions[number]
        start = time.perf_counter()
        engine.models.embedder.embed_queries([question])
        middle = time.perf_counter()
        retriever.search(question, language.detect(question, leaning=languages), 10)
        embedding.append(middle - start)
        searching.append(time.perf_counter() - middle)
    for name, seconds in (("embedding the question", embedding), ("whole search, question embedded once more", searching)):
        p50, p99 = np.quantile(seconds[10:], (0.5, 0.99)) * 1000
        print(f"{name}: p50 {p50:.1f} ms, p99 {p99:.1f} ms")
    beside = np.array(searching[10:]) - np.array(embedding[10:])
    p50, p99 = np.quantile(beside, (0.5, 0.99)) * 1000
    print(f"search beside the embedding: p50 {p50:.1f} ms, p99 {p99:.1f} ms")


def _add_one(engine: Engine, round_: int) -> None:
    root = engine.settings.index
    (engine.settings.seeds / f"new-{time.time_ns()}.txt").write_text(
        f"Percobaan ke-{round_} pada {time.time_ns()}. Gubernur meresmikan jembatan baru di Palembang pada hari Kamis.", "utf-8"
    )
    before = snapshot.read_manifest(root)
    start = time.perf_counter()
    command = [sys.executable, "-m", "rag", "index", "--home", str(engine.settings.home), "--json"]
    report = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    seconds = time.perf_counter() - start
    after = snapshot.read_manifest(root)
    new = sum(entry.size for name, entry in after.files.items() if before.files.get(name) != entry)
    manifest = len(after.to_json())
    whole = sum(entry.size for entry in after.files.values())
    print(
        f"one seed more: `rag index` {seconds:.2f} s (of it the build {report['seconds']:.2f}), {new / 1e3:.0f} kB of new files"
        f" and a manifest of {manifest / 1e3:.0f} kB, in an index of {whole / 1e6:.0f} MB",
        flush=True,
    )


if __name__ == "__main__":
    main()
