"""A cross-encoder as a judge: of a hub or a folder, by name (`BAAI/bge-reranker-v2-m3`, say), on sentence-transformers."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from rag.embedding import embedder
from rag.text import normalise
from rag.types import Judgement

# Passages that are read together, as in `small.py`.
_AT_ONCE = 4


class HubJudge:
    """A `Judge` whose confidence is the model's score as the logistic function of it: it is not calibrated."""

    certain = 0.95

    def __init__(self, score: Callable[[Sequence[tuple[str, str]]], list[float]]) -> None:
        self._score = score

    def judge(self, question: str, passages: Sequence[str]) -> Iterator[Judgement]:
        """Whether each passage answers, in order; those that nobody asks for are not read."""
        asked = normalise(question)
        for at in range(0, len(passages), _AT_ONCE):
            pairs = [(asked, normalise(passage)) for passage in passages[at : at + _AT_ONCE]]
            yield from (Judgement(score, None) for score in self._score(pairs))


def open_named(name: str) -> HubJudge:
    """The cross-encoder of this name: a folder's, or of a hub, which is then asked. Raises WeightsError or WeightsMissing."""
    return HubJudge(embedder.open_cross_encoder(name, local=Path(name).is_dir()))
