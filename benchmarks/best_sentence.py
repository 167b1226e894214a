"""How often does the highlighted sentence contain the answer: chosen by common words, by meaning, or simply the first one?

    python benchmarks/best_sentence.py FOLDER_OF_EVALUATION_DATA [QUESTIONS]

Reads idkmrc's answerable questions with their passages of at least three sentences. Prints for each way the share of questions
whose highlighted sentence contains an answer, and the milliseconds for a passage.
"""

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from rag import text as texts
from rag.engine import Engine
from rag.retrieval.reading_order import best_sentence, stems
from rag.settings import Settings
from rag.types import Span

Way = Callable[[str, str], Span | None]


def main() -> None:
    folder, most = Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 200
    passages = {row["id"]: row["text"] for row in _rows(folder / "idkmrc.corpus.jsonl")}
    asked = [
        (row["question"], passages[row["relevant"][0]], row["answers"])
        for row in _rows(folder / "idkmrc.questions.jsonl")
        if row["answerable"] and len(texts.sentences(passages[row["relevant"][0]], "id")) >= 3
    ][:most]
    embedder = Engine(Settings()).models.embedder

    def by_meaning(question: str, passage: str) -> Span | None:
        spans = texts.sentences(passage, "id")
        vectors = embedder.embed_queries([question, *(passage[s.start : s.end] for s in spans)])
        return spans[int(np.argmax(vectors[1:] @ vectors[0]))]

    ways: dict[str, Way] = {
        "first sentence": lambda _, passage: texts.sentences(passage, "id")[0],
        "common words": lambda question, passage: best_sentence(stems(question, "id"), passage, "id"),
        "meaning": by_meaning,
    }
    for name, way in ways.items():
        _report(name, way, asked)


def _report(name: str, way: Way, asked: list[tuple[str, str, list[str]]]) -> None:
    hits, seconds = [], []
    for question, passage, answers in asked:
        started = time.perf_counter()
        span = way(question, passage)
        seconds.append(time.perf_counter() - started)
        lit = passage[span.start : span.end].casefold() if span else ""
        hits.append(any(answer.casefold() in lit for answer in answers))
    share, error = float(np.mean(hits)), 1.96 * float(np.std(hits)) / len(hits) ** 0.5
    print(f"{name:15} {share:.3f} ± {error:.3f} of {len(hits)}   {1000 * float(np.median(seconds)):.1f} ms")


def _rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


if __name__ == "__main__":
    main()
