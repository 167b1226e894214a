"""A small random model in a sentence-transformers folder, with a tokenizer that knows a handful of words."""

import json
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save_file
from tokenizers import Tokenizer, models, pre_tokenizers, processors

WORDS = ["<s>", "<pad>", "</s>", "<unk>", "query:", "passage:", "kucing", "makan", "ikan", "Jakarta", "ibu", "kota", ".", ":"]
HIDDEN, WIDE, LAYERS, POSITIONS = 32, 64, 2, 24


def write(folder: Path, *, kind: str = "bert", pooling: str = "mean", **changes: dict[str, Any]) -> Path:
    """`changes` go into the JSON file of that name, without its ending."""
    (folder / "1_Pooling").mkdir(parents=True)
    padding = 0 if kind == "bert" else 1
    named = {"mean": "pooling_mode_mean_tokens", "cls": "pooling_mode_cls_token"}[pooling]
    special = {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>", "pad_token": "<pad>", "cls_token": "<s>"}
    module = "sentence_transformers.models."
    files: dict[str, Any] = {
        "config": {
            "model_type": kind,
            "hidden_act": "gelu",
            "hidden_size": HIDDEN,
            "num_hidden_layers": LAYERS,
            "num_attention_heads": 4,
            "intermediate_size": WIDE,
            "vocab_size": len(WORDS),
            "max_position_embeddings": POSITIONS + padding + 1 if padding else POSITIONS,
            "type_vocab_size": 1,
            "layer_norm_eps": 1e-5,
            "pad_token_id": padding,
        },
        "tokenizer_config": {**special, "sep_token": "</s>", "tokenizer_class": "PreTrainedTokenizerFast"},
        "sentence_bert_config": {"max_seq_length": POSITIONS},
        "config_sentence_transformers": {"prompts": {"query": "query: ", "passage": "passage: "}},
        "1_Pooling/config": {"word_embedding_dimension": HIDDEN, named: True},
    }
    for name, content in files.items():
        (folder / f"{name}.json").write_text(json.dumps({**content, **changes.get(name.replace("1_Pooling/", "pooling_"), {})}))
    parts = [("Transformer", ""), ("Pooling", "1_Pooling"), ("Normalize", "2_Normalize")]
    modules = [{"idx": i, "name": str(i), "path": path, "type": module + name} for i, (name, path) in enumerate(parts)]
    (folder / "modules.json").write_text(json.dumps(modules))
    save_file(_tensors(files["config"]), folder / "model.safetensors", metadata={"format": "pt"})
    _tokenizer().save(str(folder / "tokenizer.json"))
    return folder


def _tensors(config: dict[str, Any]) -> dict[str, np.ndarray]:
    shapes: dict[str, tuple[int, ...]] = {
        "embeddings.word_embeddings.weight": (len(WORDS), HIDDEN),
        "embeddings.position_embeddings.weight": (config["max_position_embeddings"], HIDDEN),
        "embeddings.token_type_embeddings.weight": (1, HIDDEN),
    }
    norms = ["embeddings.LayerNorm"]
    for layer in range(LAYERS):
        name = f"encoder.layer.{layer}."
        square = [f"{name}attention.self.{k}" for k in ("query", "key", "value")] + [f"{name}attention.output.dense"]
        sizes = {**dict.fromkeys(square, (HIDDEN, HIDDEN)), f"{name}intermediate.dense": (WIDE, HIDDEN)}
        for dense, (rows, columns) in {**sizes, f"{name}output.dense": (HIDDEN, WIDE)}.items():
            shapes |= {f"{dense}.weight": (rows, columns), f"{dense}.bias": (rows,)}
        norms += [f"{name}attention.output.LayerNorm", f"{name}output.LayerNorm"]
    shapes |= {f"{norm}.{kind}": (HIDDEN,) for norm in norms for kind in ("weight", "bias")}
    random = np.random.default_rng(1)
    return {name: (random.standard_normal(shape) * 0.3).astype(np.float32) for name, shape in shapes.items()}


def _tokenizer() -> Tokenizer:
    tokenizer = Tokenizer(models.WordLevel({word: i for i, word in enumerate(WORDS)}, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", pair="<s> $A </s> </s> $B </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    return tokenizer
