"""Which backend is chosen, and that the choice is remembered."""

import json
from pathlib import Path

import pytest

from rag.embedding import backend, sentence_embedder
from rag.embedding.backend import Choice
from rag.embedding.graph import ARITHMETICS, FLOAT32
from rag.embedding.openvino import OpenVinoEmbedder
from rag.embedding.sentence_embedder import SentenceEmbedder
from rag.weights.catalogue import CATALOGUE, EMBEDDER
from tests.embedding import tiny

DIGEST = "1" * 64
QUICK = Choice("int8+bfloat16", {"float32": 1000, "int8+bfloat16": 2000})


class Clock:
    """Stands still but for what the runners take."""

    def __init__(self) -> None:
        self.now = 0.0

    def perf_counter(self) -> float:
        return self.now


class Runner:
    """A rival that takes a fixed time of the clock, longer when it compiles."""

    def __init__(self, seconds: float, clock: Clock) -> None:
        self.seconds, self.clock, self.runs = seconds, clock, 0

    def embed_tokens(self, rows: list[list[int]]) -> None:
        self.runs += 1
        self.clock.now += self.seconds * (5 if self.runs == 1 else 1)


@pytest.fixture
def model(tmp_path):
    return tiny.write(tmp_path / "model")


@pytest.fixture
def measured(monkeypatch):
    """As if every arithmetic had been measured on the tiny model."""
    monkeypatch.setitem(backend.LOSSES, DIGEST, {"bfloat16": 0.1, "int8": 0.3, "int8+bfloat16": 0.4})


def test_unknown_weights_are_computed_in_float32_and_no_race_is_run(model, tmp_path):
    made = backend.open_folder("tiny", "2" * 64, model, tmp_path / "cache")
    assert made.backend == "openvino float32"
    assert not (tmp_path / "cache").exists()


def test_only_what_keeps_the_ranking_is_allowed_and_the_most_exact_comes_first(monkeypatch):
    monkeypatch.setitem(backend.LOSSES, DIGEST, {"bfloat16": -0.1, "int8": 0.51, "int8+bfloat16": 0.5})
    assert [a.name for a in backend.allowed(DIGEST)] == ["bfloat16", "float32", "int8+bfloat16"]


def test_float32_is_always_allowed_and_the_table_knows_no_other_names():
    losses = backend.LOSSES[CATALOGUE[EMBEDDER].sha256]
    assert losses.keys() <= {a.name for a in ARITHMETICS} - {FLOAT32.name}
    assert FLOAT32 in backend.allowed(CATALOGUE[EMBEDDER].sha256)


@pytest.mark.parametrize(
    ("exact", "rough", "winner"), [(0.02, 0.008, "rough"), (0.008, 0.02, "exact"), (0.020, 0.0195, "exact")]
)
def test_the_fastest_wins_where_it_is_worth_it(exact, rough, winner, monkeypatch):
    clock = Clock()
    monkeypatch.setattr(backend, "time", clock)
    choice = backend.race({"exact": Runner(exact, clock), "rough": Runner(rough, clock)}, 8)  # type: ignore[dict-item]
    assert choice.arithmetic == winner
    assert choice.tokens_per_second.keys() == {"exact", "rough"}
    assert winner in str(choice)


def test_the_race_is_run_once(model, tmp_path, measured, monkeypatch):
    runs: list[list[str]] = []

    def race(rivals: dict[str, OpenVinoEmbedder], length: int) -> Choice:
        runs.append(list(rivals))
        return QUICK

    monkeypatch.setattr(backend, "race", race)
    for _ in range(2):
        made = backend.open_folder("tiny", DIGEST, model, tmp_path)
        assert made.backend == "openvino int8+bfloat16"
    assert len(runs) == 1
    assert runs[0][0] == "float32"
    assert backend.remembered(DIGEST, tmp_path) == QUICK


def test_a_real_race_ends_with_an_allowed_arithmetic(model, tmp_path, measured):
    backend.open_folder("tiny", DIGEST, model, tmp_path)
    choice = backend.remembered(DIGEST, tmp_path)
    assert choice is not None
    assert choice.arithmetic in choice.tokens_per_second.keys() <= {a.name for a in ARITHMETICS}
    assert all(rate > 0 for rate in choice.tokens_per_second.values())


@pytest.mark.parametrize(
    "content",
    ["", "[]", "{}", '{"arithmetic": "float16", "tokens_per_second": {}}', '{"arithmetic": "int8", "tokens_per_second": 7}'],
)
def test_a_memory_that_says_nothing_is_no_choice(tmp_path, measured, content):
    backend._remember(QUICK, DIGEST, tmp_path)
    path = next((tmp_path / "races").glob("*.json"))
    path.write_text(content)
    assert backend.remembered(DIGEST, tmp_path) is None


def test_another_model_another_table_or_another_processor_is_another_race(tmp_path, measured, monkeypatch):
    backend._remember(QUICK, DIGEST, tmp_path)
    assert backend.remembered("2" * 64, tmp_path) is None
    with monkeypatch.context() as other:
        other.setattr(backend, "_processor", lambda: "flags: avx2")
        assert backend.remembered(DIGEST, tmp_path) is None
    monkeypatch.setitem(backend.LOSSES, DIGEST, {"int8+bfloat16": 0.2})
    assert backend.remembered(DIGEST, tmp_path) is None


def test_a_cache_that_cannot_be_written_is_gone_without(tmp_path, measured):
    (tmp_path / "berkas").write_text("")
    backend._remember(QUICK, DIGEST, tmp_path / "berkas")
    assert backend.remembered(DIGEST, tmp_path / "berkas") is None


def test_what_openvino_cannot_run_is_left_to_sentence_transformers(model, tmp_path, monkeypatch):
    (model / "config.json").write_text(json.dumps({"model_type": "mpnet"}))
    asked: list[Path] = []
    monkeypatch.setattr(sentence_embedder, "open_folder", lambda name, digest, path: asked.append(path))
    backend.open_folder("tiny", DIGEST, model, tmp_path)
    assert asked == [model]


def test_a_users_folder_has_the_digest_of_all_that_makes_its_vectors(model, tmp_path):
    first = backend.open_named(str(model), tmp_path)
    assert isinstance(first, OpenVinoEmbedder)
    assert backend.open_named(str(model), tmp_path).digest == first.digest
    (model / "config_sentence_transformers.json").write_text("{}")
    assert backend.open_named(str(model), tmp_path).digest != first.digest


@pytest.mark.slow("imports torch")
def test_a_users_folder_that_openvino_cannot_run_is_opened_by_sentence_transformers(tmp_path):
    path = tiny.write(tmp_path / "model", pooling_config={"include_prompt": False})
    assert isinstance(backend.open_named(str(path), tmp_path), SentenceEmbedder)
