from pathlib import Path

import pytest

from rag.errors import SeedError
from rag.indexing import unread
from rag.indexing.unread import Unread
from tests.indexing.making import Home

FOUND = [
    Unread("a.pdf", "SeedError", "a.pdf: it is damaged; mend it"),
    Unread("b\udcff.txt", "SeedError", "x; y"),
    Unread("d", "E", "", True),
]


def test_what_was_noted_is_read_and_replaced(tmp_path: Path) -> None:
    assert unread.read(tmp_path) == []
    unread.write(tmp_path, FOUND)
    assert unread.read(tmp_path) == FOUND
    unread.write(tmp_path, [])
    assert unread.read(tmp_path) == []


def test_a_note_that_is_the_same_is_not_written_again(tmp_path: Path) -> None:
    unread.write(tmp_path, FOUND)
    (before,) = [path.stat().st_mtime_ns for path in tmp_path.iterdir()]
    unread.write(tmp_path, FOUND)
    assert [path.stat().st_mtime_ns for path in tmp_path.iterdir()] == [before]


@pytest.mark.parametrize("damaged", ["", "{", "3", "[3]", '[{"path": "a"}]', "[" * 100_000, "\udcff"])
def test_a_damaged_note_is_none_and_mended_by_the_next(tmp_path: Path, damaged: str) -> None:
    unread.write(tmp_path, FOUND)
    (path,) = tmp_path.iterdir()
    path.write_bytes(damaged.encode("utf-8", "surrogateescape"))
    assert unread.read(tmp_path) == []
    unread.write(tmp_path, FOUND)
    assert unread.read(tmp_path) == FOUND


def test_a_build_notes_what_it_could_not_read_also_where_nothing_can_be(tmp_path: Path) -> None:
    home = Home(tmp_path)
    home.put("empty.txt", "")
    with pytest.raises(SeedError, match="no document"):
        home.build()
    (left,) = unread.read(home.root)
    assert (left.path, left.kind, left.is_folder) == ("empty.txt", "SeedEmpty", False)
    assert left.detail.startswith("empty.txt: it is empty; ")
    home.put("a.txt", "Kucing makan ikan.")
    home.build()
    assert unread.read(home.root) == [left]
    home.drop("empty.txt")
    home.build()
    assert unread.read(home.root) == []
