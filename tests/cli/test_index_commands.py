"""`rag index`, `rag snapshots` and `rag search --where` as a user meets them: real processes, with the fakes for models."""

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from rag.indexing.embedded import snapshot
from rag.indexing.embedded.embedded_index import EmbeddedIndex
from rag.weights.catalogue import JUDGE
from tests.cli.test_main import assert_one_line
from tests.conftest import ROOT

pytestmark = pytest.mark.slow("starts a process for each command")
PATIENCE = 60
COMMAND = [sys.executable, "-W", "error", "-m", "tests.fake_rag"]
Result = subprocess.CompletedProcess[str]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "home" / "seeds").mkdir(parents=True)
    (tmp_path / "home" / "seeds" / "a.txt").write_text("Kucing makan ikan di dapur.")
    shutil.copytree(ROOT / "prompts", tmp_path / "home" / "prompts")
    return tmp_path / "home"


def environment(home: Path) -> dict[str, str]:
    fakes = {"RAG_HOME": str(home), "RAG_EMBEDDER": "bag", "RAG_LLM": "overlap", "RAG_CACHE": str(home / "cache")}
    return {**os.environ, "PYTHONPATH": str(ROOT), **fakes}


def rag(home: Path, *arguments: str, given: str = "", folder: Path = ROOT) -> Result:
    return subprocess.run(
        [*COMMAND, *arguments],
        capture_output=True,
        text=True,
        env=environment(home),
        cwd=folder,
        input=given,
        timeout=PATIENCE,
        check=False,
    )


def indexed(home: Path) -> list[str]:
    opened = snapshot.Snapshot.open(home / "index")
    found = sorted(listed.path for listed in opened.listed())
    opened.close()
    return found


def test_a_judged_search_shows_the_confidence_of_each_passage(home: Path) -> None:
    assert rag(home, "index").returncode == 0
    assert "(answers 98%, meaning" in rag(home, "search", "Kucing makan ikan dapur?", "--judged", "--judge", JUDGE).stdout
    assert "answers" not in rag(home, "search", "Kucing makan ikan dapur?").stdout


def test_files_and_folders_are_copied_and_indexed(home: Path, tmp_path: Path) -> None:
    (tmp_path / "news" / "deep").mkdir(parents=True)
    (tmp_path / "news" / "deep" / "b.md").write_text("Harga beras naik.")
    (tmp_path / "c d.txt").write_text("Gajah hidup di Lampung.")
    result = rag(home, "index", "news", "c d.txt", folder=tmp_path)
    assert result.returncode == 0, result.stderr
    assert result.stderr.startswith("indexed: 3 added, 0 changed, 0 removed")
    assert indexed(home) == ["a.txt", "c d.txt", "news/deep/b.md"]
    report = json.loads(rag(home, "index", "--json").stdout)
    assert (report["added"], report["unchanged"]) == ([], 3)
    assert rag(home, "index").stderr == "index is up to date: 3 documents, 3 chunks\n"


def test_progress_prints_each_step_and_the_report_as_json(home: Path) -> None:
    (home / "seeds" / "empty.txt").write_text("")
    result = rag(home, "index", "--progress")
    assert result.returncode == 3
    lines = [json.loads(line) for line in result.stdout.splitlines()]
    stages = [line["stage"] for line in lines[:-1]]
    assert stages == sorted(stages, reverse=True)
    assert (lines[0]["stage"], lines[-2]) == ("reading", {"stage": "embedding", "done": 1, "total": 1})
    assert lines[-1]["report"]["added"] == ["a.txt"]
    assert "empty.txt" in lines[-1]["report"]["failures"][0]
    assert result.stderr == ""


