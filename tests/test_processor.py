"""The threads available to a process, with control groups as Linux lays them out."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from rag import processor
from rag.settings import Settings


@pytest.fixture
def groups(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine of eight cores without limits."""
    monkeypatch.setattr(processor, "_CGROUPS", tmp_path)
    monkeypatch.setattr(processor, "_OWN_CGROUPS", tmp_path / "own")
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)), raising=False)
    return tmp_path


def limit(folder: Path, **files: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name.replace("__", ".")).write_text(text + "\n")


def test_without_limits_all_cores_are_used(groups: Path) -> None:
    assert processor.cores() == 8
    (groups / "own").write_text("0::/user.slice\n")
    limit(groups / "user.slice", cpu__max="max 100000")
    assert processor.cores() == 8


@pytest.mark.parametrize(("quota", "expected"), [("200000", 2), ("150000", 2), ("5000", 1), ("1600000", 8)])
def test_a_quota_limits_them_and_a_part_of_a_core_counts(groups: Path, quota: str, expected: int) -> None:
    (groups / "own").write_text("0::/\n")
    limit(groups, cpu__max=f"{quota} 100000")
    assert processor.cores() == expected


def test_the_tightest_of_a_group_and_those_above_it_holds(groups: Path) -> None:
    (groups / "own").write_text("0::/system.slice/rag.service\n")
    limit(groups / "system.slice" / "rag.service", cpu__max="400000 100000")
    assert processor.cores() == 4
    limit(groups / "system.slice", cpu__max="300000 100000")
    assert processor.cores() == 3


def test_in_a_container_the_limit_stands_in_the_root(groups: Path) -> None:
    (groups / "own").write_text("0::/docker/0123\n")
    limit(groups, cpu__max="200000 100000")
    assert processor.cores() == 2


def test_the_older_control_groups_are_read_too(groups: Path) -> None:
    (groups / "own").write_text("5:memory:/m\n1:cpu,cpuacct:/box\n0::/\n")
    limit(groups / "cpu" / "box", cpu__cfs_quota_us="250000", cpu__cfs_period_us="100000")
    limit(groups / "cpu", cpu__cfs_quota_us="-1", cpu__cfs_period_us="100000")
    assert processor.cores() == 3


def test_affinity_is_heeded(groups: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (groups / "own").write_text("0::/\n")
    limit(groups, cpu__max="400000 100000")
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {3}, raising=False)
    assert processor.cores() == 1


def test_systems_without_affinity_have_what_the_machine_has(groups: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "sched_getaffinity")
    monkeypatch.setattr(os, "cpu_count", lambda: 4)
    assert processor.cores() == 4


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="the system cannot bind a process to cores")
def test_the_default_of_threads_is_what_the_process_may_use() -> None:
    core = min(os.sched_getaffinity(0))
    code = f"import os; os.sched_setaffinity(0, {{{core}}}); from rag.settings import Settings; print(Settings().threads)"
    assert subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.strip() == "1"
    assert Settings().threads >= 1


def test_threads_wait_briefly_unless_the_user_has_chosen() -> None:
    environment = {"PATH": "/bin"}
    processor.wait_briefly(environment)
    assert environment == {"PATH": "/bin", "GOMP_SPINCOUNT": "10000", "OMP_WAIT_POLICY": "passive"}
    for name in ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY", "KMP_BLOCKTIME"):
        chosen = {name: "1"}
        processor.wait_briefly(chosen)
        assert chosen == {name: "1"}


OPENED = "import rag; docs = rag.open(); "
# Models are opened in threads there.
COMMAND = "import sys; from rag.cli.main import main; sys.argv[1:] = ['search', 'x']; main(interrupted=bool); "


@pytest.mark.parametrize("begun", [OPENED, COMMAND], ids=["python", "command"])
@pytest.mark.slow("starts processes")
def test_the_runtime_of_openmp_has_read_it(home: Path, begun: str) -> None:
    """As it reports itself when it is loaded with llama.cpp."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("OMP_", "GOMP_", "KMP_"))}
    environment |= {"RAG_HOME": str(home), "OMP_DISPLAY_ENV": "verbose"}

    def reported(**more: str) -> str:
        done = subprocess.run(
            [sys.executable, "-c", begun + "import rag.answering.local.model"],
            env=environment | more,
            check=True,
            capture_output=True,
            text=True,
        )
        return done.stderr

    if "GOMP_SPINCOUNT" not in reported():
        pytest.skip("llama.cpp is built without GNU's OpenMP")
    assert "GOMP_SPINCOUNT = '10000'" in reported()
    assert "GOMP_SPINCOUNT = '77'" in reported(GOMP_SPINCOUNT="77")
