"""The graph beside the same computation in NumPy, on a small random model."""

import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from rag.embedding import graph, model_folder
from rag.embedding.graph import ARITHMETICS, FLOAT32, INT8, EncoderGraph
from rag.embedding.model_folder import Model
from tests.embedding import tiny

Array = NDArray[np.float64]
ROWS = np.array([[0, 6, 7, 8, 12, 2], [0, 9, 2, 0, 0, 0]], np.int32)
MASK = np.array([[1, 1, 1, 1, 1, 1], [1, 1, 1, 0, 0, 0]], np.float32)


def model_of(path: Path, **changes: Any) -> Model:
    return model_folder.read(tiny.write(path / "model", **changes))


def computed(encoder: EncoderGraph, ids: NDArray[np.int32], mask: NDArray[np.float32]) -> NDArray[np.float32]:
    compiled = graph.library().Core().compile_model(encoder.whole(), "CPU", FLOAT32.options())
    vectors: NDArray[np.float32] = compiled([ids, mask])[0]
    return vectors


def expected(model: Model, ids: NDArray[np.int32]) -> Array:
    """The unit vector of one text by the definition of BERT (Devlin et al. 2019; Vaswani et al. 2017), without padding."""
    t = {name: np.asarray(value, np.float64) for name, value in model.tensors.items()}

    def norm(x: Array, name: str) -> Array:
        even = (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + model.epsilon)
        return np.asarray(even * t[f"{name}.weight"] + t[f"{name}.bias"])

    def dense(x: Array, name: str) -> Array:
        return np.asarray(x @ t[f"{name}.weight"].T + t[f"{name}.bias"])

    places = t["embeddings.position_embeddings.weight"][model.first_position : model.first_position + len(ids)]
    x = t["embeddings.word_embeddings.weight"][ids] + places + t["embeddings.token_type_embeddings.weight"][0]
    x = norm(x, "embeddings.LayerNorm")
    for layer in range(model.layers):
        name = f"encoder.layer.{layer}."
        query, key, value = (
            np.stack(np.split(dense(x, f"{name}attention.self.{part}"), model.heads, axis=-1))
            for part in ("query", "key", "value")
        )
        scores = query @ key.transpose(0, 2, 1) / math.sqrt(query.shape[-1])
        weights = np.exp(scores - scores.max(-1, keepdims=True))
        attended = np.concatenate(list(weights / weights.sum(-1, keepdims=True) @ value), axis=-1)
        x = norm(x + dense(attended, f"{name}attention.output.dense"), f"{name}attention.output.LayerNorm")
        wide = dense(x, f"{name}intermediate.dense")
        wide = wide * 0.5 * (1 + np.vectorize(math.erf)(wide / math.sqrt(2)))
        x = norm(x + dense(wide, f"{name}output.dense"), f"{name}output.LayerNorm")
    pooled = x[0] if model.pooling == "cls" else x.mean(0)
    return np.asarray(pooled / np.linalg.norm(pooled))


@pytest.mark.parametrize(("kind", "pooling"), [("bert", "mean"), ("bert", "cls"), ("xlm-roberta", "mean")])
def test_the_graph_computes_bert_and_padding_changes_nothing(tmp_path: Path, kind: str, pooling: str) -> None:
    model = model_of(tmp_path, kind=kind, pooling=pooling)
    vectors = computed(EncoderGraph(model, int8=False), ROWS, MASK)
    assert vectors.shape == (2, tiny.HIDDEN)
    for row, mask, vector in zip(ROWS, MASK, vectors, strict=True):
        assert vector == pytest.approx(expected(model, row[mask == 1]), abs=1e-5)


def test_int8_weights_are_the_nearest_of_255_levels_of_their_group(tmp_path: Path) -> None:
    encoder = EncoderGraph(model_of(tmp_path), int8=True)
    weight = np.random.default_rng(2).standard_normal((3, 64)).astype(np.float32)
    weight[1, :32] = 0
    ov = graph.library()
    made = ov.Core().compile_model(
        ov.Model([encoder.compressed(weight)], [], "weight"), "CPU", {"INFERENCE_PRECISION_HINT": "f32"}
    )
    restored = made([])[0]
    step = np.abs(weight.reshape(3, 2, 32)).max(axis=2, keepdims=True) / 127
    assert restored.shape == weight.shape
    assert (np.abs(restored - weight).reshape(3, 2, 32) <= step / 2 + 1e-6).all()
    assert (restored[1, :32] == 0).all()


def test_only_int8_quantises_activations_and_the_names_are_unique() -> None:
    assert {a.name for a in ARITHMETICS if a.options()["DYNAMIC_QUANTIZATION_GROUP_SIZE"] != "0"} == {"int8", "int8+bfloat16"}
    assert INT8.options() == {"INFERENCE_PRECISION_HINT": "f32", "DYNAMIC_QUANTIZATION_GROUP_SIZE": "32"}
    assert len({a.name for a in ARITHMETICS}) == len(ARITHMETICS)


def test_the_library_comes_without_its_converter_and_its_telemetry() -> None:
    code = "import sys; from rag.embedding import graph; graph.can_bfloat16(); print('openvino_telemetry' in sys.modules)"
    said = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True, cwd=Path(__file__).parents[2]
    )
    assert (said.stdout.strip(), said.stderr) == ("False", "")
