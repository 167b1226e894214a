import threading
from dataclasses import replace
from pathlib import Path

import pytest

from rag import language
from rag.answering.local import model
from rag.answering.local.model import Offload
from rag.engine import Engine
from rag.errors import WeightsMissing
from rag.models import Models
from rag.settings import Layers, Settings
from rag.types import Reader
from rag.weights.sources import Source
from tests.conftest import FakeModels
from tests.fakes import BagEmbedder, OverlapReader

PATIENCE = 20


class NotedModels(FakeModels):
    """Note which of them were opened; the reader may fail to be."""

    def __init__(self, settings: Settings, error: Exception | None = None) -> None:
        super().__init__(settings)
        self.error, self.opened = error, list[str]()

    @property
    def embedder(self) -> BagEmbedder:  # type: ignore[override]
        self.opened.append("embedder")
        return BagEmbedder()

    @property
    def reader(self) -> Reader:  # type: ignore[override]
        self.opened.append("reader")
        if self.error:
            raise self.error
        return OverlapReader()


def wait_for_all() -> None:
    """Until the threads that open models have ended."""
    for thread in threading.enumerate():
        if thread.name.startswith("opening "):
            thread.join(PATIENCE)
            assert not thread.is_alive()


def test_a_language_model_on_a_gpu_has_another_name(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """A GPU rounds otherwise: an answer of one is not promised by the other."""
    models = Models(engine.settings)
    models.llm_source = Source("some", Path("some.gguf"), "abc")
    monkeypatch.setattr(model, "offload", lambda _: Offload(0, ()))
    assert models.llm_digest == "abc"
    monkeypatch.setattr(model, "offload", lambda _: Offload(-1, ("CUDA0 (H200)",)))
    assert models.llm_digest == "abc, all layers on CUDA0 (H200)"
    models.settings = replace(engine.settings, gpu_layers=Layers("0"))
    assert models.llm_digest == "abc"


def test_what_a_search_takes_is_opened_before_anybody_asks(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    models = NotedModels(engine.settings)
    monkeypatch.setattr(language, "load", lambda: models.opened.append("languages"))
    models.begin_searching()
    wait_for_all()
    assert sorted(models.opened) == ["embedder", "languages"]


def test_what_an_answer_takes_is_opened_before_anybody_asks(engine: Engine) -> None:
    models = NotedModels(engine.settings)
    models.begin_answering()
    wait_for_all()
    assert models.opened == ["reader"]


def test_an_error_of_opening_ahead_is_raised_to_the_call_that_needs_it(
    engine: Engine, capfd: pytest.CaptureFixture[str]
) -> None:
    models = NotedModels(engine.settings, WeightsMissing("they are gone", "run `rag models fetch`"))
    models.begin_answering()
    wait_for_all()
    assert models.opened == ["reader"]
    assert capfd.readouterr().err == ""
    with pytest.raises(WeightsMissing, match="they are gone"):
        _ = models.reader
