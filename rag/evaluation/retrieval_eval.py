"""How well passages are found: dense, lexical and both together, side by side over one set of questions.

Knows nothing of engines or indexes: it is handed a `Ranker`.

Ranks a corpus as the product would: indexed by the same build, found by the same retriever.
"""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from rag import language
from rag.engine import Engine
from rag.evaluation import dataset
from rag.evaluation.dataset import Dataset
from rag.evaluation.judge_eval import FoundPassage
from rag.evaluation.measures import Estimate, by_language, estimate, per_question
from rag.indexing.protocol import Progress
from rag.retrieval.hybrid import DEPTH as PROPOSED
from rag.retrieval.hybrid import Ranking

Mode = Literal["dense", "lexical", "hybrid"]
MODES: tuple[Mode, ...] = ("dense", "lexical", "hybrid")
# Recall is counted to 20.
DEPTH = 20


class Ranker(Protocol):
    """Ranks the passages of the corpus for a question."""

    def rank(self, question: str, mode: Mode, count: int) -> Sequence[str]:
        """The ids of at most `count` passages, best first, each once."""


@dataclass(frozen=True, slots=True)
class Group:
    """The questions of one language, or all: measures by mode, and what hybrid gains over dense, question by question."""

    language: str
    questions: int
    modes: Mapping[Mode, Mapping[str, Estimate]]
    gain: Mapping[str, Estimate]


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Of all questions together, then by language where there are several. `milliseconds` are medians of one ranking."""

    passages: int
    questions: int
    left_out: int
    groups: tuple[Group, ...]
    milliseconds: Mapping[Mode, float]


def evaluate(dataset: Dataset, ranker: Ranker, asked: Callable[[int, int], None] = lambda _done, _total: None) -> Evaluation:
    """Rank for every question in every mode. `asked` is told how many of how many questions are done."""
    rankings: dict[Mode, list[Sequence[str]]] = {mode: [] for mode in MODES}
    seconds: dict[Mode, list[float]] = {mode: [] for mode in MODES}
    for done, question in enumerate(dataset.questions):
        asked(done, len(dataset.questions))
        for mode in MODES:
            start = time.perf_counter()
            rankings[mode].append(ranker.rank(question.text, mode, DEPTH))
            seconds[mode].append(time.perf_counter() - start)
    asked(len(dataset.questions), len(dataset.questions))
    relevant = [question.relevant for question in dataset.questions]
    languages = [question.language for question in dataset.questions]
    values = {mode: per_question(rankings[mode], relevant) for mode in MODES}
    return Evaluation(
        passages=len(dataset.passages),
        questions=len(dataset.questions),
        left_out=dataset.left_out,
        groups=tuple(_group(language, rows, values) for language, rows in by_language(languages)),
        milliseconds={mode: round(1000 * median(seconds[mode]), 2) for mode in MODES},
    )


def best_first(chunks: Iterable[tuple[str, float]], count: int) -> list[str]:
    """The passages of scored chunks, ranked each by its best chunk."""
    best: dict[str, float] = {}
    for passage, score in chunks:
        best[passage] = max(score, best.get(passage, score))
    return sorted(best, key=lambda passage: -best[passage])[:count]


_Values = Mapping[Mode, Mapping[str, NDArray[np.float64]]]


def _group(language: str, rows: NDArray[np.intp], values: _Values) -> Group:
    modes = {mode: {name: estimate(of[rows]) for name, of in measures.items()} for mode, measures in values.items()}
    dense, hybrid = values["dense"], values["hybrid"]
    gain = {name: estimate(hybrid[name][rows] - dense[name][rows]) for name in dense}
    return Group(language, len(rows), modes, gain)


class IndexRanker:
    """A `Ranker` and `Finder` over an index of its own, in `home`; one that was built there before is brought up to date."""

    def __init__(self, engine: Engine, data: Dataset, home: Path, progress: Progress) -> None:
        indexed = dataset.index(engine, data.passages, home, progress)
        self._ids = indexed.ids
        self._retriever = indexed.engine.retriever()
        self._languages = indexed.engine.snapshot().languages()

    def rank(self, question: str, mode: Mode, count: int) -> Sequence[str]:
        """The ids of at most `count` passages, best first: a passage ranks by its best chunk."""
        ranking = self._ranking(question, mode)
        return best_first(zip(self._passages(ranking), ranking.scores.tolist(), strict=True), count)

    def find(self, question: str, count: int) -> Sequence[FoundPassage]:
        """At most `count` passages as `rank` orders them in hybrid mode, each with its best chunk."""
        ranking = self._ranking(question, "hybrid")
        best: dict[str, int] = {}
        for place, passage in enumerate(self._passages(ranking)):
            best.setdefault(passage, place)
        return [
            FoundPassage(passage, self._retriever.text_of(int(ranking.chunks[place])), float(ranking.scores[place]))
            for passage, place in list(best.items())[:count]
        ]

    def _ranking(self, question: str, mode: Mode) -> Ranking:
        spoken = language.of_question(question, leaning=self._languages)
        return self._retriever.rank(question, spoken, PROPOSED, mode=mode)

    def _passages(self, ranking: Ranking) -> list[str]:
        """The passage of each chunk."""
        return [self._ids[document.path] for document in self._retriever.documents_of(ranking.chunks)]
