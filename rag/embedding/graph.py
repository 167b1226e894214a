"""BERT as a graph of OpenVINO operations, and the arithmetics it can be computed in. The only importer of openvino.

The graph is built from the tensors of a sentence-transformers folder in tenths of a second: no converter runs, no converted
model is stored that could become stale, and torch is not imported.
"""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from rag.embedding.model_folder import Model

if TYPE_CHECKING:
    import openvino

# Weights of a row, and activations of a token, that share one scale. The default embedder's file has blocks of 32; a group of
# 128 loses 0.54 % of nDCG@10 on belebele-en and is a fifth faster.
_INT8_GROUP = 32


@dataclass(frozen=True, slots=True)
class Arithmetic:
    """How matrices are multiplied. `precision` is OpenVINO's hint; `int8` weights meet activations quantised on the fly."""

    name: str
    precision: str
    int8: bool = False

    def options(self) -> dict[str, str]:
        """The options for OpenVINO's `compile_model`."""
        group = str(_INT8_GROUP) if self.int8 else "0"
        return {"INFERENCE_PRECISION_HINT": self.precision, "DYNAMIC_QUANTIZATION_GROUP_SIZE": group}


FLOAT32 = Arithmetic("float32", "f32")
BFLOAT16 = Arithmetic("bfloat16", "bf16")
INT8 = Arithmetic("int8", "f32", int8=True)
INT8_BFLOAT16 = Arithmetic("int8+bfloat16", "bf16", int8=True)
ARITHMETICS = (FLOAT32, BFLOAT16, INT8, INT8_BFLOAT16)


def library() -> Any:
    """The openvino package without its converter, which imports a telemetry client: nothing here may send data."""
    absent = "openvino.tools.ovc"
    if absent not in sys.modules:
        # None makes its import fail, which openvino expects and ignores.
        sys.modules[absent] = None  # type: ignore[assignment]  # the documented way to forbid an import
    import openvino

    return openvino


def can_bfloat16() -> bool:
    """Whether this processor multiplies bfloat16 in hardware; elsewhere it is slower than float32."""
    return "BF16" in library().Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")


class EncoderGraph:
    """BERT layer by layer, as in transformers. Subclasses choose the outputs that are computed from its states."""

    def __init__(self, model: Model, *, int8: bool) -> None:
        library()
        from openvino import opset16

        self.op: Any = opset16
        self.model, self.int8 = model, int8
        self.hidden = model.tensors["embeddings.word_embeddings.weight"].shape[1]

    def whole(self) -> "openvino.Model":
        """The model from (tokens, mask), each of shape (texts, length), to the outputs."""
        op = self.op
        ids, mask = op.parameter([-1, -1], np.int32, name="ids"), op.parameter([-1, -1], np.float32, name="mask")
        # A large negative number where the mask is 0: the softmax there becomes 0.
        hidden_away = op.multiply(op.unsqueeze(op.subtract(mask, self.floats(1)), self.whole_numbers(1, 2)), self.floats(1e9))
        states = self.embeddings(ids)
        for layer in range(self.model.layers):
            states = self.layer(states, hidden_away, f"encoder.layer.{layer}.")
        return library().Model(self.outputs(states, mask), [ids, mask], "encoder")

    def outputs(self, states: Any, mask: Any) -> Sequence[Any]:
        """Unit vectors, of shape (texts, hidden)."""
        return [self.op.normalize_l2(self.pooled(states, mask), self.whole_numbers(1), 1e-24, "max")]

    def embeddings(self, ids: Any) -> Any:
        """The states before the first layer, from token numbers of shape (texts, length)."""
        op, tensors, first = self.op, self.model.tensors, self.model.first_position
        words = self.constant(tensors["embeddings.word_embeddings.weight"])
        # Every token has token type 0, so the vector of that type is added to the positions.
        kind = tensors["embeddings.token_type_embeddings.weight"][0].astype(np.float32)
        positions = self.constant(tensors["embeddings.position_embeddings.weight"][first:] + kind)
        length = op.gather(op.shape_of(ids), self.whole_numbers(1), self.whole_number(0))
        place = op.slice(positions, self.whole_numbers(0), length, self.whole_numbers(1), self.whole_numbers(0))
        word = op.gather(words, ids, self.whole_number(0))
        return self.norm(op.add(word, op.unsqueeze(place, self.whole_number(0))), "embeddings.LayerNorm")

    def layer(self, states: Any, hidden_away: Any, name: str) -> Any:
        """One transformer layer: self-attention, then the feed-forward network."""
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
        """The pooled states, of shape (texts, hidden)."""
        op = self.op
        if self.model.pooling == "cls":
            return op.gather(states, self.whole_number(0), self.whole_number(1))
        column = op.unsqueeze(mask, self.whole_number(2))
        total = op.reduce_sum(op.multiply(states, column), self.whole_numbers(1))
        return op.divide(total, op.reduce_sum(column, self.whole_numbers(1)))

    def heads(self, states: Any) -> Any:
        """States of shape (texts, length, hidden), split to (texts, heads, length, hidden / heads)."""
        width = self.hidden // self.model.heads
        split = self.op.reshape(states, self.whole_numbers(0, 0, self.model.heads, width), special_zero=True)
        return self.op.transpose(split, self.whole_numbers(0, 2, 1, 3))

    def dense(self, states: Any, name: str) -> Any:
        """The linear layer of this name: times its matrix, plus its bias."""
        weight, bias = self.model.tensors[f"{name}.weight"], self.model.tensors[f"{name}.bias"]
        matrix = self.compressed(weight) if self.int8 else self.constant(weight)
        return self.op.add(self.op.matmul(states, matrix, False, True), self.constant(bias[None, None]))  # noqa: FBT003

    def norm(self, states: Any, name: str) -> Any:
        """The layer norm of this name."""
        op, tensors = self.op, self.model.tensors
        even = op.mvn(states, self.whole_numbers(-1), True, self.model.epsilon, "inside_sqrt")  # noqa: FBT003
        scaled = op.multiply(even, self.constant(tensors[f"{name}.weight"][None, None]))
        return op.add(scaled, self.constant(tensors[f"{name}.bias"][None, None]))

    def compressed(self, weight: NDArray[Any]) -> Any:
        """The matrix as int8 with one scale per group, in the form that OpenVINO recognises as compressed weights."""
        op, (rows, columns) = self.op, weight.shape
        group = _INT8_GROUP if columns % _INT8_GROUP == 0 else columns
        blocks = weight.astype(np.float32).reshape(rows, columns // group, group)
        scale = np.maximum(np.abs(blocks).max(axis=2, keepdims=True) / 127, np.float32(1e-12))
        levels = op.convert(op.constant(np.round(blocks / scale).astype(np.int8)), np.float32)
        matrix = op.multiply(levels, op.constant(scale))
        return op.reshape(matrix, self.whole_numbers(rows, columns), special_zero=False)

    def constant(self, values: NDArray[Any]) -> Any:
        """The tensor as a constant. Float32 tensors are not copied: they stay in the mapped file."""
        return self.op.constant(np.ascontiguousarray(values, dtype=np.float32), shared_memory=True)

    def floats(self, value: float) -> Any:
        """A float32 scalar."""
        return self.op.constant(np.array(value, dtype=np.float32))

    def whole_numbers(self, *values: int) -> Any:
        """An int64 vector."""
        return self.op.constant(np.array(values, dtype=np.int64))

    def whole_number(self, value: int) -> Any:
        """An int64 scalar."""
        return self.op.constant(np.array(value, dtype=np.int64))
