import os
import sqlite3
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from rag.indexing import build_cache
from rag.indexing.build_cache import DIGEST_BYTES, Stamps, Unfinished
from rag.ingestion import seeds_folder
from rag.ingestion.seeds_folder import Seed, Stamp
from tests.indexing.making import Home, texts

HOUR = 3_600_000_000_000


@pytest.fixture
def home(tmp_path: Path) -> Home:
    made = Home(tmp_path)
    made.put("a.txt", "Kucing makan ikan.")
    made.put("b.txt", "Anjing tidur.")
    return made


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The paths of the seeds as they are read."""
    seen: list[str] = []
    read = seeds_folder.read

    def counted(folder: Path, path: str) -> Seed:
        seen.append(path)
        return read(folder, path)

    monkeypatch.setattr(seeds_folder, "read", counted)
    return seen


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> None:
    """An hour from now: nothing that the test wrote is fresh."""
    now = time.time_ns
    monkeypatch.setattr(time, "time_ns", lambda: now() + HOUR)


@pytest.mark.usefixtures("later")
def test_a_file_that_was_not_written_since_is_not_read(home: Home, reads: list[str]) -> None:
    home.build()
    reads.clear()
    assert home.build().did_nothing
    assert reads == []
    home.put("a.txt", "Kucing minum susu.")
    assert home.build().changed == ("a.txt",)
    assert set(reads) == {"a.txt"}


@pytest.mark.usefixtures("later")
def test_a_touched_file_is_read_once_and_changes_nothing(home: Home, reads: list[str]) -> None:
    home.build()
    reads.clear()
    os.utime(home.seeds / "a.txt", ns=(HOUR, HOUR))
    assert home.build().did_nothing
    assert reads == ["a.txt"]
    assert home.build().did_nothing
    assert reads == ["a.txt"]


def test_a_file_written_a_moment_ago_is_read_again(home: Home, reads: list[str]) -> None:
    """It can be written once more within the same tick of the file system's clock, in the same size."""
    home.build()
    reads.clear()
    home.build()
    assert reads == ["a.txt", "b.txt"]


@pytest.mark.usefixtures("later")
def test_another_file_of_the_same_size_and_time_is_another_file(home: Home) -> None:
    home.build()
    status = (home.seeds / "a.txt").stat()
    home.put("other", "Kucing makan nasi.")
    os.utime(home.seeds / "other", ns=(status.st_atime_ns, status.st_mtime_ns))
    (home.seeds / "other").replace(home.seeds / "a.txt")
    after = (home.seeds / "a.txt").stat()
    assert (after.st_size, after.st_mtime_ns) == (status.st_size, status.st_mtime_ns)
    assert home.build().changed == ("a.txt",)
    assert texts(home.root)["a.txt"] == "Kucing makan nasi."


@pytest.mark.usefixtures("later")
@pytest.mark.parametrize("content", [b"", b"rubbish" * 1000, b"SQLite format 3\0" + bytes(4096)])
def test_a_damaged_file_of_stamps_costs_one_reading(home: Home, reads: list[str], content: bytes) -> None:
    home.build()
    (home.root / "stamps.sqlite").write_bytes(content)
    reads.clear()
    assert home.build().did_nothing
    assert reads == ["a.txt", "b.txt"]
    assert home.build().did_nothing
    assert reads == ["a.txt", "b.txt"]


@pytest.mark.usefixtures("later")
def test_stamps_of_another_shape_cost_one_reading(home: Home, reads: list[str]) -> None:
    home.build()
    with sqlite3.connect(home.root / "stamps.sqlite") as database:
        database.execute("drop table stamps")
        database.execute("create table stamps (path text)")
    database.close()
    reads.clear()
    assert home.build().did_nothing
    assert reads == ["a.txt", "b.txt"]
    assert home.build().did_nothing
    assert reads == ["a.txt", "b.txt"]


numbers = st.integers(0, 2**62)
some_stamps = st.builds(Stamp, numbers, st.integers(0, 10**18), st.integers(0, 10**18), numbers)


