"""The passage store on a real disk, shared by real processes."""

import errno
import hashlib
import logging
import multiprocessing
import os
import random
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from filelock import FileLock
from hypothesis import given, settings
from hypothesis import strategies as st

from rag import files
from rag.answering.local import store as stores
from rag.answering.local.store import PassageStore, Warmed, key, usage, warm
from rag.errors import StorageError

MANY = 10**9


def state_of(name: str, size: int = 5_000) -> bytes:
    """A state that follows from its key, as that of a passage does."""
    return random.Random(name).randbytes(size)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "cache" / "passages"


def stored(folder: Path, *names: str, most: int = MANY, size: int = 5_000) -> PassageStore:
    opened = PassageStore(folder, most)
    for name in names:
        opened.write(name, state_of(name, size))
        age(folder)
    return opened


def age(folder: Path) -> None:
    """Make all entries a second older, so that the file system's clock need not tick."""
    for path in folder.glob("*.state"):
        moment = path.stat().st_mtime_ns - 10**9
        os.utime(path, ns=(moment, moment))


def names(count: int) -> list[str]:
    return [key(str(n).encode()) for n in range(count)]


@settings(deadline=None, max_examples=60)
@given(state=st.binary(max_size=3_000))
def test_what_was_put_comes_back_byte_for_byte(tmp_path_factory: pytest.TempPathFactory, state: bytes) -> None:
    opened = PassageStore(tmp_path_factory.mktemp("store"), MANY)
    opened.put(key(b"a"), state)
    opened.settle()
    assert opened.get(key(b"a")) == state
    assert opened.get(key(b"b")) is None
    assert (opened.hits, opened.misses) == (1, 1)


def test_each_thread_counts_what_it_asked_for(tmp_path: Path) -> None:
    """A question is answered in one: its receipt counts its own passages, however many run at once."""
    opened = PassageStore(tmp_path, MANY)
    opened.write(key(b"a"), b"state")

    def ask() -> tuple[int, int]:
        opened.get(key(b"a"))
        opened.get(key(b"b"))
        opened.reject(key(b"a"))
        return opened.hits, opened.misses

    with ThreadPoolExecutor(1) as other:
        assert other.submit(ask).result() == (0, 2)
    assert (opened.hits, opened.misses) == (0, 0)


@given(parts=st.lists(st.binary(max_size=9), min_size=1, max_size=5), data=st.data())
def test_the_key_changes_with_each_part_and_with_where_one_ends(parts: list[bytes], data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(parts) - 1))
    other = data.draw(st.binary(max_size=9).filter(lambda part: part != parts[place]))
    assert key(*parts) == key(*parts)
    assert key(*parts) != key(*parts[:place], other, *parts[place + 1 :])
    assert key(*parts) != key(*parts, b"")
    if len(parts) > 1:
        assert key(*parts) != key(parts[0] + parts[1], *parts[2:])


def test_a_state_of_floats_is_stored_in_less_room_than_it_takes(folder: Path) -> None:
    numpy = pytest.importorskip("numpy")
    state = numpy.random.default_rng(0).normal(size=50_000).astype(numpy.float16).tobytes()
    opened = PassageStore(folder, MANY)
    opened.write(key(b"a"), state)
    assert usage(folder).size < 0.9 * len(state)
    assert opened.get(key(b"a")) == state


