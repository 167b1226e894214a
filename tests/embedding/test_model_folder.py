"""Reading a sentence-transformers folder, on a small random model."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file
from tokenizers import Tokenizer

from rag.embedding import model_folder
from tests.embedding import tiny


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return tiny.write(tmp_path / "model")


def change(path: Path, values: dict[str, Any]) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))


@pytest.mark.parametrize(("kind", "padding", "first"), [("bert", 0, 0), ("roberta", 1, 2), ("xlm-roberta", 1, 2)])
def test_the_model_is_what_its_files_say(tmp_path: Path, kind: str, padding: int, first: int) -> None:
    read = model_folder.read(tiny.write(tmp_path / "model", kind=kind, pooling="cls"))
    assert (read.layers, read.heads, read.epsilon, read.pooling) == (tiny.LAYERS, 4, 1e-5, "cls")
    assert (read.padding, read.first_position, read.most_tokens) == (padding, first, tiny.POSITIONS)


@pytest.mark.parametrize(
    ("limits", "most"),
    [
        ({"max_seq_length": 10}, 10),
        ({"max_seq_length": 999}, tiny.POSITIONS),
        ({"max_seq_length": None}, 12),
    ],
)
def test_a_text_has_at_most_as_many_tokens_as_every_file_allows(model: Path, limits: dict[str, Any], most: int) -> None:
    change(model / "sentence_bert_config.json", limits)
    change(model / "tokenizer_config.json", {"model_max_length": 12})
    assert model_folder.read(model).most_tokens == most


@pytest.mark.parametrize(
    ("prompts", "document", "query"),
    [
        ({"query": "q: ", "document": "d: ", "passage": "p: "}, "d: ", "q: "),
        # sentence-transformers adds an empty prompt for documents to these, and uses that.
        ({"query": "q: ", "passage": "p: "}, "", "q: "),
        (None, "", ""),
    ],
)
def test_prompts_are_those_that_sentence_transformers_uses(
    model: Path, prompts: dict[str, str] | None, document: str, query: str
) -> None:
    (model / "config_sentence_transformers.json").write_text(json.dumps({"prompts": prompts}))
    assert model_folder.read(model).prompts == {"document": document, "query": query}


def test_tensors_are_found_behind_the_name_of_a_model_and_those_of_other_types_left_out(model: Path) -> None:
    stored = load_file(model / "model.safetensors")
    half = {f"bert.{name}": value.astype(np.float16) for name, value in stored.items()}
    save_file({**half, "bert.embeddings.position_ids": np.arange(4)}, model / "model.safetensors", {"format": "pt"})
    tensors = model_folder.read(model).tensors
    assert tensors.keys() == stored.keys()
    for name, value in stored.items():
        assert np.array_equal(tensors[name], value.astype(np.float16)), name


def test_tensors_are_mapped_and_the_file_is_never_changed(model: Path) -> None:
    before = (model / "model.safetensors").read_bytes()
    tensor = model_folder.read(model).tensors["embeddings.LayerNorm.weight"]
    assert isinstance(tensor, np.memmap)
    tensor[0] = 99
    assert (model / "model.safetensors").read_bytes() == before


def test_the_tokenizer_neither_cuts_nor_pads(model: Path) -> None:
    tokenizer = Tokenizer.from_file(str(model / "tokenizer.json"))
    tokenizer.enable_truncation(3)
    tokenizer.enable_padding(length=50, pad_token="<pad>", pad_id=1)
    tokenizer.save(str(model / "tokenizer.json"))
    assert model_folder.read(model).tokenizer.encode("kucing makan ikan .").ids == [0, 6, 7, 8, 12, 2]


@pytest.mark.parametrize(
    "modules",
    [
        [("Transformer", ""), ("Pooling", "1_Pooling")],
        [("Transformer", ""), ("Pooling", "1_Pooling"), ("Normalize", "2_Normalize")],
    ],
)
def test_a_module_that_normalises_is_optional(model: Path, modules: list[tuple[str, str]]) -> None:
    listed = [{"type": f"sentence_transformers.models.{name}", "path": path} for name, path in modules]
    (model / "modules.json").write_text(json.dumps(listed))
    assert model_folder.read(model).pooling == "mean"


@pytest.mark.parametrize(
    "modules",
    [
        [("Transformer", ""), ("Pooling", "1_Pooling"), ("Dense", "2_Dense")],
        [("Transformer", "0_Transformer"), ("Pooling", "1_Pooling")],
        [("Transformer", "")],
    ],
)
def test_other_modules_are_left_to_sentence_transformers(model: Path, modules: list[tuple[str, str]]) -> None:
    listed = [{"type": f"sentence_transformers.models.{name}", "path": path} for name, path in modules]
    (model / "modules.json").write_text(json.dumps(listed))
    with pytest.raises(model_folder.Unsupported):
        model_folder.read(model)


@pytest.mark.parametrize(
    ("file", "changes"),
    [
        ("config.json", {"model_type": "mpnet"}),
        ("config.json", {"hidden_act": "relu"}),
        ("config.json", {"position_embedding_type": "relative_key"}),
        ("config.json", {"num_hidden_layers": 3}),
        ("config.json", {"num_attention_heads": 0}),
        ("config.json", {"is_decoder": True}),
        ("sentence_bert_config.json", {"do_lower_case": True}),
        ("1_Pooling/config.json", {"pooling_mode_max_tokens": True}),
        ("1_Pooling/config.json", {"include_prompt": False}),
    ],
)
def test_a_model_that_only_sentence_transformers_can_run_is_unsupported(
    model: Path, file: str, changes: dict[str, Any]
) -> None:
    change(model / file, changes)
    with pytest.raises(model_folder.Unsupported):
        model_folder.read(model)


@pytest.mark.parametrize("file", ["config.json", "modules.json", "tokenizer.json", "model.safetensors"])
@pytest.mark.parametrize("content", [None, b"", b"[]", b"\xff" * 100])
def test_a_damaged_or_missing_file_is_unsupported(model: Path, file: str, content: bytes | None) -> None:
    (model / file).unlink()
    if content is not None:
        (model / file).write_bytes(content)
    with pytest.raises(model_folder.Unsupported):
        model_folder.read(model)
