"""Weights that come with rag itself."""

import hashlib
import socket
from dataclasses import replace
from pathlib import Path

import pytest

from rag.errors import WeightsDamaged, WeightsMissing
from rag.weights import sources
from rag.weights.cache import WeightCache
from rag.weights.catalogue import CATALOGUE, EMBEDDER, LLM, SHIPPED, SMALL_LLM
from rag.weights.sources import Source, embedder, llm
from tests.weights.test_cache import EMBEDDER as EMBEDDER_FILES
from tests.weights.test_cache import TINY, damage, fill, model_of

TINY_SHIPPED = replace(SHIPPED, name="tiny", file="tiny.bin", sha256=hashlib.sha256(b"bobot").hexdigest())


@pytest.fixture(autouse=True)
def file(tmp_path, monkeypatch):
    monkeypatch.setattr(sources, "__file__", str(tmp_path / "shipped.py"))
    (tmp_path / "tiny.bin").write_bytes(b"bobot")
    return tmp_path / "tiny.bin"


def test_the_right_file_is_given(file: Path) -> None:
    assert sources.require(TINY_SHIPPED) == file
    state = sources.state(TINY_SHIPPED)
    assert (state.model, state.path, state.state, state.sha256) == ("tiny", str(file), "present", TINY_SHIPPED.sha256)


def test_other_bytes_are_damaged(file: Path) -> None:
    file.write_bytes(b"bobos")
    with pytest.raises(WeightsDamaged, match=r"tiny.bin is not the tiny that .*; install rag again$"):
        sources.require(TINY_SHIPPED)
    assert sources.state(TINY_SHIPPED).state == "damaged"


def test_a_file_that_did_not_come_with_rag_is_damaged_too(file: Path) -> None:
    file.unlink()
    with pytest.raises(WeightsDamaged, match=r"; install rag again$"):
        sources.require(TINY_SHIPPED)
    assert sources.state(TINY_SHIPPED).state == "damaged"


@pytest.fixture(autouse=True)
def no_network(monkeypatch):
    def refuse(*_):
        pytest.fail("the network was asked")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


@pytest.fixture
def cache(tmp_path):
    return WeightCache(tmp_path / "cache")


def test_a_name_of_the_catalogue_is_its_file_in_the_cache(cache, monkeypatch):
    model = model_of(TINY)
    monkeypatch.setitem(CATALOGUE, "tiny", model)
    fill(cache, model, TINY)
    assert llm("tiny", cache) == Source(
        "tiny", cache.folder(model) / "model.bin", hashlib.sha256(TINY["model.bin"]).hexdigest()
    )


def test_a_name_of_the_catalogue_is_checked(cache, monkeypatch):
    model = model_of(TINY)
    monkeypatch.setitem(CATALOGUE, "tiny", model)
    fill(cache, model, TINY)
    damage(cache.folder(model) / "model.bin")
    with pytest.raises(WeightsDamaged):
        llm("tiny", cache)


@pytest.mark.parametrize("name", [LLM, SMALL_LLM])
def test_a_name_of_the_catalogue_that_is_not_fetched_says_how_to_fetch_it(cache, name):
    with pytest.raises(WeightsMissing, match=f"run `rag models fetch {name}`$"):
        llm(name, cache)


def test_a_path_is_the_file_with_its_own_digest(cache, tmp_path):
    file = tmp_path / "punyaku.gguf"
    file.write_bytes(b"GGUF isi")
    assert llm(str(file), cache) == Source(str(file), file, hashlib.sha256(b"GGUF isi").hexdigest())


def test_a_path_from_home_is_found(cache, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "punyaku.gguf").write_bytes(b"GGUF")
    assert llm("~/punyaku.gguf", cache).path == tmp_path / "punyaku.gguf"


@pytest.mark.parametrize(
    "name",
    [
        "llama-9",
        "/tiada/model.gguf",
        "~orang-tiada/model.gguf",
        "a" * 5000,
        "",
        EMBEDDER,
        "file.gguf:",
        "a/b/c:file.gguf",
        "x:y\x00",
    ],
)
def test_an_unknown_name_is_missing_and_the_error_names_what_is_known(cache, name):
    with pytest.raises(WeightsMissing) as caught:
        llm(name, cache)
    assert caught.value.problem == f"there is no language model {name}"
    assert caught.value.hint.endswith(f"{LLM}, {SMALL_LLM}")


def test_a_folder_is_no_language_model(cache, tmp_path):
    with pytest.raises(WeightsMissing, match="there is no language model"):
        llm(str(tmp_path), cache)


def test_a_hub_that_may_not_be_asked_is_a_missing_model(cache, tmp_path, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    with pytest.raises(WeightsMissing, match=rf"model:file.gguf could not be downloaded from the hub .*set RAG_LLM to {LLM}"):
        llm("orang/model:file.gguf", cache)


def test_the_catalogues_embedder_is_its_derived_folder(cache, monkeypatch):
    model = model_of(EMBEDDER_FILES)
    monkeypatch.setitem(CATALOGUE, "tiny", type(model)("tiny", "embedder", "MIT", "", model.files))
    fill(cache, model, EMBEDDER_FILES)
    assert embedder("tiny", cache) == Source("tiny", cache.folder(model) / "sentence-transformers", model.sha256)


def test_the_catalogues_embedder_that_is_not_fetched_says_how_to_fetch_it(cache):
    with pytest.raises(WeightsMissing, match=f"run `rag models fetch {EMBEDDER}`$"):
        embedder(EMBEDDER, cache)


@pytest.mark.parametrize("name", ["intfloat/multilingual-e5-small", "/tiada"])
def test_what_is_no_embedder_of_the_catalogue_is_left_to_others(cache, name):
    assert embedder(name, cache) is None


def test_a_language_model_of_the_catalogue_is_no_embedder_and_no_hub_is_asked(cache):
    with pytest.raises(WeightsMissing, match="is not an embedder; set RAG_EMBEDDER"):
        embedder(LLM, cache)