def test_standard_input_is_a_document(home: Path) -> None:
    assert rag(home, "index", "-", "--name", "notes.md", given="Harga beras naik.\n").returncode == 0
    assert (home / "seeds" / "notes.md").read_text() == "Harga beras naik.\n"
    assert rag(home, "index", "-", given="Gajah hidup di Lampung.").returncode == 0
    first, second, third = indexed(home)
    assert (first, second) == ("a.txt", "notes.md")
    assert third.startswith("stdin-")


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["index", "nowhere.txt"], 3, ["there is no", "nowhere.txt"]),
        (["index", sys.executable], 3, ["is not supported; use one of"]),
        (["index", "/"], 3, ["contains the seeds folder"]),
        (["index", "-"], 3, ["standard input is empty"]),
        (["index", "-", "--name", "../x.txt"], 3, ["is not a valid file name"]),
        (["index", "--verify"], 4, ["there is no index", "run `rag index`"]),
        (["index", "--verify", "a.txt"], 2, ["--verify changes nothing", "leave out one of the two"]),
        (["index", "--warm", "--store-mb", "0"], 2, ["the passage store is switched off", "set RAG_STORE_MB"]),
        (["index", "--name", "x.txt"], 2, ["--name is for standard input", "add - to the paths"]),
        (["snapshots", "rollback"], 2, ["rollback needs a snapshot"]),
        (["snapshots", "rollback", "x"], 4, ["there is no snapshot x", "rag snapshots list"]),
        (["snapshots", "prune", "--keep", "0"], 2, ["0 snapshots cannot be kept", "--keep 1"]),
        (["search", "beras", "--where", "author=me"], 2, ["unknown field author"]),
        (["search", "beras", "--where", "language=id or"], 2, ["needs `and`"]),
        (["search", "beras", "--count", "0"], 2, ["the number of results is 0"]),
        (["ask", "beras?", "--where", "date=soon"], 2, ["soon is not a date"]),
    ],
)
def test_a_bad_argument_is_one_line_and_changes_nothing(home: Path, arguments: list[str], code: int, words: list[str]) -> None:
    given = "x" if "--name" in arguments else ""
    assert_one_line(rag(home, *arguments, given=given), code, *words)
    assert [path.name for path in (home / "seeds").iterdir()] == ["a.txt"]
    assert snapshot.current_id(home / "index") is None


@pytest.mark.parametrize(
    "arguments",
    [
        ["index", "--watch", "--rebuild"],
        ["index", "--verify", "--watch"],
        ["index", "--verify", "--warm"],
        ["snapshots", "undo"],
        ["snapshots", "prune", "--keep", "many"],
        ["search", "beras", "--count", "many"],
        ["search"],
    ],
)
def test_invalid_arguments_show_the_usage(home: Path, arguments: list[str]) -> None:
    result = rag(home, *arguments)
    assert result.returncode == 2
    assert result.stderr.startswith("usage: rag ")


def test_warming_builds_and_then_reads_the_passages(home: Path) -> None:
    first = rag(home, "index", "--warm")
    assert first.returncode == 0
    assert first.stderr.splitlines()[0].startswith("indexed: 1 added")
    assert first.stderr.splitlines()[-1] == "warmed: 1 passages read, 0 stored already"
    assert json.loads(rag(home, "index", "--warm", "--json").stdout) == {"read": 1, "stored": 0, "left": 0}


