"""Ranks a corpus as the product would: each passage a seed, indexed by the same build, found by the same retriever."""

from collections.abc import Sequence
from pathlib import Path

from rag import language
from rag.engine import Engine
from rag.evaluation import dataset
from rag.evaluation.dataset import Dataset
from rag.evaluation.retrieval import Mode, best_first
from rag.indexing.build import Observer
from rag.retrieval.hybrid import DEPTH


class IndexRanker:
    """A `Ranker` over an index of its own, in `home`; one that was built there before is brought in line with the corpus."""

    def __init__(self, engine: Engine, data: Dataset, home: Path, observer: Observer) -> None:
        self._engine = engine.at(home)
        self._ids = dataset.write_seeds(data.passages, self._engine.settings.seeds)
        self._engine.rebuild(observer)
        self._retriever = self._engine.retriever()
        self._languages = self._engine.snapshot().languages()

    def rank(self, question: str, mode: Mode, count: int) -> Sequence[str]:
        """The ids of at most `count` passages, best first: a passage ranks by its best chunk."""
        spoken = language.detect(question, leaning=self._languages)
        ranking = self._retriever.rank(question, spoken, DEPTH, mode=mode)
        paths = [document.path for document in self._retriever.documents_of(ranking.chunks)]
        return best_first(((self._ids[path], score) for path, score in zip(paths, ranking.scores.tolist(), strict=True)), count)
