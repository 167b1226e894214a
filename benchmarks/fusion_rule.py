"""Does ranking by meaning and words together beat meaning alone, within a language and across languages?

usage: .venv/bin/python benchmarks/fusion_rule.py DATA CACHE [--whole] [--only LABEL ...]

DATA holds NAME.corpus.jsonl and NAME.questions.jsonl; CACHE keeps vectors between runs. Passages are cut into chunks as the
product does (or taken whole), searched by the product's lexical index and by exact inner products, and fused by the product's
rule. Prints nDCG@10 of dense, lexical and hybrid, and hybrid - dense with its paired 95 % interval; then hybrid with other
weights. In a parallel corpus of several languages, a passage counts in each of them; the second of its lines counts only that
of the question's language.
"""

import argparse
import os
import tempfile
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rag import language, settings
from rag.engine import Engine
from rag.evaluation import dataset
from rag.evaluation.measures import estimate, per_question
from rag.evaluation.retrieval_eval import best_first
from rag.indexing.embedded.lexical import LexicalEntry, LexicalIndex, update
from rag.ingestion.chunking import Chunking, chunk
from rag.retrieval.fusion import WEIGHT, fuse, spread
from rag.types import Document

PARALLEL = ("id", "en", "th", "zh")
PARALLEL_CORPORA = tuple(f"belebele-{spoken}" for spoken in PARALLEL)
WEIGHTS = (1.0, 2.0, 3.0, 4.0, 6.0)
CANDIDATES = 100
SAMPLE = 512
STRIDE = 64


@dataclass(frozen=True, slots=True)
class Units:
    """The candidates to rank: texts with their vectors, the passage and language of each."""

    passages: list[str]
    languages: list[str]
    texts: list[str]
    vectors: NDArray[np.float32]


class Corpora:
    """Corpora by name, embedded once."""

    def __init__(self, data: Path, cached: Path, *, whole: bool) -> None:
        self.data, self.cached, self.whole = data, cached, whole
        self.embedder = Engine(settings.load(os.environ, {})).models.embedder

    def read(self, name: str, questions: str) -> dataset.Dataset:
        """A corpus with the questions of another, which may be itself."""
        return dataset.read(self.data / f"{name}.corpus.jsonl", self.data / f"{questions}.questions.jsonl")

    @cache  # noqa: B019 - kept for the whole run
    def units(self, name: str) -> Units:
        """The chunks of a corpus, or its passages."""
        passages, languages, texts = [], [], []
        for passage in self.read(name, name).passages:
            spoken = language.detect(passage.text)
            document = Document(passage.id, passage.id, "", "", spoken, "", passage.text)
            pieces = [c.text for c in chunk(document, self.embedder.token_starts(passage.text), Chunking())]
            for text in [passage.text] if self.whole else pieces:
                passages.append(passage.id)
                languages.append(spoken)
                texts.append(text)
        return Units(passages, languages, texts, self._vectors(f"{name}.{'w' if self.whole else 'c'}", texts, query=False))

    def questions(self, name: str) -> NDArray[np.float32]:
        """The vectors of a corpus's questions."""
        return self._vectors(f"{name}.q", [q.text for q in self.read(name, name).questions], query=True)

    def _vectors(self, name: str, texts: Sequence[str], *, query: bool) -> NDArray[np.float32]:
        path = self.cached / f"{name}.npy"
        if not path.exists():
            embed = self.embedder.embed_queries if query else self.embedder.embed_passages
            order = sorted(range(len(texts)), key=lambda i: -len(texts[i]))
            found = [embed([texts[i] for i in order[at : at + STRIDE]]) for at in range(0, len(order), STRIDE)]
            np.save(path, np.concatenate(found)[np.argsort(order)])
        vectors: NDArray[np.float32] = np.load(path)
        assert len(vectors) == len(texts), f"{path} is of other texts: remove it"
        return vectors


