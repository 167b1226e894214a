"""A build that is killed anywhere leaves the old index or the new one, and nothing that the next build does not clean."""

import multiprocessing
import random
import time
from pathlib import Path

import pytest

from rag.doctor import examine
from rag.indexing import build_cache
from rag.indexing.embedded import snapshot
from rag.settings import Settings
from tests.indexing.making import Home, texts

ROUNDS = 15


def build(folder: Path) -> None:
    """The work of the child process."""
    Home(folder).build()


def child(folder: Path) -> "multiprocessing.process.BaseProcess":
    # A server that has imported everything forks the children: a kill then meets a build, not an import.
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    process = context.Process(target=build, args=(folder,))
    process.start()
    return process


def seeds_of(round_: int) -> dict[str, str]:
    """Documents of which each round keeps most, changes some, and drops some."""
    return {
        f"{n}.txt": " ".join(
            f"Kalimat {i} dari dokumen {n} pada putaran {round_ // 5 if n % 3 else round_}." for i in range(30)
        )
        for n in range(40)
        if (n + round_) % 10
    }


@pytest.mark.slow("kills builds at many moments")
def test_a_build_killed_at_any_moment(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    usual = 0.0
    for round_ in (-1, 0):  # the first one waits for the server
        home.put_all(seeds_of(round_))
        begun = time.perf_counter()
        whole = child(home.folder)
        whole.join()
        usual = time.perf_counter() - begun
        assert whole.exitcode == 0
    killed = 0
    for round_ in range(1, ROUNDS + 1):
        old = texts(home.root)
        home.put_all(seeds_of(round_))
        process = child(home.folder)
        time.sleep(random.uniform(0, usual))
        process.kill()
        process.join()
        killed += process.exitcode != 0
        assert texts(home.root) in (old, seeds_of(round_))
        assert list(snapshot.verify(home.root)) == []
        home.build()
        assert texts(home.root) == seeds_of(round_)
        assert home.is_whole()
        assert not home.index.interrupted()
        assert build_cache.left(home.root) == []
    assert killed
    findings = [f for f in examine(Settings(home=home.folder, cache=tmp_path)) if f.subject == "index"]
    assert [finding.well for finding in findings] == [True], findings