@settings(deadline=None, max_examples=200)
@given(data=st.data())
def test_an_entry_with_any_byte_changed_is_a_miss_and_is_removed(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    """Magic, version, checksum, key, length and payload alike."""
    (name,) = names(1)
    opened = PassageStore(tmp_path_factory.mktemp("store"), MANY)
    opened.write(name, state_of(name, 300))
    (path,) = opened._folder.glob("*.state")
    entry = bytearray(path.read_bytes())
    # The head is small beside the payload: half of the tries go there.
    place = data.draw(st.one_of(st.integers(0, 79), st.integers(0, len(entry) - 1)))
    entry[place] ^= data.draw(st.integers(1, 255))
    path.write_bytes(entry)
    assert opened.get(name) is None
    assert not path.exists()


@settings(deadline=None, max_examples=100)
@given(share=st.floats(0, 1, exclude_max=True), more=st.binary(max_size=3))
def test_a_truncated_empty_or_lengthened_entry_is_a_miss(
    tmp_path_factory: pytest.TempPathFactory, share: float, more: bytes
) -> None:
    (name,) = names(1)
    opened = PassageStore(tmp_path_factory.mktemp("store"), MANY)
    opened.write(name, state_of(name, 300))
    (path,) = opened._folder.glob("*.state")
    entry = path.read_bytes()
    path.write_bytes(entry + more if more else entry[: int(share * len(entry))])
    assert opened.get(name) is None
    assert not path.exists()


def test_an_entry_of_another_version_is_a_miss(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = stored(folder, *names(1))
    monkeypatch.setattr(stores, "_MAGIC", b"ragkv\x00\x00\x02")
    assert opened.get(names(1)[0]) is None


def test_an_entry_under_another_name_is_a_miss(folder: Path) -> None:
    one, other = names(2)
    opened = stored(folder, one)
    (folder / f"{one}.state").rename(folder / f"{other}.state")
    assert opened.get(other) is None


def test_what_was_of_no_use_is_a_miss_after_all_and_is_removed(folder: Path) -> None:
    (name,) = names(1)
    opened = stored(folder, name)
    assert opened.get(name)
    opened.reject(name)
    assert (opened.hits, opened.misses) == (0, 1)
    assert opened.get(name) is None


def test_a_folder_where_an_entry_should_be_is_a_miss(folder: Path) -> None:
    (name,) = names(1)
    (folder / f"{name}.state").mkdir(parents=True)
    assert PassageStore(folder, MANY).get(name) is None


def test_a_file_larger_than_the_store_is_not_read_into_memory(folder: Path) -> None:
    (name,) = names(1)
    opened = stored(folder, name, most=20_000)
    with (folder / f"{name}.state").open("r+b") as file:
        file.truncate(1 << 42)
    assert opened.get(name) is None
    assert usage(folder).entries == 0


def test_the_bound_holds_and_the_most_recently_used_stay(folder: Path) -> None:
    first, second, third, fourth = names(4)
    opened = stored(folder, first, second, third, most=16_000)
    age(folder)
    assert opened.get(first)
    opened.write(fourth, state_of(fourth))
    assert usage(folder).size <= 16_000
    assert [name in opened for name in (first, second, third, fourth)] == [True, False, True, True]


def test_a_bound_that_was_set_lower_holds_from_the_next_entry_on(folder: Path) -> None:
    stored(folder, *names(6))
    lower = PassageStore(folder, 11_000)
    lower.write(key(b"new"), state_of("new"))
    assert usage(folder).size <= 11_000
    assert key(b"new") in lower


def test_a_state_larger_than_the_store_is_left_out_and_pushes_nothing_out(folder: Path) -> None:
    opened = stored(folder, *names(2), most=16_000)
    opened.write(key(b"large"), state_of("large", 17_000))
    assert key(b"large") not in opened
    assert usage(folder).entries == 2


def test_a_store_of_no_size_never_touches_the_disk(folder: Path) -> None:
    (name,) = names(1)
    stored(folder, name)
    off = PassageStore(folder, 0)
    assert off.get(name) is None
    assert name not in off
    off.put(key(b"new"), b"state")
    off.settle()
    assert usage(folder).entries == 1


def test_it_is_full_when_one_more_would_push_another_out(folder: Path) -> None:
    opened = PassageStore(folder, 16_000)
    full = []
    for name in names(3):
        full.append(opened.is_full())
        opened.write(name, state_of(name))
    assert [*full, opened.is_full()] == [False, False, False, True]


def test_the_folder_may_be_removed_while_it_is_used(folder: Path) -> None:
    one, other = names(2)
    opened = stored(folder, one)
    for path in (*folder.iterdir(), folder):
        path.unlink() if path.is_file() else path.rmdir()
    assert opened.get(one) is None
    opened.write(other, state_of(other))
    assert opened.get(other) == state_of(other)


def test_only_the_owner_may_look_into_it(folder: Path) -> None:
    stored(folder, *names(1))
    assert folder.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EROFS, errno.EDQUOT, errno.EIO, errno.ESTALE])
