"""A home to work in, and an engine over it with the fakes in place of the models."""

import os
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from rag import settings
from rag.answering.local.store import PassageStore
from rag.engine import Engine
from rag.models import Models
from rag.settings import Settings
from rag.weights.catalogue import JUDGE, SMALL_LLM
from tests.fakes import BagEmbedder, OverlapJudge, OverlapReader

ROOT = Path(__file__).parent.parent
SEED = "000_609b8a5cf1dcb706.txt"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home with the first seed and the prompts."""
    folder = tmp_path / "home"
    shutil.copytree(ROOT / "prompts", folder / "prompts")
    (folder / "seeds").mkdir()
    shutil.copy(ROOT / "seeds" / SEED, folder / "seeds")
    return folder


class FakeModels(Models):
    """A bag of words for an embedder, and word overlap for a judge and a reader."""

    embedder = BagEmbedder()  # type: ignore[assignment]
    small_judge = OverlapJudge()  # type: ignore[assignment]
    reader = OverlapReader()
    llm_digest = "overlap-1"

    def require_weights(self) -> None:
        """They need none."""


class FakeEngine(Engine):
    """The engine with these, or with `made`."""

    made: type[Models] = FakeModels

    def __init__(self, settings: Settings, models: Models | None = None) -> None:
        super().__init__(settings, models or self.made(settings))


@pytest.fixture
def engine(home: Path, tmp_path: Path) -> Engine:
    """An engine over `home`, which is indexed."""
    built = FakeEngine(Settings(home=home, cache=tmp_path / "cache", embedder="bag", llm="overlap", judge=JUDGE))
    built.rebuild()
    return built


@pytest.fixture(scope="session")
def real_settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """A home with the first seed, and the user's own weights: the embedder and the small language model."""
    folder = tmp_path_factory.mktemp("real") / "home"
    shutil.copytree(ROOT / "prompts", folder / "prompts")
    (folder / "seeds").mkdir(parents=True)
    shutil.copy(ROOT / "seeds" / SEED, folder / "seeds")
    return replace(settings.load(os.environ, {"home": str(folder), "llm": SMALL_LLM, "judge": JUDGE}), min_confidence=0.0)


@pytest.fixture(scope="session")
def real_engine(real_settings: Settings) -> Engine:
    """The engine on real weights over the first seed, which is indexed."""
    opened = Engine(real_settings)
    # The user's own store would say what an earlier test read, and would keep what this one reads.
    opened.models.store = PassageStore(real_settings.home / "passages", 10**9)
    opened.rebuild()
    return opened


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--generated", type=int, default=400, help="requests that schemathesis sends at least")
