import os
import socket
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from rag import address
from rag.answering.local import model
from rag.answering.local.model import Offload
from rag.answering.local.store import PassageStore, key
from rag.doctor import _memory_bytes, _processor, examine
from rag.engine import Engine
from rag.indexing.build_cache import Unfinished
from rag.settings import BOTH_JUDGES, Layers, Secret, Settings
from rag.weights import sources
from rag.weights.catalogue import LLM, REFUSING
from tests.answering.serving import served


def test_a_home_without_weights_is_given_the_command_that_fetches_them(engine: Engine) -> None:
    chosen = replace(engine.settings, embedder="multilingual-e5-small-q4")
    (finding,) = [f for f in examine(chosen) if f.subject == "weights" and not f.well]
    assert finding.hint == "run `rag models fetch multilingual-e5-small-q4`"


def test_a_good_home_is_well(engine: Engine) -> None:
    findings = {f.subject: f for f in examine(engine.settings)}
    assert all(findings[subject].well for subject in ("prompts", "seeds", "index"))
    assert "1 documents, 3 chunks" in findings["index"].state


def test_a_damaged_index_and_the_remains_of_a_killed_build_are_found(engine: Engine) -> None:
    snapshots = engine.settings.index / "snapshots"
    (corpus,) = (snapshots / engine.snapshot().manifest.id).glob("segments/*/corpus.sqlite")
    corpus.write_bytes(b"rubbish")
    (snapshots / ".building").mkdir()
    ill = [f for f in examine(engine.settings) if f.subject == "index" and not f.well]
    assert [f.hint for f in ill] == ["run `rag index --rebuild`", "run `rag index`"]


def test_vectors_that_a_killed_build_left_are_found(engine: Engine) -> None:
    Unfinished(engine.index.scratch, "bag").append([bytes(16)], np.ones((1, 4), dtype=np.float32))
    (ill,) = [f for f in examine(engine.settings) if f.subject == "index" and not f.well]
    assert "what was embedded is kept" in ill.state
    engine.rebuild()
    assert all(f.well for f in examine(engine.settings) if f.subject == "index")


def test_remains_of_a_killed_fetch_are_found(engine: Engine) -> None:
    left = engine.settings.cache / "models" / "some" / ".download-x"
    left.mkdir(parents=True)
    assert any(str(left) in finding.state for finding in examine(engine.settings) if not finding.well)


def test_a_judge_that_is_not_the_shipped_one_is_found(engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "__file__", str(tmp_path / "shipped.py"))
    (ill,) = [f for f in examine(engine.settings) if f.subject == "judge"]
    assert (ill.well, ill.hint) == (False, "install rag again")
    (well,) = [f for f in examine(replace(engine.settings, judge="llm")) if f.subject == "judge"]
    assert (well.well, well.state) == (True, "llm instead of our own")


def test_the_size_of_the_passage_store_is_reported_with_its_limit(engine: Engine) -> None:
    PassageStore(engine.settings.store, 10**9).write(key(b"a"), os.urandom(2_900_000))
    (finding,) = [f for f in examine(replace(engine.settings, store_mb=7)) if f.subject == "store"]
    assert (finding.well, finding.state) == (True, f"1 passages, 3 of 7 MB in {engine.settings.cache / 'passages'}")
    (off,) = [f for f in examine(replace(engine.settings, store_mb=0)) if f.subject == "store"]
    assert off.state.startswith("off; 1 passages")


def test_an_endpoint_is_tried_and_a_hint_given(engine: Engine) -> None:
    with served() as endpoint:
        endpoint.key = "sk-s3cret"
        chosen = replace(engine.settings, llm=endpoint.url, llm_key=Secret("sk-s3cret"))
        (well,) = [f for f in examine(chosen) if f.subject == "endpoint"]
        assert (well.well, well.state) == (True, f"{endpoint.url}#tiny answers, and judges with probabilities")
        endpoint.probabilities = False
        (less,) = [f for f in examine(chosen) if f.subject == "endpoint"]
        assert "by its yes or no, without probabilities" in less.state
        (ill,) = [f for f in examine(replace(chosen, llm_key=Secret("sk-old"))) if f.subject == "endpoint"]
        assert (ill.well, ill.hint) == (False, "set RAG_LLM_KEY to a key that it takes")
        (unknown,) = [f for f in examine(replace(chosen, llm=f"{endpoint.url}#huge")) if f.subject == "endpoint"]
        assert unknown.hint == "name one in RAG_LLM after `#`, of tiny, large"
    (gone,) = [f for f in examine(chosen) if f.subject == "endpoint"]
    assert gone.hint == "start it, or name another in RAG_LLM"
    assert [f for f in examine(engine.settings) if f.subject == "endpoint"] == []