@settings(max_examples=50, deadline=None)
@given(
    known=st.dictionaries(
        st.text(st.characters(codec="utf-8"), min_size=1), st.tuples(some_stamps, st.text("0123456789abcdef"))
    )
)
def test_what_was_learnt_is_known_for_that_stamp_only(
    tmp_path_factory: pytest.TempPathFactory, known: dict[str, tuple[Stamp, str]]
) -> None:
    file = tmp_path_factory.mktemp("stamps") / "stamps.sqlite"
    first = Stamps(file)
    for path, (stamp, sha256) in known.items():
        assert first.digest(path, stamp) is None
        first.learn(path, stamp, sha256)
    first.save()
    second = Stamps(file)
    for path, (stamp, sha256) in known.items():
        assert second.digest(path, stamp) == sha256
        assert second.digest(path, Stamp(stamp.size + 1, stamp.mtime_ns, stamp.ctime_ns, stamp.inode)) is None
        assert second.digest(path, Stamp(stamp.size, stamp.mtime_ns, stamp.ctime_ns + 1, stamp.inode)) is None
        assert second.digest(path, Stamp(stamp.size, stamp.mtime_ns, stamp.ctime_ns, stamp.inode + 1)) is None
    assert second.digest("\0 nowhere", Stamp(1, 2, 3, 4)) is None


DIMENSION = 7


def records(count: int, seed: int = 1) -> tuple[list[bytes], NDArray[np.float32]]:
    random = np.random.default_rng(seed)
    vectors = random.normal(size=(count, DIMENSION)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return [random.bytes(DIGEST_BYTES) for _ in range(count)], vectors


def as_dict(digests: list[bytes], vectors: NDArray[np.float32]) -> dict[bytes, bytes]:
    return dict(zip(digests, map(np.ndarray.tobytes, vectors), strict=True))


def loaded(root: Path) -> dict[bytes, bytes]:
    return {digest: vector.tobytes() for digest, vector in Unfinished(root, "maker").load().items()}


def file_of(root: Path) -> Path:
    (path,) = build_cache.left(root)
    return path


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("index")


def test_what_is_appended_is_loaded(tmp_path: Path) -> None:
    kept = Unfinished(tmp_path, "maker")
    assert kept.load() == {}
    digests, vectors = records(5)
    kept.append(digests[:2], vectors[:2])
    kept.append(digests[2:], vectors[2:])
    assert loaded(tmp_path) == as_dict(digests, vectors)
    build_cache.clear(tmp_path)
    assert loaded(tmp_path) == {}
    assert build_cache.left(tmp_path) == []


def test_embedders_are_kept_apart(tmp_path: Path) -> None:
    digests, vectors = records(2)
    Unfinished(tmp_path, "one").append(digests, vectors)
    assert Unfinished(tmp_path, "other").load() == {}
    assert len(Unfinished(tmp_path, "one").load()) == 2


@settings(max_examples=200, deadline=None)
@given(data=st.data(), zeros=st.booleans())
def test_a_file_cut_or_zeroed_from_any_byte_on_gives_whole_records_and_takes_more(
    root: Path, data: st.DataObject, zeros: bool
) -> None:
    build_cache.clear(root)
    digests, vectors = records(4)
    Unfinished(root, "maker").append(digests, vectors)
    raw = file_of(root).read_bytes()
    cut = data.draw(st.integers(0, len(raw)))
    file_of(root).write_bytes(raw[:cut] + (bytes(len(raw) - cut) if zeros else b""))
    found = loaded(root)
    size = DIGEST_BYTES + 4 * DIMENSION
    assert found.items() <= as_dict(digests, vectors).items()
    assert len(found) >= (cut - 4) // (size + 8)
    more, more_vectors = records(3, seed=2)
    Unfinished(root, "maker").append(more, more_vectors)
    assert loaded(root) == found | as_dict(more, more_vectors)


@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_one_wrong_byte_costs_no_more_than_its_record(root: Path, data: st.DataObject) -> None:
    build_cache.clear(root)
    digests, vectors = records(4)
    Unfinished(root, "maker").append(digests, vectors)
    raw = bytearray(file_of(root).read_bytes())
    place = data.draw(st.integers(4, len(raw) - 1))
    raw[place] ^= data.draw(st.integers(1, 255))
    file_of(root).write_bytes(raw)
    found = loaded(root)
    assert found.items() <= as_dict(digests, vectors).items()
    assert len(found) == 3


@pytest.mark.parametrize("content", [b"", b"\0", b"\0\0\0\0", b"\0" * 400, b"\xff" * 300, b"rubbish" * 20, b"\x07\0\0\0"])
def test_a_file_of_rubbish_gives_nothing_and_then_works(tmp_path: Path, content: bytes) -> None:
    digests, vectors = records(2)
    Unfinished(tmp_path, "maker").append(digests, vectors)
    file_of(tmp_path).write_bytes(content)
    assert loaded(tmp_path) == {}
    Unfinished(tmp_path, "maker").append(digests, vectors)
    assert loaded(tmp_path) == as_dict(digests, vectors)
