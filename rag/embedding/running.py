"""Rows of token numbers through a compiled graph: batches of like length, side by side where there are many."""

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rag.embedding.graph import Arithmetic, EncoderGraph, library

# Tokens of a batch, padding counted. Texts are sorted by length first, so little of it is padding.
_BATCH_TOKENS = 2048


class Runner:
    """A graph in one arithmetic, compiled when it is first needed. Safe to use from several threads."""

    def __init__(self, graph: EncoderGraph, arithmetic: Arithmetic) -> None:
        self._graph, self._arithmetic, self._padding = graph.whole(), arithmetic, graph.model.padding
        self._core = library().Core()
        self._compiled: dict[str, Any] = {}
        self._compiling = threading.Lock()

    def run(self, rows: Sequence[Sequence[int]], take: Callable[[list[int], list[NDArray[np.float32]]], None]) -> None:
        """Compute all rows; `take` is handed the indexes of each batch's rows and the graph's outputs for them.

        Outputs are views that the next batch overwrites; those with a place for each token are as long as its longest row.
        """
        if not rows:
            return
        # The longest first: when the streams run out of work, what is left is short.
        order = sorted(range(len(rows)), key=lambda i: -len(rows[i]))
        batches = list(_batches(order, rows))
        # One batch has the whole machine, many go side by side, each on a stream of its own.
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
    """Runs of the order, each as many rows as fit `_BATCH_TOKENS` at the length of its first."""
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
