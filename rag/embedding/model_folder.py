"""Reads a sentence-transformers folder without that library: the model's configuration, tensors and tokenizer.

Supports BERT, RoBERTa and XLM-RoBERTa with mean or first-token pooling, which covers nearly all embedding models of this size.
Raises `Unsupported` for others, which are then left to sentence-transformers. Does not compute anything.
"""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

# By model type, the first position minus the number of the padding token: RoBERTa starts after it. BERT starts at 0.
_FIRST_POSITION = {"bert": None, "roberta": 1, "xlm-roberta": 1}
_ROLES = {"document": ("document", "passage", "corpus"), "query": ("query",)}
_PLAIN_NAME = re.compile(r"(?:embeddings|encoder)\..+")
_SQUARE = ("attention.self.query", "attention.self.key", "attention.self.value", "attention.output.dense")
_DTYPES = {"F32": np.float32, "F16": np.float16}


class Unsupported(Exception):
    """The folder has a model that only sentence-transformers can run, or none."""


@dataclass(frozen=True, slots=True)
class Model:
    """The model in a folder.

    `tensors` are mapped from the file, not read; their names begin with `embeddings.` or `encoder.`. `prompts` has the prefix
    of a `document` and of a `query`. A text has at most `most_tokens`, including special tokens.
    """

    layers: int
    heads: int
    epsilon: float
    first_position: int
    pooling: str
    most_tokens: int
    padding: int
    prompts: dict[str, str]
    tensors: dict[str, NDArray[Any]]
    tokenizer: Tokenizer


