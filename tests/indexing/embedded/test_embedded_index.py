import shutil
from pathlib import Path

import pytest

from rag.errors import IndexDamaged, IndexMissing
from rag.indexing.embedded import snapshot
from rag.indexing.embedded.embedded_index import EmbeddedIndex
from rag.indexing.protocol import KEPT, Unread
from tests.indexing.making import Home, document, grow, texts, write

A, B, C = document("a.txt", "satu dua tiga"), document("b.txt", "lima enam"), document("c.txt", "tujuh delapan")


@pytest.fixture
def names(tmp_path: Path) -> list[str]:
    """The ids of three snapshots, oldest first."""
    return [write(tmp_path, [A]).id, grow(tmp_path, B).id, grow(tmp_path, C).id]


def kept(root: Path) -> list[str]:
    return [manifest.id for manifest in EmbeddedIndex(root).stored()]


def clear(root: Path) -> None:
    """Let the index remove what interrupted builds left, as it does before each change."""
    with EmbeddedIndex(root).writing():
        pass


def test_snapshots_are_listed_newest_first(tmp_path: Path, names: list[str]) -> None:
    assert kept(tmp_path) == names[::-1]
    assert [manifest.documents for manifest in EmbeddedIndex(tmp_path).stored()] == [3, 2, 1]


def test_no_snapshots_are_an_empty_list(tmp_path: Path) -> None:
    nowhere = EmbeddedIndex(tmp_path / "nowhere")
    assert nowhere.stored() == []
    assert not nowhere.interrupted()
    assert nowhere.prune(1) == []


def test_what_cannot_be_read_is_not_listed(tmp_path: Path, names: list[str]) -> None:
    (tmp_path / "snapshots" / names[1] / "manifest.json").write_text("{}")
    (tmp_path / "snapshots" / "stranger").mkdir()
    (tmp_path / "snapshots" / "note.txt").write_text("hello")
    assert kept(tmp_path) == [names[2], names[0]]


def test_going_back_serves_the_older_state(tmp_path: Path, names: list[str]) -> None:
    assert EmbeddedIndex(tmp_path).rollback(names[0]).id == names[0]
    assert snapshot.current_id(tmp_path) == names[0]
    assert texts(tmp_path) == {"a.txt": A.text}
    assert kept(tmp_path) == names[::-1]
    EmbeddedIndex(tmp_path).rollback(names[2])
    assert set(texts(tmp_path)) == {"a.txt", "b.txt", "c.txt"}


@pytest.mark.parametrize("name", ["", "nobody", "..", ".building", "../snapshots"])
def test_going_back_to_what_is_not_there_is_refused(tmp_path: Path, names: list[str], name: str) -> None:
    (tmp_path / "snapshots" / ".building").mkdir()
    with pytest.raises(IndexMissing, match="rag snapshots list"):
        EmbeddedIndex(tmp_path).rollback(name)
    assert snapshot.current_id(tmp_path) == names[2]


def test_going_back_to_a_damaged_one_is_refused(tmp_path: Path, names: list[str]) -> None:
    for vectors in (tmp_path / "snapshots" / names[0]).rglob("vectors.npy"):
        vectors.unlink()
    with pytest.raises(IndexDamaged):
        EmbeddedIndex(tmp_path).rollback(names[0])
    assert snapshot.current_id(tmp_path) == names[2]


def test_pruning_keeps_the_newest(tmp_path: Path, names: list[str]) -> None:
    assert EmbeddedIndex(tmp_path).prune(2) == [names[0]]
    assert kept(tmp_path) == [names[2], names[1]]
    assert EmbeddedIndex(tmp_path).prune(2) == []
    assert texts(tmp_path, names[1]) == {"a.txt": A.text, "b.txt": B.text}
    assert list(snapshot.verify(tmp_path)) == []


def test_pruning_keeps_the_one_that_serves_however_old(tmp_path: Path, names: list[str]) -> None:
    EmbeddedIndex(tmp_path).rollback(names[0])
    assert sorted(EmbeddedIndex(tmp_path).prune(1)) == names[1:]
    assert kept(tmp_path) == [names[0]]
    assert list(snapshot.verify(tmp_path)) == []


