"""The Python API: `import rag`, `rag.open`, and what an engine holds until it is closed."""

import inspect
import json
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

import rag
from rag.engine import Engine
from rag.errors import IndexMissing, QuestionError, SeedError
from rag.indexing.protocol import KEPT
from rag.ingestion import worker
from rag.settings import Settings
from rag.stopping import once
from rag.types import Answer, Found, Reader
from rag.weights.catalogue import EMBEDDER, LLM
from tests.conftest import FakeModels
from tests.fakes import MemoryIndex, OverlapReader

QUESTION = "Apa kata Menteri Pertahanan Ashtiani tentang Venezuela?"
# Each takes longer to import than all that `import rag` may take, or is only used by what a program may never call.
HEAVY = {
    *("faiss", "httpx", "icu4py", "kreuzberg", "litestar", "llama_cpp", "mcp", "numpy", "openvino", "prometheus_client"),
    *("py3langid", "safetensors", "sentence_transformers", "sklearn", "sqlite3", "tantivy", "tokenizers", "torch", "uvicorn"),
    *("filelock", "huggingface_hub", "watchfiles", "rag.engine", "rag.models", "rag.web", "rag.cli"),
}
# Seconds after which a thread that should have ended has not.
PATIENCE = 60


def imported(program: str) -> set[str]:
    """The modules that a Python process has loaded after the program."""
    command = [sys.executable, "-c", f"import json, sys\n{program}\nprint(json.dumps(sorted(sys.modules)))"]
    return set(json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout))


# The module itself.


def test_importing_rag_imports_nothing_heavy() -> None:
    assert not HEAVY & imported("import rag; rag.open; rag.__version__; dir(rag)")


def test_values_and_errors_of_the_api_need_no_heavy_library_either() -> None:
    assert not HEAVY & imported("import rag; rag.Answer; rag.Citation; rag.Passage; rag.Turn; rag.RagError")


def test_every_public_name_is_there() -> None:
    for name in rag.__all__:
        assert getattr(rag, name) is not None
        assert name in dir(rag)
    assert {"Answer", "Citation", "Engine", "Passage", "RagError", "Settings", "open"} <= set(rag.__all__)
    assert rag.Engine is Engine
    assert rag.Answer is Answer
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        _ = rag.nothing


def test_every_public_name_says_what_it_is() -> None:
    assert all(inspect.getdoc(getattr(rag, name)) for name in rag.__all__)
    public = [member for name, member in inspect.getmembers(Engine, inspect.isfunction) if not name.startswith("_")]
    assert all(inspect.getdoc(member) for member in public)


# `rag.open`.


