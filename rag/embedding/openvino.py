"""Embeds texts with OpenVINO on the CPU, in one of its arithmetics.

`Runner` runs rows of token numbers through a compiled graph, in batches of similar length, several at once if there are many.
The judge uses it too (`judging/small.py`).
"""

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rag.embedding.graph import Arithmetic, EncoderGraph, library
from rag.embedding.model_folder import Model
from rag.text import normalise

# Tokens per batch, including padding. Texts are sorted by length first, so little of it is padding.
_BATCH_TOKENS = 2048


class Runner:
    """A graph in one arithmetic, compiled on first use. Safe to use from several threads."""

    def __init__(self, graph: EncoderGraph, arithmetic: Arithmetic) -> None:
        self._graph, self._arithmetic, self._padding = graph.whole(), arithmetic, graph.model.padding
        self._core = library().Core()
        self._compiled: dict[str, Any] = {}
        self._compiling = threading.Lock()

    def run(self, rows: Sequence[Sequence[int]], take: Callable[[list[int], list[NDArray[np.float32]]], None]) -> None:
        """Compute all rows. For each batch, `take` is called with the indexes of its rows and the graph's outputs for them.

        Outputs are views that the next batch overwrites. Outputs per token are padded to the longest row of the batch.
        """
        if not rows:
            return
        # The longest first, so that the batches that end the run are short.
        order = sorted(range(len(rows)), key=lambda i: -len(rows[i]))
        batches = list(_batches(order, rows))
        # One batch uses all cores; several run in parallel, each on its own stream.
        compiled = self._compile("LATENCY" if len(batches) == 1 else "THROUGHPUT")
        streams = min(len(batches), compiled.get_property("OPTIMAL_NUMBER_OF_INFER_REQUESTS"))
        own = threading.local()

        def infer(batch: list[int]) -> None:
            if not hasattr(own, "request"):
                own.request = compiled.create_infer_request()
            own.request.infer(_padded([rows[i] for i in batch], self._padding), share_inputs=True)
            take(batch, [tensor.data for tensor in own.request.output_tensors])

        if streams <= 1:
            for batch in batches:
                infer(batch)
        else:
            with ThreadPoolExecutor(streams) as pool:
                list(pool.map(infer, batches))

    def _compile(self, hint: str) -> Any:
        with self._compiling:
            if hint not in self._compiled:
                options = {"PERFORMANCE_HINT": hint, **self._arithmetic.options()}
                self._compiled[hint] = self._core.compile_model(self._graph, "CPU", options)
            return self._compiled[hint]


def _batches(order: list[int], rows: Sequence[Sequence[int]]) -> Iterator[list[int]]:
    """Splits the order into batches, each with as many rows as fit into `_BATCH_TOKENS` at the length of its first."""
    at = 0
    while at < len(order):
        count = max(1, _BATCH_TOKENS // max(1, len(rows[order[at]])))
        yield order[at : at + count]
        at += count


def _padded(rows: Sequence[Sequence[int]], padding: int) -> list[NDArray[Any]]:
    """Token numbers and mask, of shape (rows, longest row)."""
    ids = np.full((len(rows), max(map(len, rows))), padding, np.int32)
    mask = np.zeros(ids.shape, np.float32)
    for i, row in enumerate(rows):
        ids[i, : len(row)], mask[i, : len(row)] = row, 1
    return [ids, mask]


class OpenVinoEmbedder:
    """The model of a folder as an `Embedder`. Safe to use from several threads."""

    def __init__(self, name: str, digest: str, model: Model, arithmetic: Arithmetic) -> None:
        self.name, self.digest, self.backend = name, digest, f"openvino {arithmetic.name}"
        self.model, self.arithmetic = model, arithmetic
        self._runner = Runner(EncoderGraph(model, int8=arithmetic.int8), arithmetic)

    def embed_passages(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Unit vectors of shape (len(texts), dimension). Fastest with a few hundred texts per call."""
        return self._embed(self.model.prompts["document"], texts)

    def embed_queries(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Unit vectors of shape (len(texts), dimension)."""
        return self._embed(self.model.prompts["query"], texts)

    def token_starts(self, text: str) -> list[int]:
        """The offset at which each token of the text begins, ascending, without special tokens."""
        return [start for start, _ in self.model.tokenizer.encode(text, add_special_tokens=False).offsets]

    def embed_tokens(self, rows: Sequence[Sequence[int]]) -> NDArray[np.float32]:
        """Unit vectors of rows of token numbers, which include the special tokens."""
        vectors = np.empty((len(rows), self.model.tensors["embeddings.word_embeddings.weight"].shape[1]), np.float32)

        def take(batch: list[int], outputs: list[NDArray[np.float32]]) -> None:
            vectors[batch] = outputs[0]

        self._runner.run(rows, take)
        return vectors

    def _embed(self, prompt: str, texts: Sequence[str]) -> NDArray[np.float32]:
        encoded = self.model.tokenizer.encode_batch([prompt + normalise(text) for text in texts])
        return self.embed_tokens([_cut(encoding, self.model.most_tokens) for encoding in encoded])


def _cut(encoding: Any, most: int) -> list[int]:
    """The token numbers, at most `most`. The special tokens at the end of the text are kept."""
    ids: list[int] = encoding.ids
    if len(ids) <= most:
        return ids
    mask: list[int] = encoding.special_tokens_mask
    ending = next((i for i, special in enumerate(reversed(mask)) if not special), 0)
    return [*ids[: most - ending], *ids[len(ids) - ending :]]
