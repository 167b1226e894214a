import json
import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from safetensors.numpy import load_file

from rag.errors import WeightsDamaged
from rag.weights.e5 import E5Header, dequantise, read, write_sentence_transformer

Floats = NDArray[np.float32]
HEADER = E5Header(32, 1, 2, 64, 10, 8, 2, 0.5)
SHAPES = {"emb.word": (10, 32), "emb.pos": (8, 32), "emb.type": (2, 32), "emb.ln.w": (32,), "emb.ln.b": (32,)}
SHAPES |= {f"l0.{part}.w": (32, 32) for part in ("q", "k", "v", "ao")} | {"l0.fi.w": (64, 32), "l0.fo.w": (32, 64)}
SHAPES |= {f"l0.{part}.b": (32,) for part in ("q", "k", "v", "ao", "fo", "aln", "oln")} | {"l0.fi.b": (64,)}
SHAPES |= {"l0.aln.w": (32,), "l0.oln.w": (32,)}
BERT = {
    "emb.word": "embeddings.word_embeddings.weight",
    "emb.pos": "embeddings.position_embeddings.weight",
    "emb.type": "embeddings.token_type_embeddings.weight",
    "emb.ln.w": "embeddings.LayerNorm.weight",
    "emb.ln.b": "embeddings.LayerNorm.bias",
    "l0.q.w": "encoder.layer.0.attention.self.query.weight",
    "l0.q.b": "encoder.layer.0.attention.self.query.bias",
    "l0.k.w": "encoder.layer.0.attention.self.key.weight",
    "l0.k.b": "encoder.layer.0.attention.self.key.bias",
    "l0.v.w": "encoder.layer.0.attention.self.value.weight",
    "l0.v.b": "encoder.layer.0.attention.self.value.bias",
    "l0.ao.w": "encoder.layer.0.attention.output.dense.weight",
    "l0.ao.b": "encoder.layer.0.attention.output.dense.bias",
    "l0.aln.w": "encoder.layer.0.attention.output.LayerNorm.weight",
    "l0.aln.b": "encoder.layer.0.attention.output.LayerNorm.bias",
    "l0.fi.w": "encoder.layer.0.intermediate.dense.weight",
    "l0.fi.b": "encoder.layer.0.intermediate.dense.bias",
    "l0.fo.w": "encoder.layer.0.output.dense.weight",
    "l0.fo.b": "encoder.layer.0.output.dense.bias",
    "l0.oln.w": "encoder.layer.0.output.LayerNorm.weight",
    "l0.oln.b": "encoder.layer.0.output.LayerNorm.bias",
}


def pack(scale: np.float16, levels: list[int]) -> bytes:
    """One block, written out by the format's own words: byte j holds weight j low and weight j + 16 high."""
    return scale.tobytes() + bytes(levels[j] | levels[j + 16] << 4 for j in range(16))


def quantise(values: Floats) -> tuple[bytes, Floats]:
    """The blocks of the values, and what is left of the values in them."""
    raw, kept = b"", []
    for block in values.reshape(-1, 32):
        scale = np.float16(np.abs(block).max() / 7)
        levels = np.clip(np.round(block / np.float32(scale)) + 8, 0, 15).astype(int)
        raw += pack(scale, levels.tolist())
        kept.append((levels - 8).astype(np.float32) * np.float32(scale))
    return raw, np.concatenate(kept).reshape(values.shape)


@dataclass
class Tiny:
    """A whole model, the values it must give back, and where its table of tensors and its data begin."""

    raw: bytes
    values: dict[str, Floats]
    table: int
    data: int


def tiny(*, omit: str = "", magic: bytes = b"E5S1", block: int = 32) -> Tiny:
    random = np.random.default_rng(1)
    head = magic + struct.pack("<I7ifi", 1, 32, 1, 2, 64, 10, 8, 2, 0.5, block)
    blob = b"satu dua tiga"
    head += (
        struct.pack("<5iQ", 3, 0, 1, 2, 3, len(blob)) + bytes(4 * (3 + 1) + 4 * 3) + blob + struct.pack("<iI", 1, 5) + b"trie!"
    )
    names = [name for name in SHAPES if name != omit]
    data_at = len(head) + 4 + sum(2 + len(name) + struct.calcsize("<BIQQ") for name in names)
    table, data, values = struct.pack("<i", len(names)), b"", {}
    for name in names:
        value = random.standard_normal(SHAPES[name]).astype(np.float32)
        matrix = value.ndim == 2
        raw, values[BERT[name]] = quantise(value) if matrix else (value.tobytes(), value)
        row = struct.pack("<BIQQ", matrix, value.size, data_at + len(data), len(raw))
        table += struct.pack("<H", len(name)) + name.encode() + row
        data += raw
    return Tiny(head + table + data, values, len(head), data_at)


WHOLE = tiny()


def write(folder: Path, raw: bytes) -> Path:
    path = folder / "e5-small-q4.bin"
    path.write_bytes(raw)
    return path


def test_reads_the_header(tmp_path):
    assert read(write(tmp_path, WHOLE.raw))[0] == HEADER


