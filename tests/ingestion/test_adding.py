import os
import shutil
from pathlib import Path

import pytest

from rag.errors import SeedError, StorageError
from rag.ingestion import adding
from rag.ingestion import seeds as documents


@pytest.fixture
def seeds(tmp_path: Path) -> Path:
    return tmp_path / "home" / "seeds"


@pytest.fixture
def elsewhere(tmp_path: Path) -> Path:
    folder = tmp_path / "elsewhere"
    (folder / "deep").mkdir(parents=True)
    (folder / "a.txt").write_text("satu")
    (folder / "deep" / "b.md").write_text("dua")
    (folder / "deep" / "picture.png").write_bytes(b"\x89PNG")
    (folder / ".hidden.txt").write_text("tersembunyi")
    return folder


def found(seeds: Path) -> list[str]:
    return list(documents.find(seeds).paths)


def files(seeds: Path) -> list[str]:
    return sorted(str(path.relative_to(seeds)) for path in seeds.rglob("*") if path.is_file())


def test_a_file_is_copied_under_its_name(seeds: Path, elsewhere: Path) -> None:
    assert adding.add(seeds, [elsewhere / "a.txt"]) == ["a.txt"]
    assert (seeds / "a.txt").read_text() == "satu"
    assert (seeds / "a.txt").stat().st_mtime_ns == (elsewhere / "a.txt").stat().st_mtime_ns


def test_a_folder_keeps_its_name_and_shape(seeds: Path, elsewhere: Path) -> None:
    assert adding.add(seeds, [elsewhere]) == ["elsewhere/a.txt", "elsewhere/deep/b.md"]
    assert files(seeds) == found(seeds) == ["elsewhere/a.txt", "elsewhere/deep/b.md"]