def test_a_disk_that_takes_nothing_is_a_miss_and_one_warning(
    folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, code: int
) -> None:
    old, *new = names(3)
    opened = stored(folder, old)

    def full(self: Path, data: bytes) -> int:
        with self.open("wb") as file:
            file.write(data[:100])
        raise OSError(code, os.strerror(code), str(self))

    monkeypatch.setattr(Path, "write_bytes", full)
    with caplog.at_level(logging.WARNING):
        for name in new:
            opened.put(name, state_of(name))
            opened.settle()
    assert [opened.get(name) for name in new] == [None, None]
    assert opened.get(old) == state_of(old)
    assert sorted(path.name for path in folder.iterdir()) == [".lock", f"{old}.state"]
    assert [record.message.split(":")[0] for record in caplog.records] == [
        "passages cannot be stored, so the model reads them again"
    ]


def test_a_full_disk_is_reported_in_our_words(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(path: Path) -> None:
        raise OSError(errno.ENOSPC, "x", str(path))

    monkeypatch.setattr(files, "sync", full)
    with pytest.raises(StorageError, match=r"the disk is full .*; free some space"):
        PassageStore(folder, MANY).write(names(1)[0], b"state")
    assert usage(folder).entries == 0


def test_a_file_in_place_of_the_folder_is_a_miss(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    opened = PassageStore(tmp_path / "file" / "passages", MANY)
    assert opened.get(names(1)[0]) is None
    with pytest.raises(StorageError, match="a file stands where a folder should be"):
        opened.write(names(1)[0], b"state")


def test_an_entry_that_cannot_be_touched_is_given_all_the_same(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (name,) = names(1)
    opened = stored(folder, name)

    def refuse(*_: object) -> None:
        raise OSError(errno.EROFS, "x")

    monkeypatch.setattr(os, "utime", refuse)
    assert opened.get(name) == state_of(name)


def test_states_that_wait_for_a_stuck_disk_are_bounded(folder: Path) -> None:
    opened = PassageStore(folder, MANY)
    folder.mkdir(parents=True)
    many = names(stores._MOST_WAITING + 5)
    with FileLock(folder / ".lock"):
        for name in many:
            opened.put(name, state_of(name))
        assert opened.get(many[0]) is None
    opened.settle()
    assert usage(folder).entries == stores._MOST_WAITING


def test_another_writer_that_hangs_is_not_waited_for_for_ever(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stores, "_PATIENCE", 0)
    opened = PassageStore(folder, MANY)
    folder.mkdir(parents=True)
    with FileLock(folder / ".lock"), pytest.raises(OSError, match="lock"):
        opened.write(names(1)[0], b"state")


def _churn(folder: Path, seed: int, most: int, rounds: int) -> None:
    """Write and read as two processes of rag would; ends with another code where a wrong or torn entry was seen."""
    choices, opened = random.Random(seed), PassageStore(folder, most)
    for _ in range(rounds):
        name = choices.choice(names(12))
        if choices.random() < 0.5:
            opened.write(name, state_of(name, 2_000 + int(name[:3], 16)))
        elif (state := opened.get(name)) is not None and state != state_of(name, 2_000 + int(name[:3], 16)):
            os._exit(3)
        if usage(folder).size > most:
            os._exit(4)


@pytest.mark.slow("writes and reads large states")
def test_processes_that_write_read_and_evict_at_once_see_no_wrong_entry_and_keep_the_bound(folder: Path) -> None:
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=_churn, args=(folder, seed, 30_000, 150)) for seed in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert [worker.exitcode for worker in workers] == [0, 0, 0]
    assert 0 < usage(folder).size <= 30_000


_WRITE_FOR_EVER = """
import sys
from pathlib import Path
from rag.answering.local.store import PassageStore, key
opened = PassageStore(Path(sys.argv[1]), 10**9)
state = bytes(range(256)) * 40_000
for n in range(10**6):
    opened.write(key(str(n).encode()), state)
    print("ready", flush=True)
"""


@pytest.mark.slow("writes and reads large states")
def test_a_writer_killed_at_any_moment_leaves_whole_entries_and_the_next_cleans_up(folder: Path) -> None:
    state = bytes(range(256)) * 40_000
    for delay in (0.0, 0.013, 0.041, 0.09):
        writer = subprocess.Popen([sys.executable, "-c", _WRITE_FOR_EVER, str(folder)], stdout=subprocess.PIPE)
        assert writer.stdout
        assert writer.stdout.readline() == b"ready\n"
        time.sleep(delay)
        writer.send_signal(signal.SIGKILL)
        writer.wait()
        writer.stdout.close()
    opened = PassageStore(folder, MANY)
    entries = [path.name.removesuffix(".state") for path in folder.glob("*.state")]
    assert entries
    assert all(opened.get(name) == state for name in entries)
    (folder / f".{names(1)[0]}.state.7.new").write_bytes(state[:100])
    opened.write(key(b"after"), b"state")
    assert not list(folder.glob(".*.new"))
    assert opened.get(key(b"after")) == b"state"


def test_a_write_killed_before_its_end_leaves_no_entry(folder: Path) -> None:
    """Killed at the last moment before the entry gets its name."""
    code = (
        "import os, signal, sys; from pathlib import Path\n"
        "from rag import files; from rag.answering.local.store import PassageStore\n"
        "files.sync = lambda path: os.kill(os.getpid(), signal.SIGKILL)\n"
        "PassageStore(Path(sys.argv[1]), 10**9).write('ab' * 32, b'state')"
    )
    killed = subprocess.run([sys.executable, "-c", code, str(folder)], check=False)
    assert killed.returncode == -signal.SIGKILL
    assert len(list(folder.glob(".*.new"))) == 1
    opened = PassageStore(folder, MANY)
    assert opened.get("ab" * 32) is None
    assert usage(folder).entries == 0
    opened.write("ab" * 32, b"state")
    assert opened.get("ab" * 32) == b"state"


def test_the_key_is_a_sha256() -> None:
    assert key(b"a") == hashlib.sha256((1).to_bytes(8, "little") + b"a").hexdigest()


class StoringReader:
    """Stores a kilobyte for each passage, which is all that warming knows of reading."""

    def __init__(self, store: PassageStore, size: int = 1_000) -> None:
        self.store, self.size = store, size
        self.read: list[str] = []

    def is_stored(self, passage: str) -> bool:
        return key(passage.encode()) in self.store

    def warm(self, passage: str) -> None:
        if passage == "interrupt":
            raise KeyboardInterrupt
        self.read.append(passage)
        self.store.write(key(passage.encode()), passage.encode().ljust(self.size, bytes(range(256))[-1:]))


def warmed(folder: Path, passages: list[str], most: int = 10**6, size: int = 1_000) -> tuple[Warmed, list[str], list[int]]:
    store = PassageStore(folder, most)
    reader, seen = StoringReader(store, size), list[int]()
    return warm(iter(passages), len(passages), reader, store, lambda done, total: seen.append(done)), reader.read, seen


def test_what_is_not_stored_is_read_in_order_and_each_once(tmp_path: Path) -> None:
    assert warmed(tmp_path, ["b", "a"]) == (Warmed(2, 0, 0), ["b", "a"], [1, 2])
    assert warmed(tmp_path, ["b", "c", "a", "c"]) == (Warmed(1, 3, 0), ["c"], [1, 2, 3, 4])


def test_it_stops_before_one_would_push_another_out(tmp_path: Path) -> None:
    passages = [str(n) for n in range(9)]
    report, read, _ = warmed(tmp_path, passages, most=3_000)
    assert report == Warmed(len(read), 0, 9 - len(read))
    assert 0 < len(read) < 9
    store = PassageStore(tmp_path, 3_000)
    assert all(key(passage.encode()) in store for passage in read)
    assert warmed(tmp_path, passages, most=3_000) == (Warmed(0, len(read), 9 - len(read)), [], list(range(1, len(read) + 1)))


def test_a_store_smaller_than_one_passage_stops_it_at_the_first(tmp_path: Path) -> None:
    assert warmed(tmp_path, ["a", "b"], most=100) == (Warmed(0, 0, 2), ["a"], [])


def test_interrupted_it_keeps_what_was_read(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        warmed(tmp_path, ["a", "interrupt", "b"])
    assert warmed(tmp_path, ["a", "b"])[0] == Warmed(1, 1, 0)
