"""A home to work in, and an engine over it with the fakes in place of the models."""

import os
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from rag import settings
from rag.answering.local.store import PassageStore
from rag.engine import Engine
from rag.settings import Settings
from rag.weights.catalogue import JUDGE, SMALL_LLM
from tests.fakes import FakeEngine as FakeEngine  # noqa: PLC0414 - other tests take them from here
from tests.fakes import FakeModels as FakeModels  # noqa: PLC0414

# In a run of several processes (pytest-xdist) each has one thread: with a thread per core in each, models wait for each other.
# Set before llama.cpp and torch are loaded, which read the variables then; processes that tests start inherit them.
if "PYTEST_XDIST_WORKER" in os.environ:
    for name in ("RAG_THREADS", "OMP_NUM_THREADS"):
        os.environ.setdefault(name, "1")
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")

ROOT = Path(__file__).parent.parent
SEED = "000_609b8a5cf1dcb706.txt"


def made_home(folder: Path) -> Path:
    """A home with the first seed and the prompts."""
    shutil.copytree(ROOT / "prompts", folder / "prompts")
    (folder / "seeds").mkdir()
    shutil.copy(ROOT / "seeds" / SEED, folder / "seeds")
    return folder


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home with the first seed and the prompts."""
    return made_home(tmp_path / "home")


def fake_settings(home: Path) -> Settings:
    """Settings that name the fakes."""
    return Settings(home=home, cache=home.parent / "cache", embedder="bag", llm="overlap", judge=JUDGE)


@pytest.fixture(scope="session")
def index_of_seed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The index of the first seed, built once: a build waits for the disk some twenty times, for each of a thousand tests."""
    home = made_home(tmp_path_factory.mktemp("indexed") / "home")
    FakeEngine(fake_settings(home)).rebuild()
    return home / "index"


@pytest.fixture
def engine(home: Path, index_of_seed: Path) -> Engine:
    """An engine over `home`, which is indexed."""
    shutil.copytree(index_of_seed, home / "index")
    return FakeEngine(fake_settings(home))


@pytest.fixture(scope="session")
def real_settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """A home with the first seed, and the user's own weights: the embedder and the small language model."""
    folder = made_home(tmp_path_factory.mktemp("real") / "home")
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


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests that open a browser, before `-m` chooses among the marks."""
    for item in items:
        if "browser" in getattr(item, "fixturenames", ()):
            item.add_marker("browser")
