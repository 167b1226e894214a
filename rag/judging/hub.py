"""A cross-encoder of a hub or a folder, by name (`BAAI/bge-reranker-v2-m3` and the like), as a judge. Runs on sentence-transformers."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rag.embedding import embedder
from rag.text import normalise
from rag.types import Judgement

if TYPE_CHECKING:
    from sentence_transformers import CrossEncoder

# Passages that are read together, as in `small.py`.
_AT_ONCE = 4


class HubJudge:
    """A `Judge` whose confidence is the model's own: its score through the activation that its configuration names."""

    def __init__(self, name: str, model: "CrossEncoder") -> None:
        self.name, self._model = name, model

    def judge(self, question: str, passages: Sequence[str]) -> Iterator[Judgement]:
        """Whether each passage answers, in order; those that nobody asks for are not read."""
        from torch.nn import Sigmoid

        for at in range(0, len(passages), _AT_ONCE):
            pairs = [(normalise(question), normalise(passage)) for passage in passages[at : at + _AT_ONCE]]
            scores = self._model.predict(pairs, activation_fn=Sigmoid(), show_progress_bar=False)
            yield from (Judgement(float(score), None) for score in scores)


def open_named(name: str) -> HubJudge:
    """The cross-encoder of this name: a folder, or of a hub, which is then asked. Raises WeightsError or WeightsMissing."""
    return HubJudge(name, embedder.load_cross_encoder(name, local=Path(name).is_dir()))
