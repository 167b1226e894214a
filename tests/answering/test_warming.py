from pathlib import Path

import pytest

from rag.answering.local.store import PassageStore, key
from rag.answering.warming import Warmed, warm


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
    reader, told = StoringReader(store, size), list[int]()
    return warm(iter(passages), len(passages), reader, store, lambda done, total: told.append(done)), reader.read, told


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