def test_a_folder_may_be_named_with_dots_and_slashes(seeds: Path, elsewhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(elsewhere / "deep")
    assert adding.add(seeds, [Path()]) == ["deep/b.md"]
    assert adding.add(seeds, [Path("../deep/../a.txt")]) == ["a.txt"]


def test_one_of_the_same_name_is_replaced_at_once(seeds: Path, elsewhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    adding.add(seeds, [elsewhere / "a.txt"])
    (elsewhere / "a.txt").write_text("baru")
    copy = shutil.copy2

    def slow(source: Path, target: Path) -> None:
        copy(source, target)
        assert (seeds / "a.txt").read_text() == "satu"
        assert found(seeds) == ["a.txt"]

    monkeypatch.setattr(shutil, "copy2", slow)
    adding.add(seeds, [elsewhere / "a.txt"])
    assert (seeds / "a.txt").read_text() == "baru"
    assert files(seeds) == ["a.txt"]


def test_a_copy_that_fails_leaves_the_old_file_and_nothing_else(
    seeds: Path, elsewhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    adding.add(seeds, [elsewhere / "a.txt"])

    def full(_: Path, target: Path) -> None:
        target.write_text("hal")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(shutil, "copy2", full)
    with pytest.raises(StorageError, match="disk is full"):
        adding.add(seeds, [elsewhere / "a.txt"])
    assert (seeds / "a.txt").read_text() == "satu"
    assert files(seeds) == ["a.txt"]


def test_what_lies_in_the_seeds_already_stays(seeds: Path, elsewhere: Path) -> None:
    adding.add(seeds, [elsewhere])
    assert adding.add(seeds, [seeds, seeds / "elsewhere", seeds / "elsewhere" / "a.txt"]) == []
    assert files(seeds) == ["elsewhere/a.txt", "elsewhere/deep/b.md"]


def test_what_lies_in_the_seeds_by_another_name_of_the_folder_stays(seeds: Path, elsewhere: Path, tmp_path: Path) -> None:
    adding.add(seeds, [elsewhere])
    (tmp_path / "link").symlink_to(tmp_path / "home")
    assert adding.add(seeds, [tmp_path / "link" / "seeds" / "elsewhere" / "a.txt"]) == []
    assert adding.add(tmp_path / "link" / "seeds", [seeds / "elsewhere"]) == []
    assert files(seeds) == ["elsewhere/a.txt", "elsewhere/deep/b.md"]


def test_a_folder_that_holds_the_seeds_is_refused(seeds: Path, elsewhere: Path) -> None:
    """Each run would copy the copies of the one before."""
    adding.add(seeds, [elsewhere])
    for folder in (seeds.parent, seeds.parent.parent, Path("/")):
        with pytest.raises(SeedError, match=r"holds .*seeds"):
            adding.add(seeds, [folder])
    assert files(seeds) == ["elsewhere/a.txt", "elsewhere/deep/b.md"]


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("lost.txt", "there is no"),
        ("deep/picture.png", "of no kind that is read"),
        (".hidden.txt", "hidden"),
        (".folder", "hidden"),
        ("pipe.txt", "is no file"),
        ("circle.txt", "there is no"),
    ],
)
def test_what_cannot_be_a_document_is_refused_and_nothing_is_copied(
    seeds: Path, elsewhere: Path, name: str, problem: str
) -> None:
    (elsewhere / ".folder").mkdir()
    (elsewhere / "circle.txt").symlink_to("circle.txt")
    os.mkfifo(elsewhere / "pipe.txt")
    with pytest.raises(SeedError, match=problem) as caught:
        adding.add(seeds, [elsewhere / "a.txt", elsewhere / name])
    assert caught.value.mend
    assert not seeds.exists()


def test_two_sources_of_one_name_are_refused(seeds: Path, elsewhere: Path) -> None:
    (elsewhere / "deep" / "a.txt").write_text("lain")
    with pytest.raises(SeedError, match=r"both become a\.txt"):
        adding.add(seeds, [elsewhere / "a.txt", elsewhere / "deep" / "a.txt"])
    assert adding.add(seeds, [elsewhere / "a.txt", elsewhere / "deep" / ".." / "a.txt"]) == ["a.txt"]


def test_a_source_that_may_not_be_read_is_told_as_such(seeds: Path, elsewhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(source: Path, _: Path) -> None:
        raise PermissionError(13, "Permission denied", str(source))

    monkeypatch.setattr(shutil, "copy2", refuse)
    with pytest.raises(SeedError, match=r"a\.txt cannot be read"):
        adding.add(seeds, [elsewhere / "a.txt"])


def test_a_file_where_the_seeds_should_be_is_told(seeds: Path, elsewhere: Path) -> None:
    seeds.parent.mkdir(parents=True)
    seeds.write_text("")
    with pytest.raises(StorageError):
        adding.add(seeds, [elsewhere / "a.txt"])
    with pytest.raises(StorageError):
        adding.add_bytes(seeds, b"satu", "a.txt")


def test_bytes_are_written_as_they_are(seeds: Path) -> None:
    raw = b"\xff\xfes\0a\0t\0u\0\r\0\n\0"
    assert adding.add_bytes(seeds, raw, "a.txt") == "a.txt"
    assert (seeds / "a.txt").read_bytes() == raw
    assert adding.add_bytes(seeds, b"dua", "a.txt") == "a.txt"
    assert (seeds / "a.txt").read_bytes() == b"dua"


def test_bytes_without_a_name_are_called_by_what_they_are(seeds: Path) -> None:
    names = [adding.add_bytes(seeds, raw, None) for raw in (b"satu", b"dua", b"satu")]
    assert names[0] == names[2] != names[1]
    assert found(seeds) == sorted(set(names))


@pytest.mark.parametrize(
    "name",
    [
        "a/b.txt",
        "../a.txt",
        "/a.txt",
        ".a.txt",
        "..",
        "a.exe",
        "a",
        "a.txt/",
        "a\0.txt",
        "a\n.txt",
        "\udcff.txt",
        "é" * 101 + ".txt",
    ],
)
def test_a_name_that_is_none_is_refused(seeds: Path, name: str) -> None:
    with pytest.raises(SeedError) as caught:
        adding.add_bytes(seeds, b"satu", name)
    assert caught.value.mend
    assert not seeds.exists()


def test_no_bytes_are_no_document(seeds: Path) -> None:
    with pytest.raises(SeedError, match="standard input is empty"):
        adding.add_bytes(seeds, b"", "a.txt")


def test_bytes_that_could_not_be_written_leave_nothing(seeds: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: Path, _: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(StorageError, match="disk is full"):
        adding.add_bytes(seeds, b"satu", "a.txt")
    assert files(seeds) == []
