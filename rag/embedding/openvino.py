"""Texts to vectors with OpenVINO, on the processor, in one of three arithmetics. The only importer of openvino.

The graph is built here, from the tensors of a sentence-transformers folder, in tenths of a second: no converter is run, nothing
is stored that could go stale, and torch is not imported. Token numbers and their mask go in, unit vectors come out.
"""

import sys
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from rag.embedding.folder import Model
from rag.text import normalise

if TYPE_CHECKING:
    import openvino

# Tokens of a batch, padding counted. Texts are sorted by length first, so little of it is padding.
_BATCH_TOKENS = 2048
# One scale for so many weights of a row, and for so many activations of a token. The default embedder's own blocks are of 32,
# and with 128 it loses 0.54 % of belebele-en's nDCG@10 for a fifth more speed.
_INT8_GROUP = 32


@dataclass(frozen=True, slots=True)
class Arithmetic:
    """How matrices are multiplied. `precision` is OpenVINO's hint; `int8` weights meet activations made int8 as they come."""

    name: str
    precision: str
    int8: bool = False

    def options(self) -> dict[str, str]:
        """For `compile_model`."""
        group = str(_INT8_GROUP) if self.int8 else "0"
        return {"INFERENCE_PRECISION_HINT": self.precision, "DYNAMIC_QUANTIZATION_GROUP_SIZE": group}


FLOAT32 = Arithmetic("float32", "f32")
BFLOAT16 = Arithmetic("bfloat16", "bf16")
INT8 = Arithmetic("int8", "f32", int8=True)
INT8_BFLOAT16 = Arithmetic("int8+bfloat16", "bf16", int8=True)
ARITHMETICS = (FLOAT32, BFLOAT16, INT8, INT8_BFLOAT16)


def library() -> Any:
    """The openvino package, without its converter: that imports a telemetry client, and nothing here may call home."""
    absent = "openvino.tools.ovc"
    if absent not in sys.modules:
        # None makes its import fail, which openvino expects and passes over.
        sys.modules[absent] = None  # type: ignore[assignment]  # the documented way to forbid an import
    import openvino

    return openvino


def version() -> str:
    """OpenVINO's own."""
    return str(library().__version__)


def can_bfloat16() -> bool:
    """Whether this processor multiplies bfloat16 by itself; elsewhere it would be slower than float32."""
    return "BF16" in library().Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")


