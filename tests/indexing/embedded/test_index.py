import shutil
from pathlib import Path

import pytest

from rag.errors import IndexDamaged, IndexMissing
from rag.indexing.embedded import index, snapshot
from tests.indexing.making import Home, document, grow, texts, write

A, B, C = document("a.txt", "satu dua tiga"), document("b.txt", "lima enam"), document("c.txt", "tujuh delapan")


@pytest.fixture
def names(tmp_path: Path) -> list[str]:
    """The ids of three snapshots, oldest first."""
    return [write(tmp_path, [A]).id, grow(tmp_path, B).id, grow(tmp_path, C).id]


def kept(root: Path) -> list[str]:
    return [manifest.id for manifest in index.stored(root)]


def test_snapshots_are_listed_newest_first(tmp_path: Path, names: list[str]) -> None:
    assert kept(tmp_path) == names[::-1]
    assert [manifest.documents for manifest in index.stored(tmp_path)] == [3, 2, 1]


def test_no_snapshots_are_an_empty_list(tmp_path: Path) -> None:
    assert index.stored(tmp_path / "nowhere") == []
    assert index.abandoned(tmp_path / "nowhere") == []
    assert index.prune(tmp_path / "nowhere", 1) == []


def test_what_cannot_be_read_is_not_listed(tmp_path: Path, names: list[str]) -> None:
    (tmp_path / "snapshots" / names[1] / "manifest.json").write_text("{}")
    (tmp_path / "snapshots" / "stranger").mkdir()
    (tmp_path / "snapshots" / "note.txt").write_text("hello")
    assert kept(tmp_path) == [names[2], names[0]]


def test_going_back_serves_the_older_state(tmp_path: Path, names: list[str]) -> None:
    assert index.rollback(tmp_path, names[0]).id == names[0]
    assert snapshot.current_id(tmp_path) == names[0]
    assert texts(tmp_path) == {"a.txt": A.text}
    assert kept(tmp_path) == names[::-1]
    index.rollback(tmp_path, names[2])
    assert set(texts(tmp_path)) == {"a.txt", "b.txt", "c.txt"}


@pytest.mark.parametrize("name", ["", "nobody", "..", ".building", "../snapshots"])
def test_going_back_to_what_is_not_there_is_refused(tmp_path: Path, names: list[str], name: str) -> None:
    (tmp_path / "snapshots" / ".building").mkdir()
    with pytest.raises(IndexMissing, match="rag snapshots list"):
        index.rollback(tmp_path, name)
    assert snapshot.current_id(tmp_path) == names[2]


def test_going_back_to_a_damaged_one_is_refused(tmp_path: Path, names: list[str]) -> None:
    for vectors in (tmp_path / "snapshots" / names[0]).rglob("vectors.npy"):
        vectors.unlink()
    with pytest.raises(IndexDamaged):
        index.rollback(tmp_path, names[0])
    assert snapshot.current_id(tmp_path) == names[2]


def test_pruning_keeps_the_newest(tmp_path: Path, names: list[str]) -> None:
    assert index.prune(tmp_path, 2) == [names[0]]
    assert kept(tmp_path) == [names[2], names[1]]
    assert index.prune(tmp_path, 2) == []
    assert texts(tmp_path, names[1]) == {"a.txt": A.text, "b.txt": B.text}
    assert list(snapshot.verify(tmp_path)) == []


def test_pruning_keeps_the_one_that_serves_however_old(tmp_path: Path, names: list[str]) -> None:
    index.rollback(tmp_path, names[0])
    assert sorted(index.prune(tmp_path, 1)) == names[1:]
    assert kept(tmp_path) == [names[0]]
    assert list(snapshot.verify(tmp_path)) == []


def test_builds_keep_a_few_snapshots(tmp_path: Path) -> None:
    names = [write(tmp_path, [A]).id] + [grow(tmp_path, document(f"{n}.txt", f"nomor {n}")).id for n in range(6)]
    assert kept(tmp_path) == names[::-1][: index.KEPT]


def test_a_removal_that_was_killed_leaves_no_half_snapshot(
    tmp_path: Path, names: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(path: Path, **_: object) -> None:
        next(file for file in Path(path).rglob("*") if file.is_file()).unlink()
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(shutil, "rmtree", killed)
        with pytest.raises(KeyboardInterrupt):
            index.prune(tmp_path, 1)
    left = kept(tmp_path)
    assert left[0] == names[2]
    for name in left:
        assert list(snapshot.verify(tmp_path, name)) == []
    assert index.abandoned(tmp_path) != []
    index.clear_abandoned(tmp_path)
    assert index.abandoned(tmp_path) == []


def test_stray_files_with_a_dot_are_cleaned_too(tmp_path: Path, names: list[str]) -> None:
    (tmp_path / "snapshots" / ".DS_Store").write_bytes(b"x")
    index.clear_abandoned(tmp_path)
    assert index.abandoned(tmp_path) == []
    assert kept(tmp_path) == names[::-1]


def test_pruning_takes_along_what_killed_builds_left(tmp_path: Path, names: list[str]) -> None:
    (tmp_path / "snapshots" / ".building").mkdir()
    index.prune(tmp_path, 5)
    assert index.abandoned(tmp_path) == []


def test_a_build_after_going_back_brings_the_index_in_line_again(tmp_path: Path) -> None:
    home = Home(tmp_path)
    home.put_all({"a.txt": "Kucing makan ikan.", "b.txt": "Anjing tidur."})
    first = home.build().snapshot
    home.put_all({"a.txt": "Kucing minum susu.", "c.txt": "Harga beras naik."})
    second = home.build().snapshot
    wanted = texts(home.root)
    index.rollback(home.root, first)
    assert set(texts(home.root)) == {"a.txt", "b.txt"}
    report = home.build()
    assert (report.added, report.changed, report.removed) == (("c.txt",), ("a.txt",), ("b.txt",))
    assert texts(home.root) == wanted
    assert home.is_whole()
    assert kept(home.root) == [report.snapshot, second, first]
    assert texts(home.root, second) == wanted