def rank(
    questions: Sequence[str], vectors: NDArray[np.float32], units: Units, lexical: LexicalIndex
) -> dict[str, list[list[str]]]:
    """Passages for each question by dense, lexical, and hybrid with each weight."""
    rankings: dict[str, list[list[str]]] = {"dense": [], "lexical": [], **{str(weight): [] for weight in WEIGHTS}}
    sample = np.random.default_rng(0).permutation(len(units.texts))[:SAMPLE]
    wide = spread(units.vectors[sample], [units.languages[row] for row in sample])
    spoken = set(units.languages)
    for question, vector in zip(questions, vectors, strict=True):
        asked = language.detect(question, leaning=spoken)
        cosines = units.vectors @ vector
        nearest = np.argsort(-cosines, kind="stable")[:CANDIDATES]
        worded = lexical.search(question, asked, CANDIDATES)
        rows = sorted({int(row) for row in nearest} | {row for row, _ in worded})
        words = np.array(lexical.scores(question, asked, rows), dtype=np.float32)
        information, languages = lexical.information(question, asked), [units.languages[row] for row in rows]
        scored = {"dense": [(int(row), float(cosines[row])) for row in nearest], "lexical": worded}
        for weight in WEIGHTS:
            fused = fuse(cosines[rows], words, languages, information=information, spread=wide, weight=weight)
            scored[str(weight)] = list(zip(rows, fused.tolist(), strict=True))
        for mode, hits in scored.items():
            rankings[mode].append(best_first(((units.passages[row], score) for row, score in hits), 20))
    return rankings


def measure(label: str, corpora: Corpora, asked: str, searched: Sequence[str]) -> None:
    """The questions of `asked` against the passages of all corpora `searched`."""
    parts = [corpora.units(name) for name in searched]
    units = Units(
        [p for part in parts for p in part.passages],
        [spoken for part in parts for spoken in part.languages],
        [t for part in parts for t in part.texts],
        np.concatenate([part.vectors for part in parts]),
    )
    questions = corpora.read(asked, asked).questions
    with tempfile.TemporaryDirectory() as folder:
        entries = (LexicalEntry(i, i, units.languages[i], text) for i, text in enumerate(units.texts))
        update(Path(folder), removed=[], added=entries)
        rankings = rank([q.text for q in questions], corpora.questions(asked), units, LexicalIndex.open(Path(folder)))
    show(label, rankings, [_relevant(question.relevant, asked, searched) for question in questions])
    if len(searched) > 1 and asked in PARALLEL_CORPORA:
        show(f"{label}, own language", rankings, [question.relevant for question in questions])


def show(label: str, rankings: dict[str, list[list[str]]], relevant: Sequence[Collection[str]]) -> None:
    values = {mode: per_question(found, relevant)["nDCG@10"] for mode, found in rankings.items()}
    gain = estimate(values[str(WEIGHT)] - values["dense"])
    means = " | ".join(f"{values[mode].mean():.3f}" for mode in ("dense", "lexical", str(WEIGHT)))
    others = " | ".join(f"{values[str(weight)].mean():.3f}" for weight in WEIGHTS)
    print(
        f"| {label} | {len(relevant)} | {means} | {gain.value:+.3f} [{gain.low:+.3f}, {gain.high:+.3f}] | {others} |",
        flush=True,
    )


def _relevant(ids: Collection[str], asked: str, searched: Sequence[str]) -> set[str]:
    """In a parallel corpus the passage of the same number, in every language that is searched."""
    if asked not in PARALLEL_CORPORA:
        return set(ids)
    return {f"{corpus}-{id_.rsplit('-', 1)[1]}" for id_ in ids for corpus in searched}


def directions() -> list[tuple[str, str, list[str]]]:
    """Label, questions, corpora."""
    same = [(name, name, [name]) for name in ("idkmrc", "clapnq", "hagrid")]
    same += [(f"belebele {one} → {one}", f"belebele-{one}", [f"belebele-{one}"]) for one in PARALLEL]
    across = [(f"belebele {a} → {b}", f"belebele-{a}", [f"belebele-{b}"]) for a in PARALLEL for b in PARALLEL if a != b]
    mixed = [(f"belebele {one} → all four", f"belebele-{one}", [*PARALLEL_CORPORA]) for one in PARALLEL]
    mixed += [("idkmrc → idkmrc, clapnq, hagrid", "idkmrc", ["idkmrc", "clapnq", "hagrid"])]
    mixed += [("clapnq → idkmrc, clapnq, hagrid", "clapnq", ["idkmrc", "clapnq", "hagrid"])]
    return [*same, *across, *mixed]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("data", type=Path)
    parser.add_argument("cache", type=Path)
    parser.add_argument("--whole", action="store_true", help="whole passages instead of chunks")
    parser.add_argument("--only", nargs="*", help="labels")
    chosen = parser.parse_args()
    corpora = Corpora(chosen.data, chosen.cache, whole=chosen.whole)
    heads = ["questions → passages", "n", "dense", "lexical", "hybrid", "hybrid - dense", *(f"weight {w:g}" for w in WEIGHTS)]
    print("|", " | ".join(heads), "|\n" + "|---" * len(heads) + "|")
    for label, asked, searched in directions():
        if not chosen.only or label in chosen.only:
            measure(label, corpora, asked, searched)


if __name__ == "__main__":
    main()
