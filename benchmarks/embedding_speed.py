"""Passages a second: `encode` of sentence-transformers with its defaults, and each arithmetic of ours, alternating in one run.

    python benchmarks/embedding_speed.py CORPUS.jsonl [--passages 128] [--rounds 5] [--cpu | --start]

Every backend runs in every round, so that other load on the machine affects all alike; ratios are taken within a round. The
matrix-multiply limit is the fastest float32 product of two 2048 x 2048 matrices by torch in the same round. A text of n tokens
costs n x 2 x layers x (4 hidden^2 + 2 hidden x wide) multiplications and additions for the matrices, and
4 x layers x hidden x n^2 for attention. The share of a backend is its rate divided by the limit, without padding. bfloat16 and
int8 may exceed 1, because they have limits of their own. On a busy machine `taskset -c 0 … --cpu` compares CPU seconds of one
core instead of wall-clock seconds. `--start` measures the seconds of a new process until the vector of its first question, and
the time of later questions.
"""

import argparse
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from rag import settings
from rag.embedding import model_folder
from rag.embedding.graph import ARITHMETICS, can_bfloat16
from rag.embedding.openvino import OpenVinoEmbedder
from rag.text import normalise
from rag.weights import sources
from rag.weights.cache import WeightCache
from rag.weights.catalogue import EMBEDDER

SIDE = 2048
START = """
import sys, time
from pathlib import Path
start = time.perf_counter()
from rag.embedding import {module} as opener
made = opener.open_folder("", sys.argv[2], Path(sys.argv[1]), *map(Path, sys.argv[3:]))
made.embed_queries(["Apa ibu kota Indonesia?"])
first = time.perf_counter() - start
taken = []
for n in range(20):
    start = time.perf_counter()
    made.embed_queries([f"Siapa presiden yang ke-{{n}} dari Indonesia?"])
    taken.append(time.perf_counter() - start)
print(first, sorted(taken)[10])
"""


def floating_point_operations(model: model_folder.Model, lengths: list[int]) -> float:
    hidden = model.tensors["embeddings.word_embeddings.weight"].shape[1]
    wide = model.tensors["encoder.layer.0.intermediate.dense.weight"].shape[0]
    per_token = 2 * model.layers * (4 * hidden * hidden + 2 * hidden * wide)
    return float(sum(n * per_token + 4 * model.layers * hidden * n * n for n in lengths))


def seconds_of(work: Callable[[], object], clock: Callable[[], float]) -> float:
    start = clock()
    work()
    return clock() - start


def spread(values: list[float], digits: int = 2) -> str:
    return f"{statistics.median(values):.{digits}f} [{min(values):.{digits}f}, {max(values):.{digits}f}]"


def measure(
    source: sources.Source, model: model_folder.Model, texts: list[str], rounds: int, clock: Callable[[], float]
) -> None:
    import torch
    from sentence_transformers import SentenceTransformer

    reference = SentenceTransformer(str(source.path), device="cpu", local_files_only=True)
    clean = [normalise(text) for text in texts]
    runners: dict[str, Callable[[], object]] = {
        "sentence-transformers": lambda: reference.encode(clean, prompt_name="document")
    }
    for arithmetic in ARITHMETICS:
        if arithmetic.precision == "f32" or can_bfloat16():
            ours = OpenVinoEmbedder(source.name, source.digest, model, arithmetic)
            runners[arithmetic.name] = lambda ours=ours: ours.embed_passages(texts)  # type: ignore[misc]
    matrix = torch.rand(SIDE, SIDE)
    lengths = [min(len(e.ids), model.most_tokens) for e in model.tokenizer.encode_batch(["passage: " + t for t in clean])]
    work = floating_point_operations(model, lengths)
    print(
        f"{len(texts)} passages, {np.mean(lengths):.0f} tokens each, {work / len(texts) / 1e9:.2f} GFLOP a passage", flush=True
    )
    for run in runners.values():
        run()
    limits: list[float] = []
    rates: dict[str, list[float]] = {name: [] for name in runners}
    for _ in range(rounds):
        limits.append(max(2 * SIDE**3 / seconds_of(lambda: matrix @ matrix, clock) / 1e9 for _ in range(5)))
        for name, run in runners.items():
            rates[name].append(len(texts) / seconds_of(run, clock))
    print(f"matrix-multiply limit, float32: {spread(limits, 0)} GFLOP/s")
    print("| | passages/s | times sentence-transformers | share of the float32 limit |\n|---|---|---|---|")
    base = rates["sentence-transformers"]
    for name, values in rates.items():
        ratios = [value / b for value, b in zip(values, base, strict=True)]
        shares = [value * work / len(texts) / 1e9 / limit for value, limit in zip(values, limits, strict=True)]
        print(f"| {name} | {spread(values, 1)} | {spread(ratios)} | {spread(shares)} |")


def measure_start(source: sources.Source, rounds: int) -> None:
    """Measure a new process, with the caches of the operating system warm."""
    cache = str(settings.Settings().cache)
    commands = {"embedder": [source.digest], "backend": [source.digest, cache]}
    taken: dict[str, list[list[float]]] = {module: [] for module in commands}
    for _ in range(rounds):
        for module, arguments in commands.items():
            command = [sys.executable, "-c", START.format(module=module), str(source.path), *arguments]
            said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
            taken[module].append([float(value) for value in said.split()])
    for module, rows in taken.items():
        name = {"embedder": "sentence-transformers", "backend": "chosen backend"}[module]
        first, later = zip(*rows, strict=True)
        print(f"{name}: first vector after {spread(list(first))} s, then {spread([1000 * t for t in later], 0)} ms a question")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpus", type=Path)
    parser.add_argument("--passages", type=int, default=128)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--start", action="store_true")
    parser.add_argument("--cpu", action="store_true")
    chosen = parser.parse_args()
    source = sources.embedder(EMBEDDER, WeightCache(settings.Settings().cache))
    assert source is not None
    if chosen.start:
        measure_start(source, chosen.rounds)
        return
    rows = [json.loads(line)["text"] for line in chosen.corpus.read_text("utf-8").splitlines()]
    picked = np.random.default_rng(0).permutation(len(rows))[: chosen.passages]
    clock = time.process_time if chosen.cpu else time.perf_counter
    measure(source, model_folder.read(source.path), [rows[i] for i in picked], chosen.rounds, clock)


if __name__ == "__main__":
    main()
