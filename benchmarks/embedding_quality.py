"""nDCG@10 of each arithmetic of the embedder, compared with float32: whole passages, exact search.

    python benchmarks/embedding_quality.py DATA [--arithmetics float32 int8 …] [--keep FOLDER] [--sets idkmrc …]

DATA has NAME.corpus.jsonl and NAME.questions.jsonl. Vectors are saved in FOLDER, and loaded from there by the next run. The
losses belong in `rag/embedding/backend.py`.
"""

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rag import settings
from rag.embedding import model_folder
from rag.embedding.graph import ARITHMETICS
from rag.embedding.openvino import OpenVinoEmbedder
from rag.weights import sources
from rag.weights.cache import WeightCache
from rag.weights.catalogue import EMBEDDER

SETS = ("belebele-id", "belebele-en", "belebele-th", "belebele-zh", "clapnq", "idkmrc")
STRIDE = 512


def rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def passage(row: dict[str, Any]) -> str:
    return f"{row['title']}\n{row['text']}" if row.get("title") else str(row["text"])


def vectors(texts: list[str], embed: Any, kept: Path | None) -> NDArray[np.float32]:
    if kept and kept.is_file():
        found: NDArray[np.float32] = np.load(kept)
        return found
    order = sorted(range(len(texts)), key=lambda i: len(texts[i]))
    made = [embed([texts[i] for i in order[at : at + STRIDE]]) for at in range(0, len(order), STRIDE)]
    placed = np.empty((len(texts), made[0].shape[1]), np.float32)
    placed[order] = np.concatenate(made)
    if kept:
        kept.parent.mkdir(parents=True, exist_ok=True)
        np.save(kept, placed)
    return placed


def ndcg(questions: NDArray[np.float32], passages: NDArray[np.float32], relevant: list[set[int]]) -> float:
    """nDCG@10: the mean over the questions."""
    nearest = np.argsort(-(questions @ passages.T), axis=1, kind="stable")[:, :10]
    discount = 1 / np.log2(np.arange(2, 12))
    gains = [
        sum(discount[rank] for rank, row in enumerate(found) if row in wanted) / discount[: len(wanted)].sum()
        for found, wanted in zip(nearest.tolist(), relevant, strict=True)
    ]
    return float(np.mean(gains))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--arithmetics", nargs="+", default=[a.name for a in ARITHMETICS])
    parser.add_argument("--sets", nargs="+", default=SETS)
    parser.add_argument("--keep", type=Path)
    chosen = parser.parse_args()
    source = sources.embedder(EMBEDDER, WeightCache(settings.Settings().cache))
    assert source is not None
    model = model_folder.read(source.path)
    embedders = {a.name: OpenVinoEmbedder("", "", model, a) for a in ARITHMETICS if a.name in chosen.arithmetics}
    for name in chosen.sets:
        corpus, asked = rows(chosen.data / f"{name}.corpus.jsonl"), rows(chosen.data / f"{name}.questions.jsonl")
        # Unanswerable questions have no relevant passage.
        asked = [row for row in asked if row.get("relevant")]
        number = {row["id"]: i for i, row in enumerate(corpus)}
        relevant = [{number[key] for key in row["relevant"]} for row in asked]
        baseline = 0.0
        for arithmetic, embedder in embedders.items():
            kept = chosen.keep / arithmetic if chosen.keep else None
            passages = vectors([passage(r) for r in corpus], embedder.embed_passages, kept and kept / f"{name}.passages.npy")
            questions = vectors([r["question"] for r in asked], embedder.embed_queries, kept and kept / f"{name}.questions.npy")
            score = ndcg(questions, passages, relevant)
            baseline = baseline or score
            loss = 100 * (baseline - score) / baseline
            print(f"{name:12} {arithmetic:14} nDCG@10 {score:.4f}  loss {loss:+.2f} %", flush=True)


if __name__ == "__main__":
    main()