class OpenVinoEmbedder:
    """A folder's model as `Embedder`. Safe to use from several threads."""

    def __init__(self, name: str, digest: str, model: Model, arithmetic: Arithmetic) -> None:
        self.name, self.digest, self.backend = name, digest, f"openvino {arithmetic.name}"
        self._model, self._arithmetic = model, arithmetic
        self._tokenizer = model.tokenizer
        self._graph = graph(model, int8=arithmetic.int8)
        self._core = library().Core()
        self._compiled: dict[str, Any] = {}
        self._compiling = threading.Lock()

    def embed_passages(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Unit vectors of shape (len(texts), dimension). Some hundred texts at once are embedded fastest."""
        return self._embed(self._model.prompts["document"], texts)

    def embed_queries(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Unit vectors of shape (len(texts), dimension)."""
        return self._embed(self._model.prompts["query"], texts)

    def token_starts(self, text: str) -> list[int]:
        """The offset at which each token of the text begins, ascending, without special tokens."""
        return [start for start, _ in self._tokenizer.encode(text, add_special_tokens=False).offsets]

    def embed_tokens(self, rows: Sequence[Sequence[int]]) -> NDArray[np.float32]:
        """Unit vectors of rows of token numbers, special ones among them."""
        vectors = np.empty((len(rows), self._model.tensors["embeddings.word_embeddings.weight"].shape[1]), np.float32)
        if not rows:
            return vectors
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
            own.request.infer(_padded([rows[i] for i in batch], self._model.padding), share_inputs=True)
            vectors[batch] = own.request.get_output_tensor().data

        if streams <= 1:
            for batch in batches:
                infer(batch)
        else:
            with ThreadPoolExecutor(streams) as pool:
                list(pool.map(infer, batches))
        return vectors

    def _embed(self, prompt: str, texts: Sequence[str]) -> NDArray[np.float32]:
        encoded = self._tokenizer.encode_batch([prompt + normalise(text) for text in texts])
        return self.embed_tokens([_cut(encoding, self._model.most_tokens) for encoding in encoded])

    def _compile(self, hint: str) -> Any:
        with self._compiling:
            if hint not in self._compiled:
                options = {"PERFORMANCE_HINT": hint, **self._arithmetic.options()}
                self._compiled[hint] = self._core.compile_model(self._graph, "CPU", options)
            return self._compiled[hint]


def _cut(encoding: Any, most: int) -> list[int]:
    """The token numbers, at most `most`; the special tokens that end a text stay."""
    ids: list[int] = encoding.ids
    if len(ids) <= most:
        return ids
    mask: list[int] = encoding.special_tokens_mask
    ending = next((i for i, special in enumerate(reversed(mask)) if not special), 0)
    return [*ids[: most - ending], *ids[len(ids) - ending :]]


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


def graph(model: Model, *, int8: bool) -> "openvino.Model":
    """The encoder, pooling and the norm: (tokens, mask), each of shape (texts, length), to unit vectors."""
    return _Graph(model, int8=int8).whole()


class _Graph:
    """BERT in OpenVINO's operations, layer by layer as transformers has it."""

    def __init__(self, model: Model, *, int8: bool) -> None:
        library()
        from openvino import opset16

        self.op: Any = opset16
        self.model, self.int8 = model, int8
        self.hidden = model.tensors["embeddings.word_embeddings.weight"].shape[1]

    def whole(self) -> "openvino.Model":
        op = self.op
        ids, mask = op.parameter([-1, -1], np.int32, name="ids"), op.parameter([-1, -1], np.float32, name="mask")
        # A large negative number: after softmax, nothing is left of what is masked.
        hidden_away = op.multiply(op.unsqueeze(op.subtract(mask, self.floats(1)), self.whole_numbers(1, 2)), self.floats(1e9))
        states = self.embeddings(ids)
        for layer in range(self.model.layers):
            states = self.layer(states, hidden_away, f"encoder.layer.{layer}.")
        vectors = op.normalize_l2(self.pooled(states, mask), self.whole_numbers(1), 1e-24, "max")
        return library().Model([vectors], [ids, mask], "encoder")

    def embeddings(self, ids: Any) -> Any:
        op, tensors, first = self.op, self.model.tensors, self.model.first_position
        words = self.constant(tensors["embeddings.word_embeddings.weight"])
        # Every token is of the first kind, so that kind's vector belongs to the position.
        kind = tensors["embeddings.token_type_embeddings.weight"][0].astype(np.float32)
        positions = self.constant(tensors["embeddings.position_embeddings.weight"][first:] + kind)
        length = op.gather(op.shape_of(ids), self.whole_numbers(1), self.whole_number(0))
        place = op.slice(positions, self.whole_numbers(0), length, self.whole_numbers(1), self.whole_numbers(0))
        word = op.gather(words, ids, self.whole_number(0))
        return self.norm(op.add(word, op.unsqueeze(place, self.whole_number(0))), "embeddings.LayerNorm")

    def layer(self, states: Any, hidden_away: Any, name: str) -> Any:
        op = self.op
        query, key, value = (self.heads(self.dense(states, f"{name}attention.self.{k}")) for k in ("query", "key", "value"))
        scale = self.floats((self.hidden // self.model.heads) ** -0.5)
        near = op.softmax(op.add(op.multiply(op.matmul(query, key, False, True), scale), hidden_away), -1)  # noqa: FBT003  # opset's own
        heard = op.transpose(op.matmul(near, value, False, False), self.whole_numbers(0, 2, 1, 3))  # noqa: FBT003
        joined = op.reshape(heard, self.whole_numbers(0, 0, self.hidden), special_zero=True)
        attended = op.add(self.dense(joined, f"{name}attention.output.dense"), states)
        attended = self.norm(attended, f"{name}attention.output.LayerNorm")
        wide = op.gelu(self.dense(attended, f"{name}intermediate.dense"), "erf")
        return self.norm(op.add(self.dense(wide, f"{name}output.dense"), attended), f"{name}output.LayerNorm")

    def pooled(self, states: Any, mask: Any) -> Any:
        op = self.op
        if self.model.pooling == "cls":
            return op.gather(states, self.whole_number(0), self.whole_number(1))
        column = op.unsqueeze(mask, self.whole_number(2))
        total = op.reduce_sum(op.multiply(states, column), self.whole_numbers(1))
        return op.divide(total, op.reduce_sum(column, self.whole_numbers(1)))

    def heads(self, states: Any) -> Any:
        """(texts, length, hidden) to (texts, heads, length, hidden / heads)."""
        width = self.hidden // self.model.heads
        split = self.op.reshape(states, self.whole_numbers(0, 0, self.model.heads, width), special_zero=True)
        return self.op.transpose(split, self.whole_numbers(0, 2, 1, 3))

    def dense(self, states: Any, name: str) -> Any:
        weight, bias = self.model.tensors[f"{name}.weight"], self.model.tensors[f"{name}.bias"]
        matrix = self.compressed(weight) if self.int8 else self.constant(weight)
        return self.op.add(self.op.matmul(states, matrix, False, True), self.constant(bias[None, None]))  # noqa: FBT003

    def norm(self, states: Any, name: str) -> Any:
        op, tensors = self.op, self.model.tensors
        even = op.mvn(states, self.whole_numbers(-1), True, self.model.epsilon, "inside_sqrt")  # noqa: FBT003
        scaled = op.multiply(even, self.constant(tensors[f"{name}.weight"][None, None]))
        return op.add(scaled, self.constant(tensors[f"{name}.bias"][None, None]))

    def compressed(self, weight: NDArray[Any]) -> Any:
        """The matrix as int8 with one scale a group, in the form that OpenVINO knows as compressed weights."""
        op, (rows, columns) = self.op, weight.shape
        group = _INT8_GROUP if columns % _INT8_GROUP == 0 else columns
        blocks = weight.astype(np.float32).reshape(rows, columns // group, group)
        scale = np.maximum(np.abs(blocks).max(axis=2, keepdims=True) / 127, np.float32(1e-12))
        levels = op.convert(op.constant(np.round(blocks / scale).astype(np.int8)), np.float32)
        matrix = op.multiply(levels, op.constant(scale))
        return op.reshape(matrix, self.whole_numbers(rows, columns), special_zero=False)

    def constant(self, values: NDArray[Any]) -> Any:
        # Float32 tensors stay where they are, in the mapped file.
        return self.op.constant(np.ascontiguousarray(values, dtype=np.float32), shared_memory=True)

    def floats(self, value: float) -> Any:
        return self.op.constant(np.array(value, dtype=np.float32))

    def whole_numbers(self, *values: int) -> Any:
        return self.op.constant(np.array(values, dtype=np.int64))

    def whole_number(self, value: int) -> Any:
        return self.op.constant(np.array(value, dtype=np.int64))