def test_reads_every_tensor_under_its_bert_name_with_exactly_the_quantised_values(tmp_path):
    tensors = read(write(tmp_path, WHOLE.raw))[1]
    assert tensors.keys() == WHOLE.values.keys() == set(BERT.values())
    for name, value in WHOLE.values.items():
        assert tensors[name].dtype == np.float32
        np.testing.assert_array_equal(tensors[name], value, err_msg=name)


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(st.floats(-100, 100, width=16), st.lists(st.integers(0, 15), min_size=32, max_size=32)),
        min_size=1,
        max_size=4,
    ),
    st.integers(0, 31),
)
def test_dequantise_gives_the_levels_times_the_scale_and_no_more_than_asked(blocks, dropped):
    raw = b"".join(pack(np.float16(scale), levels) for scale, levels in blocks)
    expected = [np.float32(level - 8) * np.float32(scale) for scale, levels in blocks for level in levels]
    count = len(expected) - dropped
    np.testing.assert_array_equal(dequantise(raw, count), np.array(expected[:count], dtype=np.float32))


def cut_anywhere(draw: Callable[[st.SearchStrategy[int]], int]) -> bytes:
    return WHOLE.raw[: draw(st.integers(0, len(WHOLE.raw) - 1))]


@settings(deadline=None)
@given(st.data())
def test_a_truncated_file_is_damaged(tmp_path_factory, data):
    path = write(tmp_path_factory.mktemp("e5"), cut_anywhere(data.draw))
    with pytest.raises(WeightsDamaged):
        read(path)


# A damaged offset points at bytes that are no weights, whose scales may be infinite.
@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")
@settings(deadline=None, max_examples=300)
@given(at=st.integers(0, WHOLE.data - 1), damage=st.binary(min_size=1, max_size=8))
def test_damage_before_the_data_is_never_another_error(tmp_path_factory, at, damage):
    raw = WHOLE.raw[:at] + damage + WHOLE.raw[at + len(damage) :]
    try:
        tensors = read(write(tmp_path_factory.mktemp("e5"), raw))[1]
    except WeightsDamaged:
        return
    assert len(tensors) == len(SHAPES)


def replaced(at: int, layout: str, value: int) -> bytes:
    new = struct.pack("<" + layout, value)
    return WHOLE.raw[:at] + new + WHOLE.raw[at + len(new) :]


BLOB_SIZE = 4 + struct.calcsize("<I7ifi5i")
DAMAGED = {
    "empty": b"",
    "text": b"kata " * 1000,
    "another magic": tiny(magic=b"GGUF").raw,
    "another block size": tiny(block=64).raw,
    "a tensor less": tiny(omit="emb.pos").raw,
    "no tensors": replaced(WHOLE.table, "i", 0),
    "fewer than no tensors": replaced(WHOLE.table, "i", -1),
    "more tensors than there are": replaced(WHOLE.table, "i", 1000),
    "a tokenizer longer than any file": replaced(BLOB_SIZE, "Q", 2**64 - 1),
    "an unknown tensor": WHOLE.raw.replace(b"l0.fi.w", b"l0.xx.w"),
    "a name that is no text": WHOLE.raw.replace(b"l0.fi.w", b"l0.\xff\xff.w"),
    "more layers than there are": replaced(12, "i", 2),
    "another width": replaced(8, "i", 64),
}


@pytest.mark.parametrize("kind", DAMAGED)
def test_what_is_no_such_file_is_damaged_and_the_error_ends_with_a_mend(tmp_path, kind):
    with pytest.raises(WeightsDamaged) as caught:
        read(write(tmp_path, DAMAGED[kind]))
    assert str(caught.value).endswith("run `rag models verify`, then `rag models fetch`")


@pytest.fixture
def folder(tmp_path):
    """The tiny model as sentence-transformers has it."""
    (tmp_path / "tokenizer.json").write_text('{"version": "1.0"}')
    folder = tmp_path / "model"
    folder.mkdir()
    write_sentence_transformer(write(tmp_path, WHOLE.raw), tmp_path / "tokenizer.json", folder)
    return folder


def contents(folder: Path, name: str) -> object:
    return json.loads((folder / name).read_text("utf-8"))


def test_the_folder_has_every_file(folder):
    assert {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()} == {
        "model.safetensors",
        "tokenizer.json",
        "tokenizer_config.json",
        "config.json",
        "modules.json",
        "sentence_bert_config.json",
        "config_sentence_transformers.json",
        "1_Pooling/config.json",
    }


def test_the_folder_has_the_weights_and_the_tokenizer_unchanged(folder):
    tensors = load_file(folder / "model.safetensors")
    assert tensors.keys() == WHOLE.values.keys()
    for name, value in WHOLE.values.items():
        np.testing.assert_array_equal(tensors[name], value, err_msg=name)
    assert contents(folder, "tokenizer.json") == {"version": "1.0"}


def test_the_configuration_has_the_dimensions_of_the_file(folder):
    expected = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 64, "vocab_size": 10}
    expected |= {"max_position_embeddings": 8, "type_vocab_size": 2}
    config = contents(folder, "config.json")
    assert isinstance(config, dict)
    assert expected.items() <= config.items()
    assert config["model_type"] == "bert"
    assert config["layer_norm_eps"] == HEADER.layer_norm_epsilon
    assert contents(folder, "1_Pooling/config.json") == {"word_embedding_dimension": 32, "pooling_mode_mean_tokens": True}


def test_the_folder_names_the_prompts_that_e5_was_trained_with(folder):
    config = contents(folder, "config_sentence_transformers.json")
    assert isinstance(config, dict)
    assert config["prompts"] == {"query": "query: ", "document": "passage: "}
