"""Texts to vectors with OpenVINO, on the processor, in one of its arithmetics."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rag.embedding.folder import Model
from rag.embedding.graph import Arithmetic, EncoderGraph
from rag.embedding.running import Runner
from rag.text import normalise


class OpenVinoEmbedder:
    """A folder's model as `Embedder`. Safe to use from several threads."""

    def __init__(self, name: str, digest: str, model: Model, arithmetic: Arithmetic) -> None:
        self.name, self.digest, self.backend = name, digest, f"openvino {arithmetic.name}"
        self.model, self.arithmetic = model, arithmetic
        self._runner = Runner(EncoderGraph(model, int8=arithmetic.int8), arithmetic)

    def embed_passages(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Unit vectors of shape (len(texts), dimension). Some hundred texts at once are embedded fastest."""
        return self._embed(self.model.prompts["document"], texts)

    def embed_queries(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Unit vectors of shape (len(texts), dimension)."""
        return self._embed(self.model.prompts["query"], texts)

    def token_starts(self, text: str) -> list[int]:
        """The offset at which each token of the text begins, ascending, without special tokens."""
        return [start for start, _ in self.model.tokenizer.encode(text, add_special_tokens=False).offsets]

    def embed_tokens(self, rows: Sequence[Sequence[int]]) -> NDArray[np.float32]:
        """Unit vectors of rows of token numbers, special ones among them."""
        vectors = np.empty((len(rows), self.model.tensors["embeddings.word_embeddings.weight"].shape[1]), np.float32)

        def take(batch: list[int], outputs: list[NDArray[np.float32]]) -> None:
            vectors[batch] = outputs[0]

        self._runner.run(rows, take)
        return vectors

    def _embed(self, prompt: str, texts: Sequence[str]) -> NDArray[np.float32]:
        encoded = self.model.tokenizer.encode_batch([prompt + normalise(text) for text in texts])
        return self.embed_tokens([_cut(encoding, self.model.most_tokens) for encoding in encoded])


def _cut(encoding: Any, most: int) -> list[int]:
    """The token numbers, at most `most`; the special tokens that end a text stay."""
    ids: list[int] = encoding.ids
    if len(ids) <= most:
        return ids
    mask: list[int] = encoding.special_tokens_mask
    ending = next((i for i, special in enumerate(reversed(mask)) if not special), 0)
    return [*ids[: most - ending], *ids[len(ids) - ending :]]