def test_verify_reads_the_whole_index(home: Path) -> None:
    rag(home, "index")
    well = rag(home, "index", "--verify")
    assert (well.returncode, well.stderr) == (0, "the index is intact: every file, record and count\n")
    assert json.loads(rag(home, "index", "--verify", "--json").stdout) == {"problems": []}
    (vectors,) = (home / "index").rglob("vectors.npy")
    status, raw = vectors.stat(), vectors.read_bytes()
    vectors.write_bytes(raw[:-1] + bytes([raw[-1] ^ 1]))
    os.utime(vectors, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert_one_line(rag(home, "index", "--verify"), 4, "vectors.npy is not what the manifest says", "--rebuild")
    assert rag(home, "index", "--rebuild").returncode == 0
    assert rag(home, "index", "--verify").returncode == 0


def test_snapshots_are_listed_rolled_back_to_and_pruned(home: Path) -> None:
    assert rag(home, "snapshots").stdout == ""
    rag(home, "index")
    (home / "seeds" / "b.txt").write_text("Harga beras naik.")
    rag(home, "index")
    newest, oldest = json.loads(rag(home, "snapshots", "list", "--json").stdout)
    assert (newest["serves"], newest["documents"], oldest["serves"], oldest["documents"]) == (True, 2, False, 1)
    back = rag(home, "snapshots", "rollback", oldest["id"])
    assert back.returncode == 0
    first, second = back.stdout.splitlines()
    assert first.startswith(f"  {newest['id']}  ")
    assert second.startswith(f"* {oldest['id']}  ")
    assert indexed(home) == ["a.txt"]
    assert rag(home, "snapshots", "prune").stdout.startswith(f"* {oldest['id']}  ")
    assert [manifest.id for manifest in EmbeddedIndex(home / "index").stored()] == [oldest["id"]]
    assert rag(home, "index").stderr.startswith("indexed: 1 added")
    assert indexed(home) == ["a.txt", "b.txt"]


def test_a_search_keeps_to_its_filter(home: Path) -> None:
    for path in ("berita/b.txt", "lain/c.txt"):
        (home / "seeds" / path).parent.mkdir()
        (home / "seeds" / path).write_text(f"Harga beras naik tajam, kata {path[0] * 8} di sana.")
    rag(home, "index")
    free = json.loads(rag(home, "search", "harga beras", "--json").stdout)
    kept = json.loads(rag(home, "search", "harga beras", "--where", "folder=berita", "--json").stdout)
    assert {passage["path"] for passage in free["passages"]} == {"a.txt", "berita/b.txt", "lain/c.txt"}
    assert {passage["path"] for passage in kept["passages"]} == {"berita/b.txt"}
    nothing = rag(home, "search", "harga beras", "--where", "date<1980")
    assert (nothing.returncode, nothing.stdout) == (0, "")
    refusal = json.loads(rag(home, "ask", "Berapa harga beras?", "--where", "date<1980", "--json").stdout)
    assert (refusal["answered"], refusal["passages"]) == (False, [])


class Watching:
    """A running `rag index --watch`, and its lines as they come."""

    def __init__(self, home: Path) -> None:
        self.process = subprocess.Popen(
            [*COMMAND, "index", "--watch"],
            env=environment(home),
            cwd=ROOT,
            stderr=subprocess.PIPE,
            text=True,
            # A runner in the background hands its children an ignored SIGINT, which Python would keep ignoring.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509 - one thread here
        )
        self._guard = threading.Timer(2 * PATIENCE, self.process.kill)
        self._guard.start()

    def line(self) -> str:
        """The next line; empty where the process has ended, as it does when a test takes too long."""
        assert self.process.stderr is not None
        return self.process.stderr.readline()

    def line_with(self, words: str) -> str:
        while words not in (line := self.line()):
            assert line, f"it ended before it said {words!r}"
        return line

    def end(self, how: signal.Signals) -> int:
        self.process.send_signal(how)
        return self.process.wait(PATIENCE)

    def close(self) -> None:
        self._guard.cancel()
        self.process.kill()
        self.process.wait()
        assert self.process.stderr is not None
        self.process.stderr.close()


@pytest.fixture
def watching(home: Path) -> Iterator[Watching]:
    made = Watching(home)
    yield made
    made.close()


def test_watching_indexes_new_files_and_goes_on(home: Path, watching: Watching) -> None:
    assert watching.line().startswith("indexed: 1 added")
    (home / "seeds" / "b.txt").write_text("Harga beras naik.")
    watching.line_with("indexed: 1 added")
    assert indexed(home) == ["a.txt", "b.txt"]
    (home / "seeds" / "empty.txt").write_text("")
    watching.line_with("empty.txt: it is empty")
    (home / "seeds" / "a.txt").unlink()
    watching.line_with("1 removed")
    assert indexed(home) == ["b.txt"]
    assert watching.end(signal.SIGINT) == 130
    assert "interrupted" in watching.line_with("rag: ")


def test_watching_can_be_terminated(home: Path, watching: Watching) -> None:
    assert watching.line().startswith("indexed: 1 added")
    assert watching.end(signal.SIGTERM) == -signal.SIGTERM
    assert watching.line() == ""


def test_watching_survives_that_the_seeds_folder_disappears_and_returns(home: Path, watching: Watching) -> None:
    assert watching.line().startswith("indexed: 1 added")
    (home / "seeds").rename(home / "away")
    watching.line_with("there is no folder")
    (home / "away" / "b.txt").write_text("Harga beras naik.")
    (home / "away").rename(home / "seeds")
    watching.line_with("indexed: 1 added")
    assert indexed(home) == ["a.txt", "b.txt"]