def test_builds_keep_a_few_snapshots(tmp_path: Path) -> None:
    names = [write(tmp_path, [A]).id] + [grow(tmp_path, document(f"{n}.txt", f"nomor {n}")).id for n in range(6)]
    assert kept(tmp_path) == names[::-1][:KEPT]


def test_a_removal_that_was_killed_leaves_no_half_snapshot(
    tmp_path: Path, names: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(path: Path, **_: object) -> None:
        next(file for file in Path(path).rglob("*") if file.is_file()).unlink()
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(shutil, "rmtree", killed)
        with pytest.raises(KeyboardInterrupt):
            EmbeddedIndex(tmp_path).prune(1)
    left = kept(tmp_path)
    assert left[0] == names[2]
    for name in left:
        assert list(snapshot.verify(tmp_path, name)) == []
    assert EmbeddedIndex(tmp_path).interrupted()
    clear(tmp_path)
    assert not EmbeddedIndex(tmp_path).interrupted()


def test_stray_files_with_a_dot_are_cleaned_too(tmp_path: Path, names: list[str]) -> None:
    (tmp_path / "snapshots" / ".DS_Store").write_bytes(b"x")
    clear(tmp_path)
    assert not EmbeddedIndex(tmp_path).interrupted()
    assert kept(tmp_path) == names[::-1]


def test_pruning_takes_along_what_killed_builds_left(tmp_path: Path, names: list[str]) -> None:
    (tmp_path / "snapshots" / ".building").mkdir()
    EmbeddedIndex(tmp_path).prune(5)
    assert not EmbeddedIndex(tmp_path).interrupted()


def test_a_build_after_going_back_brings_the_index_in_line_again(tmp_path: Path) -> None:
    home = Home(tmp_path)
    home.put_all({"a.txt": "Kucing makan ikan.", "b.txt": "Anjing tidur."})
    first = home.build().snapshot
    home.put_all({"a.txt": "Kucing minum susu.", "c.txt": "Harga beras naik."})
    second = home.build().snapshot
    wanted = texts(home.root)
    home.index.rollback(first)
    assert set(texts(home.root)) == {"a.txt", "b.txt"}
    report = home.build()
    assert (report.added, report.changed, report.removed) == (("c.txt",), ("a.txt",), ("b.txt",))
    assert texts(home.root) == wanted
    assert home.is_whole()
    assert kept(home.root) == [report.snapshot, second, first]
    assert texts(home.root, second) == wanted


FOUND = [
    Unread("a.pdf", "SeedError", "a.pdf: it is damaged; fix it"),
    Unread("b\udcff.txt", "SeedError", "x; y"),
    Unread("d", "E", "", True),
]


def test_what_was_noted_is_read_and_replaced(tmp_path: Path) -> None:
    assert EmbeddedIndex(tmp_path).unread() == []
    EmbeddedIndex(tmp_path).note_unread(FOUND)
    assert EmbeddedIndex(tmp_path).unread() == FOUND
    EmbeddedIndex(tmp_path).note_unread([])
    assert EmbeddedIndex(tmp_path).unread() == []


def test_a_note_that_is_the_same_is_not_written_again(tmp_path: Path) -> None:
    EmbeddedIndex(tmp_path).note_unread(FOUND)
    (before,) = [path.stat().st_mtime_ns for path in tmp_path.iterdir()]
    EmbeddedIndex(tmp_path).note_unread(FOUND)
    assert [path.stat().st_mtime_ns for path in tmp_path.iterdir()] == [before]


@pytest.mark.parametrize("damaged", ["", "{", "3", "[3]", '[{"path": "a"}]', "[" * 100_000, "\udcff"])
def test_a_damaged_note_is_none_and_replaced_by_the_next(tmp_path: Path, damaged: str) -> None:
    EmbeddedIndex(tmp_path).note_unread(FOUND)
    (path,) = tmp_path.iterdir()
    path.write_bytes(damaged.encode("utf-8", "surrogateescape"))
    assert EmbeddedIndex(tmp_path).unread() == []
    EmbeddedIndex(tmp_path).note_unread(FOUND)
    assert EmbeddedIndex(tmp_path).unread() == FOUND
