"""Ranks a corpus as the product would: indexed by the same build, found by the same retriever."""

from collections.abc import Sequence
from pathlib import Path

from rag import language
from rag.engine import Engine
from rag.evaluation import corpus
from rag.evaluation.dataset import Dataset
from rag.evaluation.reranking import FoundPassage
from rag.evaluation.retrieval_eval import Mode, best_first
from rag.indexing.build import Observer
from rag.retrieval.hybrid import DEPTH, Ranking


class IndexRanker:
    """A `Ranker` and `Finder` over an index of its own, in `home`; one that was built there before is brought up to date."""

    def __init__(self, engine: Engine, data: Dataset, home: Path, observer: Observer) -> None:
        indexed = corpus.index(engine, data.passages, home, observer)
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
        return self._retriever.rank(question, spoken, DEPTH, mode=mode)

    def _passages(self, ranking: Ranking) -> list[str]:
        """The passage of each chunk."""
        return [self._ids[document.path] for document in self._retriever.documents_of(ranking.chunks)]
