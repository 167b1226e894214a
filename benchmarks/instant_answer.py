"""How long does it take until the words that answer are marked, and until the language model writes?

usage: .venv/bin/python benchmarks/instant_answer.py CORPUS QUESTIONS HOME [COUNT]

CORPUS and QUESTIONS are files as for `rag eval retrieval`; HOME keeps their index. COUNT (30) answerable questions are asked
with six passages and everything loaded: with our own judge, and with the language model as the judge of each passage. The two
alternate, and no passage is stored. Prints medians and quartiles of the seconds until the words are marked and until the first
word is written, and how many times longer the language model takes.
"""

import os
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

from rag import settings
from rag.cli.terminal import Progress
from rag.engine import Engine
from rag.evaluation import dataset
from rag.settings import Settings
from rag.types import Marked, Token


def timed(engine: Engine, question: str) -> tuple[float, float]:
    """Seconds until the marked words and until the first word written; NaN for an event that did not come."""
    start, marked, written = time.perf_counter(), float("nan"), float("nan")
    for event in engine.stream(question):
        if isinstance(event, Marked):
            marked = time.perf_counter() - start
        elif isinstance(event, Token):
            written = time.perf_counter() - start
            break
    return marked, written


def opened(home: Path, judge: str) -> Engine:
    chosen: Settings = replace(
        settings.load(os.environ, {}), home=home, judge=judge, passages=6, min_confidence=0.0, store_mb=0
    )
    return Engine(chosen)


def quartiles(seconds: list[float]) -> str:
    known = [value for value in seconds if not np.isnan(value)]
    low, middle, high = np.percentile(known, (25, 50, 75))
    return f"{middle:.2f} [{low:.2f}, {high:.2f}] ({len(known)} of {len(seconds)})"


def main() -> None:
    corpus, questions, home = map(Path, sys.argv[1:4])
    count = int(sys.argv[4]) if len(sys.argv) > 4 else 30
    data = dataset.read(corpus, questions)
    ours, plain = opened(home, "judge-e5-small-2"), opened(home, "llm")
    dataset.write_seeds(data.passages, ours.settings.seeds)
    ours.rebuild(Progress())
    plain.models.embedder = ours.models.embedder
    asked = [question.text for question in data.questions[:: max(1, len(data.questions) // count)]][:count]
    for engine in (ours, plain):
        timed(engine, asked[0])
    pairs = [(timed(ours, question), timed(plain, question)) for question in asked[1:]]
    print(f"{len(pairs)} questions, six passages, seconds: median [quartiles] (how many came)")
    print(f"our judge: words marked      {quartiles([one[0] for one, _ in pairs])}")
    print(f"our judge: first word        {quartiles([one[1] for one, _ in pairs])}")
    print(f"language model: first word   {quartiles([other[1] for _, other in pairs])}")
    print(f"first word of the language model as judge, times ours: {quartiles([o[1] / w[1] for w, o in pairs])}")
    print(f"first word of the language model as judge, times our marked words: {quartiles([o[1] / w[0] for w, o in pairs])}")


if __name__ == "__main__":
    main()