def read(folder: Path) -> Model:
    """The model in the folder. Raises Unsupported, also for files that are found to be damaged."""
    try:
        return _read(folder)
    except (OSError, ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
        raise Unsupported(f"{type(error).__name__}: {error}") from error


def _read(folder: Path) -> Model:
    config = _json(folder / "config.json")
    kind, padding = config["model_type"], int(config.get("pad_token_id") or 0)
    _require(kind in _FIRST_POSITION, f"a {kind} model")
    _require(config.get("hidden_act", "gelu") == "gelu", "another activation than gelu")
    _require(config.get("position_embedding_type", "absolute") == "absolute", "relative positions")
    _require(not config.get("is_decoder"), "a decoder")
    first = 0 if (offset := _FIRST_POSITION[kind]) is None else padding + offset
    transformer = _json(folder / "sentence_bert_config.json")
    _require(not transformer.get("do_lower_case"), "lower-casing outside the tokenizer")
    positions = config["max_position_embeddings"] - first
    tensors = _tensors(folder / "model.safetensors")
    _require_encoder(tensors, config)
    return Model(
        layers=config["num_hidden_layers"],
        heads=config["num_attention_heads"],
        epsilon=config["layer_norm_eps"],
        first_position=first,
        pooling=_pooling(folder),
        most_tokens=min(transformer.get("max_seq_length") or _tokenizer_limit(folder, positions), positions),
        padding=padding,
        prompts=_prompts(_json(folder / "config_sentence_transformers.json")),
        tensors=tensors,
        tokenizer=_tokenizer(folder / "tokenizer.json"),
    )


def _tokenizer(path: Path) -> Tokenizer:
    """The tokenizer without the truncation and padding that its file may set: `token_starts` needs the whole text."""
    try:
        tokenizer = Tokenizer.from_file(str(path))
    except Exception as error:  # the library raises nothing narrower
        raise Unsupported(f"the tokenizer: {error}") from error
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


def _json(path: Path) -> dict[str, Any]:
    content = json.loads(path.read_text("utf-8"))
    _require(isinstance(content, dict), f"{path.name} is not an object")
    return dict(content)


def _require(condition: Any, otherwise: str) -> None:
    if not condition:
        raise Unsupported(otherwise)


def _tokenizer_limit(folder: Path, positions: int) -> int:
    return int(min(_json(folder / "tokenizer_config.json").get("model_max_length", positions), positions))


def _pooling(folder: Path) -> str:
    """`mean` or `cls`. A Normalize module is optional, because vectors are always normalised."""
    modules = json.loads((folder / "modules.json").read_text("utf-8"))
    kinds = [str(module["type"]).rsplit(".", 1)[-1] for module in modules]
    _require(kinds[:2] == ["Transformer", "Pooling"] and kinds[2:] in ([], ["Normalize"]), f"the modules {kinds}")
    _require(modules[0]["path"] == "", "a transformer in a folder of its own")
    config = _json(folder / modules[1]["path"] / "config.json")
    _require(config.get("include_prompt", True), "pooling without the prompt")
    if "pooling_mode" in config:
        chosen = [config["pooling_mode"]]
    else:
        chosen = [key for key, on in config.items() if key.startswith("pooling_mode_") and on]
    named = {"pooling_mode_mean_tokens": "mean", "pooling_mode_cls_token": "cls", "mean": "mean", "cls": "cls"}
    _require(len(chosen) == 1 and chosen[0] in named, f"the pooling {chosen}")
    return named[chosen[0]]


def _prompts(config: dict[str, Any]) -> dict[str, str]:
    """The prompts that sentence-transformers' `encode_document` and `encode_query` use."""
    prompts: dict[str, str] = {"query": "", "document": "", **(config.get("prompts") or {})}
    return {role: next((prompts[name] for name in names if name in prompts), "") for role, names in _ROLES.items()}


def _require_encoder(tensors: dict[str, NDArray[Any]], config: dict[str, Any]) -> None:
    """Raise Unsupported unless every tensor of the layers is there in the configured shape."""
    hidden, wide = config["hidden_size"], config["intermediate_size"]
    shapes: dict[str, tuple[int, ...]] = {"embeddings.word_embeddings.weight": (config["vocab_size"], hidden)}
    shapes["embeddings.position_embeddings.weight"] = (config["max_position_embeddings"], hidden)
    shapes["embeddings.token_type_embeddings.weight"] = (config["type_vocab_size"], hidden)
    norms = ["embeddings.LayerNorm"]
    for name in (f"encoder.layer.{layer}." for layer in range(config["num_hidden_layers"])):
        sizes = {f"{name}{part}": (hidden, hidden) for part in _SQUARE}
        sizes |= {f"{name}intermediate.dense": (wide, hidden), f"{name}output.dense": (hidden, wide)}
        shapes |= {f"{dense}.weight": size for dense, size in sizes.items()}
        shapes |= {f"{dense}.bias": size[:1] for dense, size in sizes.items()}
        norms += [f"{name}attention.output.LayerNorm", f"{name}output.LayerNorm"]
    shapes |= {f"{norm}.{kind}": (hidden,) for norm in norms for kind in ("weight", "bias")}
    wrong = [name for name, shape in shapes.items() if name not in tensors or tensors[name].shape != shape]
    _require(not wrong, f"tensors that are missing or of another shape: {wrong[:3]}")
    _require(config["num_attention_heads"] > 0 and hidden % config["num_attention_heads"] == 0, "heads that do not divide")


def _tensors(path: Path) -> dict[str, NDArray[Any]]:
    """The tensors of a safetensors file, memory-mapped, so that unused ones are not read."""
    # Copy-on-write: users that share the memory require it to be writable, though they never write.
    raw = np.memmap(path, dtype=np.uint8, mode="c")
    start = 8 + int(raw[:8].view("<u8")[0])
    header: dict[str, Any] = json.loads(bytes(raw[8:start]))
    header.pop("__metadata__", None)
    tensors = {}
    for name, entry in header.items():
        # A checkpoint may begin names with its model's, as in `roberta.encoder.layer.0.…`.
        if not (plain := _PLAIN_NAME.search(name)) or entry["dtype"] not in _DTYPES:
            continue
        begin, end = entry["data_offsets"]
        tensors[plain[0]] = raw[start + begin : start + end].view(_DTYPES[entry["dtype"]]).reshape(entry["shape"])
    return tensors
