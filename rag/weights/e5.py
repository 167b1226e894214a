"""Converts `e5-small-q4.bin` to a sentence-transformers folder. Knows the file's format; fetches nothing.

The format, little-endian: `E5S1`, u32 version; i32 hidden, layers, heads, feed-forward, vocabulary, positions, token types;
f32 layer-norm epsilon; i32 block size; a SentencePiece tokenizer (skipped: the official `tokenizer.json` serves); then named
tensors, f32 vectors and matrices in blocks of 32 four-bit weights: f16 scale d, then 16 bytes, of which byte j holds weight j
in its low and weight j + 16 in its high nibble; weight = (nibble - 8) * d. Matrices are [out, in], row-major.
"""

import json
import struct
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save

from rag.errors import WeightsDamaged

_BLOCK = np.dtype([("scale", "<f2"), ("nibbles", "u1", (16,))])
_BLOCK_WEIGHTS = 32
_HINT = "run `rag models verify`, then `rag models fetch`"

# From the file's short names to those of transformers' BERT.
_EMBEDDING_NAMES = {
    "emb.word": "embeddings.word_embeddings.weight",
    "emb.pos": "embeddings.position_embeddings.weight",
    "emb.type": "embeddings.token_type_embeddings.weight",
    "emb.ln.w": "embeddings.LayerNorm.weight",
    "emb.ln.b": "embeddings.LayerNorm.bias",
}
_LAYER_NAMES = {
    "q": "attention.self.query",
    "k": "attention.self.key",
    "v": "attention.self.value",
    "ao": "attention.output.dense",
    "aln": "attention.output.LayerNorm",
    "fi": "intermediate.dense",
    "fo": "output.dense",
    "oln": "output.LayerNorm",
}


@dataclass(frozen=True, slots=True)
class E5Header:
    """The model's dimensions, as in the file."""

    hidden: int
    layers: int
    heads: int
    feed_forward: int
    vocabulary: int
    positions: int
    token_types: int
    layer_norm_epsilon: float


class _Reader:
    """Reads little-endian values in sequence."""

    def __init__(self, raw: bytes) -> None:
        self.raw, self.at = raw, 0

    def take(self, layout: str) -> tuple[int | float, ...]:
        values = struct.unpack_from("<" + layout, self.raw, self.at)
        self.at += struct.calcsize("<" + layout)
        return values

    def integer(self, layout: str) -> int:
        return int(self.take(layout)[0])


def dequantise(raw: bytes, count: int) -> NDArray[np.float32]:
    """The `count` weights in four-bit blocks, as a float32 vector of shape (count,)."""
    blocks = np.frombuffer(raw, dtype=_BLOCK)
    nibbles = blocks["nibbles"]
    levels = np.concatenate((nibbles & 15, nibbles >> 4), axis=1).astype(np.float32) - 8
    levels *= blocks["scale"].astype(np.float32)[:, None]
    return levels.reshape(-1)[:count]


def _read_header(reader: _Reader) -> E5Header:
    if not reader.raw.startswith(b"E5S1"):
        raise WeightsDamaged("the embedder's file does not start with E5S1", _HINT)
    reader.take("4sI")
    hidden, layers, heads, feed_forward, vocabulary, positions, types = (int(v) for v in reader.take("7i"))
    epsilon = float(reader.take("f")[0])
    if (block := reader.integer("i")) != _BLOCK_WEIGHTS:
        raise WeightsDamaged(f"the embedder's file has blocks of {block} weights, not {_BLOCK_WEIGHTS}", _HINT)
    return E5Header(hidden, layers, heads, feed_forward, vocabulary, positions, types, epsilon)


def _skip_tokenizer(reader: _Reader) -> None:
    pieces, *_special, blob = (int(v) for v in reader.take("5iQ"))
    reader.at += 4 * (pieces + 1) + 4 * pieces + blob
    _entries, length = reader.take("iI")
    reader.at += int(length)


def _bert_name(name: str) -> str:
    if name in _EMBEDDING_NAMES:
        return _EMBEDDING_NAMES[name]
    layer, part, kind = name.split(".")
    suffix = "weight" if kind == "w" else "bias"
    return f"encoder.layer.{int(layer[1:])}.{_LAYER_NAMES[part]}.{suffix}"