@pytest.fixture
def quiet(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A folder to be a home, no `RAG_*` variable, and another working folder."""
    for name in Settings.__dataclass_fields__:
        monkeypatch.delenv(f"RAG_{name.upper()}", raising=False)
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    (tmp_path / "chosen").mkdir()
    return tmp_path / "chosen"


def test_settings_are_keyword_arguments(quiet: Path) -> None:
    with rag.open(quiet, passages=6, min_confidence=0.5, llm="http://127.0.0.1:8080/v1", log_questions=True) as engine:
        chosen = engine.settings
    assert (chosen.home, chosen.passages, chosen.min_confidence, chosen.log_questions) == (quiet, 6, 0.5, True)
    assert chosen.endpoint is not None
    assert chosen.embedder == EMBEDDER


def test_a_keyword_goes_before_a_variable_before_the_file_before_the_default(
    quiet: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert (rag.open(quiet).settings.passages, rag.open(quiet).settings.llm) == (4, LLM)
    (quiet / "rag.toml").write_text('passages = 5\nllm = "file"\nunsupported = "flag"\n', "utf-8")
    assert rag.open(quiet).settings.passages == 5
    monkeypatch.setenv("RAG_PASSAGES", "6")
    monkeypatch.setenv("RAG_LLM", "variable")
    assert (rag.open(quiet).settings.passages, rag.open(quiet).settings.llm) == (6, "variable")
    chosen = rag.open(quiet, passages=7).settings
    assert (chosen.passages, chosen.llm, chosen.unsupported) == (7, "variable", "flag")


def test_without_a_home_it_is_the_variable_or_the_working_folder(
    quiet: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert rag.open().settings.home == Path.cwd() == tmp_path / "elsewhere"
    assert rag.open("below").settings.home == tmp_path / "elsewhere" / "below"
    monkeypatch.setenv("RAG_HOME", str(quiet))
    assert rag.open().settings.home == quiet
    assert rag.open(tmp_path).settings.home == tmp_path
    monkeypatch.setenv("HOME", str(tmp_path))
    assert rag.open("~/documents").settings.home == tmp_path / "documents"


def test_a_setting_that_does_not_exist_is_refused_with_the_nearest_name(quiet: Path) -> None:
    with pytest.raises(QuestionError, match="there is no setting passage; did you mean passages") as caught:
        rag.open(quiet, passage=6)
    assert isinstance(caught.value, rag.RagError)
    with pytest.raises(QuestionError, match="there is no setting zzz; known are home, cache"):
        rag.open(quiet, zzz=1)


@pytest.mark.parametrize(("name", "value"), [("passages", 99), ("passages", "many"), ("unsupported", "keep"), ("port", -1)])
def test_a_value_without_meaning_is_refused_when_it_is_opened(quiet: Path, name: str, value: object) -> None:
    with pytest.raises(QuestionError, match=name):
        rag.open(quiet, **{name: value})


def test_an_unknown_home_is_no_error_until_it_is_read(quiet: Path) -> None:
    with rag.open(quiet / "nowhere") as engine:
        assert engine.serving() is None
        assert (list(engine.snapshots()), engine.unread()) == ([], [])
        with pytest.raises(IndexMissing, match="run `rag index`"):
            engine.search(QUESTION)
        with pytest.raises(IndexMissing):
            engine.ask(QUESTION)
        with pytest.raises(SeedError, match="there is no folder"):
            engine.rebuild()


# Closing.


class ClosingReader(OverlapReader):
    """Counts how often it is closed."""

    def __init__(self) -> None:
        super().__init__()
        self.closed = 0

    def close(self) -> None:
        self.closed += 1


@pytest.fixture
def readers(engine: Engine) -> list[ClosingReader]:
    """The readers that the engine opened."""
    opened: list[ClosingReader] = []

    class OpeningModels(FakeModels):
        @once
        def reader(self) -> Reader:  # type: ignore[override]
            opened.append(ClosingReader())
            return opened[-1]

    engine.models = OpeningModels(engine.settings)
    return opened


def test_the_context_manager_closes_and_lets_errors_through(engine: Engine, readers: list[ClosingReader]) -> None:
    with engine as entered:
        assert entered is engine
        assert engine.ask(QUESTION).answered
        assert [reader.closed for reader in readers] == [0]
    assert [reader.closed for reader in readers] == [1]
    with pytest.raises(QuestionError), engine:
        engine.ask("")


def test_closing_twice_is_harmless_and_so_is_closing_what_was_never_used(
    engine: Engine, readers: list[ClosingReader], quiet: Path
) -> None:
    engine.ask(QUESTION)
    engine.close()
    engine.close()
    assert [reader.closed for reader in readers] == [1]
    untouched = rag.open(quiet)
    untouched.close()
    untouched.close()


def test_what_is_asked_after_closing_opens_all_of_it_again(engine: Engine, readers: list[ClosingReader]) -> None:
    before = engine.ask(QUESTION)
    engine.close()
    after = engine.ask(QUESTION)
    assert (after.text, after.citations) == (before.text, before.citations)
    assert engine.search(QUESTION, 2)
    engine.close()
    assert [reader.closed for reader in readers] == [1, 1]


def test_a_language_model_that_is_still_being_loaded_is_freed_too(engine: Engine) -> None:
    """A refusal comes before it is loaded: after `close` nobody would free it."""
    loading, loads, opened = threading.Event(), threading.Event(), list[ClosingReader]()

    class SlowModels(FakeModels):
        @once
        def reader(self) -> Reader:  # type: ignore[override]
            loading.set()
            assert loads.wait(PATIENCE)
            opened.append(ClosingReader())
            return opened[-1]

    engine.models = SlowModels(engine.settings)
    assert isinstance(next(iter(engine.stream(QUESTION))), Found)
    assert loading.wait(PATIENCE)
    threading.Timer(0.2, loads.set).start()
    engine.close()
    assert [reader.closed for reader in opened] == [1]


def test_what_was_read_is_stored_before_it_is_closed(engine: Engine) -> None:
    stored = engine.models.store
    for n in range(8):
        stored.put(f"{n:064x}", bytes(100_000))
    engine.close()
    assert all(f"{n:064x}" in stored for n in range(8))


def open_files() -> int:
    files = Path("/proc/self/fd")
    if not files.is_dir():
        pytest.skip("only Linux lists the open files of a process")
    return len(list(files.iterdir()))


def ended(meets: Callable[[], bool]) -> bool:
    """Whether it is so within a while: a thread that was let go of ends by itself."""
    for _ in range(PATIENCE * 20):
        if meets():
            return True
        threading.Event().wait(0.05)
    return False


@pytest.fixture
def no_child() -> Iterator[None]:
    worker.shared.close()
    yield
    worker.shared.close()


@pytest.mark.usefixtures("no_child")
def test_a_closed_engine_leaves_no_child_no_thread_and_no_open_file(engine: Engine) -> None:
    engine.close()
    files, threads = open_files(), set(threading.enumerate())
    (engine.settings.seeds / "page.html").write_text("<html><body><p>Gajah hidup di Lampung.</p></body></html>", "utf-8")
    engine.rebuild()
    assert engine.ask(QUESTION).answered
    engine.models.store.put("0" * 64, b"state")
    child = worker.shared._child
    assert child is not None
    assert child.popen.poll() is None
    assert open_files() > files
    engine.close()
    assert child.popen.poll() is not None
    assert not Path(child.folder).exists()
    assert ended(lambda: set(threading.enumerate()) <= threads)
    assert ended(lambda: open_files() <= files)


def test_an_engine_runs_on_any_index(engine: Engine, tmp_path: Path) -> None:
    other = Engine(engine.settings, engine.models, MemoryIndex(tmp_path / "scratch"))
    with pytest.raises(IndexMissing):
        other.search(QUESTION)
    first = other.rebuild()
    answer = other.ask(QUESTION)
    same = engine.ask(QUESTION)
    assert (answer.text, answer.citations) == (same.text, same.citations)
    assert answer.receipt.snapshot == first.snapshot == other.serving()
    (engine.settings.seeds / "gajah.txt").write_text("Gajah Sumatra hidup di Lampung.", encoding="utf-8")
    assert other.rebuild().added == ("gajah.txt",)
    assert "Gajah" in other.search("Gajah Sumatra", 1)[0].text
    assert other.ask(QUESTION, snapshot_id=first.snapshot).receipt.snapshot == first.snapshot
    assert other.rollback(first.snapshot).id == other.serving() == first.snapshot
    assert all("Gajah" not in passage.text for passage in other.search("Gajah Sumatra", 5))
    assert len(other.snapshots()) == 2 <= KEPT
    assert len(other.prune(1)) == 1
    assert other.verify() == []
    other.close()


@pytest.mark.real
def test_real_models_are_freed_and_opened_again(real_settings: Settings) -> None:
    engine = Engine(replace(real_settings, store_mb=0))
    engine.rebuild()
    with engine:
        before = engine.ask(QUESTION)
        assert {"reader", "embedder", "small_judge"} <= vars(engine.models).keys()
    assert not {"reader", "embedder", "small_judge", "judge", "store"} & vars(engine.models).keys()
    with engine:
        after = engine.ask(QUESTION)
    assert (after.text, after.citations) == (before.text, before.citations)
