"""How long the lexical index takes to build, to change and to search.

usage: .venv/bin/python benchmarks/lexical_speed.py CORPUS.corpus.jsonl QUESTIONS.questions.jsonl [CHUNKS]

The chunks are drawn word by word from the corpus (one word in twenty is new), each as long as one of its passages.
"""

import os
import random
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from statistics import quantiles

from rag import text
from rag.evaluation import dataset
from rag.indexing.embedded.lexical import LexicalEntry, LexicalIndex, update

NEW_WORD = 0.05
LONGEST = 90
CHANGES = 16


def drawn(passages: Sequence[str], count: int) -> list[str]:
    rng = random.Random(0)
    worded = [text.words(text.normalise(passage), "id") for passage in passages]
    pool = [word for words in worded for word in words]
    lengths = [min(LONGEST, len(words)) for words in worded]

    def word() -> str:
        return f"nama{rng.randrange(2 * count)}" if rng.random() < NEW_WORD else rng.choice(pool)

    return [" ".join(word() for _ in range(rng.choice(lengths))) for _ in range(count)]


def timed(label: str, questions: Sequence[str], action: Callable[[str], object]) -> None:
    seconds = []
    for question in questions:
        start = time.perf_counter()
        action(question)
        seconds.append(time.perf_counter() - start)
    cuts = quantiles(seconds, n=20)
    print(f"{label}: median {1000 * cuts[9]:.2f} ms, 95 % {1000 * cuts[18]:.2f} ms")


def within(index: LexicalIndex, documents: Sequence[int], question: str) -> object:
    return index.search(question, "id", 100, documents)


def main() -> None:
    data = dataset.read(Path(sys.argv[1]), Path(sys.argv[2]))
    count = int(sys.argv[3]) if len(sys.argv) > 3 else 100_000
    texts = drawn([passage.text for passage in data.passages], count + CHANGES)
    questions = [question.text for question in data.questions][:300]
    rng = random.Random(1)
    with tempfile.TemporaryDirectory() as root:
        folder = Path(root) / "0"
        folder.mkdir()
        start = time.perf_counter()
        update(folder, removed=[], added=(LexicalEntry(i, i // 4, "id", texts[i]) for i in range(count)))
        took = time.perf_counter() - start
        size = sum(path.stat().st_size for path in folder.iterdir())
        print(f"{count} chunks: {took:.1f} s, {count / took:.0f} chunks/s, {size / 1e6:.1f} MB")
        index = LexicalIndex.open(folder)
        timed("search, 100 hits", questions, lambda q: index.search(q, "id", 100))
        timed("information", questions, lambda q: index.information(q, "id"))
        some = rng.sample(range(count), 100)
        timed("scores of 100 chunks", questions, lambda q: index.scores(q, "id", some))
        for part in (10, 1000, count // 8):
            chosen = rng.sample(range(count // 4), part)
            timed(f"search within {part} of {count // 4} documents", questions[:50], partial(within, index, chosen))
        change(folder, texts[count:])


def change(folder: Path, texts: Sequence[str]) -> None:
    """One chunk in and one document out, each time on links of the index before."""
    seconds, written = [], []
    for number, new in enumerate(texts):
        older, folder = folder, folder.with_name(str(number + 1))
        folder.mkdir()
        for path in older.iterdir():
            os.link(path, folder / path.name)
        before = {path.name: path.stat().st_ino for path in folder.iterdir()}
        start = time.perf_counter()
        update(folder, removed=[number], added=[LexicalEntry(10**9 + number, 10**9 + number, "id", new)])
        seconds.append(time.perf_counter() - start)
        written.append(sum(p.stat().st_size for p in folder.iterdir() if before.get(p.name) != p.stat().st_ino))
    kilobytes = [size / 1000 for size in written]
    print(f"a change: {min(seconds):.3f} to {max(seconds):.3f} s, {min(kilobytes):.0f} to {max(kilobytes):.0f} KB written")


if __name__ == "__main__":
    main()