def _shape(name: str, header: E5Header) -> tuple[int, ...]:
    """The tensor's shape: BERT's, [out, in] for matrices."""
    hidden, wide = header.hidden, header.feed_forward
    embeddings = {"emb.word": header.vocabulary, "emb.pos": header.positions, "emb.type": header.token_types}
    if name in embeddings:
        return embeddings[name], hidden
    part, kind = name.split(".")[-2:]
    if kind == "b" or part in ("aln", "oln", "ln"):
        return (wide,) if part == "fi" else (hidden,)
    return {"fi": (wide, hidden), "fo": (hidden, wide)}.get(part, (hidden, hidden))


def read(path: Path) -> tuple[E5Header, dict[str, NDArray[np.float32]]]:
    """The header, and every tensor as float32 under its name in transformers' BERT.

    Raises WeightsDamaged if the file has another format.
    """
    raw = path.read_bytes()
    try:
        reader = _Reader(raw)
        header = _read_header(reader)
        _skip_tokenizer(reader)
        tensors = dict(_read_tensor(reader, header) for _ in range(reader.integer("i")))
    except (struct.error, ValueError, KeyError, OverflowError) as error:
        raise WeightsDamaged(f"the embedder's file {path} cannot be read ({error})", _HINT) from error
    if len(tensors) != len(_EMBEDDING_NAMES) + 2 * len(_LAYER_NAMES) * header.layers:
        raise WeightsDamaged(f"the embedder's file {path} has {len(tensors)} tensors for {header.layers} layers", _HINT)
    return header, tensors


def _read_tensor(reader: _Reader, header: E5Header) -> tuple[str, NDArray[np.float32]]:
    length = reader.integer("H")
    name = reader.raw[reader.at : reader.at + length].decode("ascii")
    reader.at += length
    _dtype, count, offset, size = (int(v) for v in reader.take("BIQQ"))
    raw = reader.raw[offset : offset + size]
    values = np.frombuffer(raw, "<f4") if size == 4 * count else dequantise(raw, count)
    return _bert_name(name), values.reshape(_shape(name, header))


def write_sentence_transformer(weights: Path, tokenizer: Path, folder: Path) -> None:
    """Write a sentence-transformers model to the empty `folder`: BERT, mean pooling, L2 norm, `query: ` and `passage: `."""
    header, tensors = read(weights)
    # safetensors reports a full disk as an error of its own; Python's own write does not.
    (folder / "model.safetensors").write_bytes(save(tensors, metadata={"format": "pt"}))
    (folder / "tokenizer.json").write_bytes(tokenizer.read_bytes())
    (folder / "1_Pooling").mkdir()
    for name, content in _configuration(header).items():
        (folder / name).write_text(json.dumps(content, indent=1), encoding="utf-8")


def _configuration(header: E5Header) -> dict[str, object]:
    """The JSON files of the folder, by relative path."""
    module = "sentence_transformers.models."
    special = {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>", "pad_token": "<pad>"}
    return {
        "config.json": {
            "architectures": ["BertModel"],
            "model_type": "bert",
            "hidden_act": "gelu",
            "hidden_size": header.hidden,
            "num_hidden_layers": header.layers,
            "num_attention_heads": header.heads,
            "intermediate_size": header.feed_forward,
            "vocab_size": header.vocabulary,
            "max_position_embeddings": header.positions,
            "type_vocab_size": header.token_types,
            "layer_norm_eps": header.layer_norm_epsilon,
            "pad_token_id": 0,
            "dtype": "float32",
        },
        "tokenizer_config.json": {
            **special,
            "cls_token": "<s>",
            "sep_token": "</s>",
            "mask_token": "<mask>",
            "model_max_length": header.positions,
            "tokenizer_class": "PreTrainedTokenizerFast",
        },
        "modules.json": [
            {"idx": 0, "name": "0", "path": "", "type": module + "Transformer"},
            {"idx": 1, "name": "1", "path": "1_Pooling", "type": module + "Pooling"},
            {"idx": 2, "name": "2", "path": "2_Normalize", "type": module + "Normalize"},
        ],
        "1_Pooling/config.json": {"word_embedding_dimension": header.hidden, "pooling_mode_mean_tokens": True},
        "sentence_bert_config.json": {"max_seq_length": header.positions, "do_lower_case": False},
        "config_sentence_transformers.json": {
            "prompts": {"query": "query: ", "document": "passage: "},
            "similarity_fn_name": "cosine",
        },
    }