def test_measurements_are_reported_for_the_default_threshold_only(engine: Engine) -> None:
    def judge_of(settings: Settings) -> str:
        return next(f for f in examine(settings) if f.subject == "judge").state

    chosen = replace(engine.settings, judge=BOTH_JUDGES, llm=LLM, min_confidence=REFUSING.value)
    assert f"answers under {REFUSING.value} are refused: {REFUSING.precision:.0%} of refusals were right" in judge_of(chosen)
    assert judge_of(replace(chosen, min_confidence=0.2)).endswith("answers under 0.2 are refused")


SEES_NONE = "llama.cpp sees none: the language model runs on the processor"


@pytest.mark.parametrize(
    ("gpus", "chosen", "finding"),
    [
        ((), "auto", (True, SEES_NONE)),
        ((), "0", (True, SEES_NONE)),
        ((), "20", (False, SEES_NONE)),
        (("CUDA0 (H200)",), "auto", (True, "language model: all layers on CUDA0 (H200)")),
        (("CUDA0 (H200)", "CUDA1 (L4)"), "20", (True, "language model: 20 layers on CUDA0 (H200), CUDA1 (L4)")),
        (("CUDA0 (H200)",), "0", (True, "not used, by RAG_GPU_LAYERS: CUDA0 (H200)")),
    ],
)
def test_where_the_language_model_runs_is_reported(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, gpus: tuple[str, ...], chosen: str, finding: tuple[bool, str]
) -> None:
    def offload(wanted: int | None) -> Offload:
        return Offload(-1 if wanted is None else wanted, gpus) if gpus else Offload(0, ())

    monkeypatch.setattr(model, "offload", offload)
    (found,) = [f for f in examine(replace(engine.settings, gpu_layers=Layers(chosen))) if f.subject == "gpu"]
    assert (found.well, found.state) == finding
    assert found.well or found.hint == "build llama-cpp-python for your GPU, or set RAG_GPU_LAYERS to auto"


def test_of_an_endpoint_it_is_not_known_where_it_runs(engine: Engine) -> None:
    with served() as endpoint:
        assert [f for f in examine(replace(engine.settings, llm=endpoint.url)) if f.subject == "gpu"] == []


def test_a_container_has_the_memory_that_it_is_limited_to(tmp_path: Path) -> None:
    machine = _memory_bytes(())
    assert machine == os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    unlimited, huge, limited = tmp_path / "unlimited", tmp_path / "huge", tmp_path / "limited"
    unlimited.write_text("max\n")
    huge.write_text("9223372036854771712\n")
    limited.write_text("268435456\n")
    assert _memory_bytes([unlimited, huge, tmp_path / "none"]) == machine
    assert _memory_bytes([unlimited, limited]) == 268435456


def test_a_port_that_is_taken_is_found(engine: Engine) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        chosen = replace(engine.settings, port=taken.getsockname()[1])
        taken.close()
        (free,) = [f for f in examine(chosen) if f.subject == "port"]
        assert (free.well, free.state) == (True, f"127.0.0.1:{chosen.port} is free")
    with served() as other:  # it answers, and is no rag
        chosen = replace(engine.settings, port=int(other.url.rpartition(":")[2].partition("/")[0]))
        (ill,) = [f for f in examine(chosen) if f.subject == "port"]
        assert (ill.well, ill.hint) == (False, "end what has it, or set RAG_PORT to another")
    assert address.is_free("127.0.0.1", chosen.port)


@pytest.mark.parametrize(
    ("cpuinfo", "well", "state"),
    [
        ("model name\t: Fast\nflags\t\t: fpu sse2 avx2 fma avx512_bf16 amx_bf16\n", True, "avx2 fma avx512_bf16 amx_bf16"),
        ("Features\t: fp asimd asimddp bf16\n", True, "asimd asimddp bf16"),
        ("flags\t\t: fpu sse2\nflags : avx2\n", False, "no vector instructions that are known"),
    ],
)
def test_instruction_sets_of_the_processor_are_reported(tmp_path: Path, cpuinfo: str, well: bool, state: str) -> None:
    (tmp_path / "cpuinfo").write_text(cpuinfo)
    (finding,) = _processor(tmp_path / "cpuinfo")
    assert finding.well is well
    assert finding.state.endswith(f": {state}")
    assert list(_processor(tmp_path / "none")) == []
