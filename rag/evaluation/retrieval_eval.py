"""`rag eval retrieval`: dense, lexical and hybrid search on the same questions.

`evaluate` needs only a `Ranker`. `IndexRanker` ranks with the product's own build and retriever.
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
# Recall is measured at up to 20.
DEPTH = 20


class Ranker(Protocol):
    """Ranks the passages of a corpus for a question."""

    def rank(self, question: str, mode: Mode, count: int) -> Sequence[str]:
        """The ids of at most `count` passages, best first, each once."""


@dataclass(frozen=True, slots=True)
class Group:
    """Results for the questions of one language, or all: measures by mode, and the paired gain of hybrid over dense."""

    language: str
    questions: int
    modes: Mapping[Mode, Mapping[str, Estimate]]
    gain: Mapping[str, Estimate]


@dataclass(frozen=True, slots=True)
class Evaluation:
    """`groups` are all questions, then each language if there are several. `milliseconds` are medians of one ranking."""

    passages: int
    questions: int
    left_out: int
    groups: tuple[Group, ...]
    milliseconds: Mapping[Mode, float]


def evaluate(dataset: Dataset, ranker: Ranker, progress: Callable[[int, int], None] = lambda _done, _total: None) -> Evaluation:
    """Rank the passages for each question in each mode. `progress` is called with the numbers of questions done and in all."""
    rankings: dict[Mode, list[Sequence[str]]] = {mode: [] for mode in MODES}
    seconds: dict[Mode, list[float]] = {mode: [] for mode in MODES}
    for done, question in enumerate(dataset.questions):
        progress(done, len(dataset.questions))
        for mode in MODES:
            start = time.perf_counter()
            rankings[mode].append(ranker.rank(question.text, mode, DEPTH))
            seconds[mode].append(time.perf_counter() - start)
    progress(len(dataset.questions), len(dataset.questions))
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
    """The ids of at most `count` passages of scored chunks, each ranked by its best chunk."""
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
    """A `Ranker` and a `Finder` over an index of the corpus in `home`. An index that is already there is updated."""

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
        """At most `count` passages in the order of `rank` in hybrid mode, each with its best chunk."""
        ranking = self._ranking(question, "hybrid")
        best: dict[str, int] = {}
        for rank, passage in enumerate(self._passages(ranking)):
            best.setdefault(passage, rank)
        return [
            FoundPassage(passage, self._retriever.text_of(int(ranking.chunks[rank])), float(ranking.scores[rank]))
            for passage, rank in list(best.items())[:count]
        ]

    def _ranking(self, question: str, mode: Mode) -> Ranking:
        spoken = language.of_question(question, leaning=self._languages)
        return self._retriever.rank(question, spoken, PROPOSED, mode=mode)

    def _passages(self, ranking: Ranking) -> list[str]:
        """The id of the passage of each chunk."""
        return [self._ids[document.path] for document in self._retriever.documents_of(ranking.chunks)]
