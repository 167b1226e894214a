"""A data set's corpus as the product would have it: each passage a seed of a home of its own, indexed by the same build."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rag.engine import Engine
from rag.evaluation import dataset
from rag.evaluation.dataset import CorpusPassage
from rag.indexing.build import Observer


@dataclass(frozen=True, slots=True)
class IndexedCorpus:
    """An engine over the corpus; `ids` are the passages' ids by the paths of their documents."""

    engine: Engine
    ids: Mapping[str, str]


def index(engine: Engine, passages: Sequence[CorpusPassage], home: Path, observer: Observer) -> IndexedCorpus:
    """Index the passages in `home`, with the engine's models; what was built there before is brought up to date.

    Raises QuestionError where the home has documents of something else, and what a build raises.
    """
    over = engine.at(home)
    ids = dataset.write_seeds(passages, over.settings.seeds)
    over.rebuild(observer)
    return IndexedCorpus(over, ids)
