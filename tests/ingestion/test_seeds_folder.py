import hashlib
import os
import re
import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.errors import SeedError, StorageError
from rag.ingestion import seeds_folder
from rag.ingestion import seeds_folder as documents
from rag.ingestion.seeds_folder import Seed, document_id, find, parse, read, stamp
from tests.conftest import ROOT, SEED


@pytest.fixture
def seeds(tmp_path):
    folder = tmp_path / "seeds"
    folder.mkdir()
    return folder


@pytest.fixture
def nobody():
    """Not root, to whom every file is open."""
    if os.geteuid():
        yield
        return
    os.seteuid(65534)
    yield
    os.seteuid(0)


def put(folder: Path, path: str, content: str = "Isi berkas.") -> Path:
    file = folder / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(content, "utf-8")
    return file


def refusal(folder: Path, path: str) -> SeedError:
    with pytest.raises(SeedError) as caught:
        read(folder, path)
    assert path in caught.value.problem
    assert str(caught.value).endswith(caught.value.hint)
    return caught.value


def test_documents_are_found_in_all_folders_and_sorted(seeds):
    for path in ["z.txt", "b/a.md", "B.TXT", "a/c/d.markdown", "a.text", "dua kata.txt"]:
        put(seeds, path)
    assert list(find(seeds).paths) == ["B.TXT", "a.text", "a/c/d.markdown", "b/a.md", "dua kata.txt", "z.txt"]


def test_hidden_files_and_other_kinds_are_passed_over(seeds):
    for path in [".hidden.txt", ".git/a.txt", "a/.b/c.txt", "a.png", "txt", "a.txt.bak", "folder.txt/gambar.png", "ada.txt"]:
        put(seeds, path)
    assert list(find(seeds).paths) == ["ada.txt"]


def test_linked_folders_are_not_entered(seeds):
    put(seeds, "a/satu.txt")
    (seeds / "a" / "up").symlink_to(seeds)
    assert list(find(seeds).paths) == ["a/satu.txt"]


def test_an_empty_folder_has_no_documents(seeds):
    assert list(find(seeds).paths) == []


@pytest.mark.parametrize(
    "make", [lambda path: None, lambda path: path.write_text("x"), lambda path: path.symlink_to("nowhere")]
)
def test_what_is_no_folder_is_a_seed_error_that_says_what_to_make(tmp_path, make):
    make(tmp_path / "seeds")
    with pytest.raises(SeedError, match=f"there is no folder {tmp_path / 'seeds'}; make it and put documents in"):
        find(tmp_path / "seeds")


@pytest.mark.usefixtures("nobody")
def test_a_folder_that_may_not_be_listed_is_told_and_the_others_are_found(seeds_closed):
    listing = find(seeds_closed)
    assert listing.paths == ("rahasia.txt",)
    (closed,) = listing.closed
    failure = closed.error
    assert re.search(r"tertutup cannot be listed .*; get read permission", str(failure))


@pytest.mark.usefixtures("nobody")
def test_seeds_that_may_not_be_listed_are_a_seed_error(seeds_closed):
    with pytest.raises(SeedError, match=r"tertutup cannot be listed .*; get read permission"):
        find(seeds_closed / "tertutup")


@pytest.mark.usefixtures("nobody")
def test_a_folder_below_one_that_may_not_be_entered_is_a_seed_error(seeds_closed):
    with pytest.raises(SeedError, match="there is no folder"):
        find(seeds_closed / "tertutup" / "dalam")


@pytest.mark.usefixtures("nobody")
def test_a_file_that_may_not_be_read_is_a_seed_error(seeds_closed):
    assert "get read permission" in refusal(seeds_closed, "rahasia.txt").hint


@pytest.fixture
def seeds_closed(tmp_path_factory):
    """Seeds with a closed folder and a closed file, where nobody can come: pytest's own folders are root's alone."""
    folder = Path(tempfile.mkdtemp(prefix="rag-seeds-"))
    put(folder, "rahasia.txt").chmod(0)
    put(folder, "tertutup/dalam/a.txt")
    (folder / "tertutup").chmod(0)
    folder.chmod(0o755)
    yield folder
    (folder / "tertutup").chmod(0o700)
    shutil.rmtree(folder)


def test_reading_gives_the_bytes_and_their_digest(seeds):
    raw = put(seeds, "a/satu.txt", "Isi\r\nberkas 😀").read_bytes()
    os.utime(seeds / "a/satu.txt", (1_790_000_000, 1_790_000_000))
    assert read(seeds, "a/satu.txt") == Seed("a/satu.txt", hashlib.sha256(raw).hexdigest(), "2026-09-21", raw)


def test_a_link_inside_the_folder_is_read(seeds):
    put(seeds, "asli.txt", "Isi asli.")
    (seeds / "tautan.txt").symlink_to("asli.txt")
    assert read(seeds, "tautan.txt").raw == b"Isi asli."


def test_a_folder_that_is_itself_a_link_is_read(seeds, tmp_path):
    put(seeds, "satu.txt")
    (tmp_path / "link").symlink_to(seeds)
    assert find(tmp_path / "link").paths == ("satu.txt",)
    assert read(tmp_path / "link", "satu.txt").raw == b"Isi berkas."


def test_a_link_to_a_place_outside_is_refused(seeds, tmp_path):
    put(tmp_path, "luar.txt")
    (seeds / "tautan.txt").symlink_to(tmp_path / "luar.txt")
    error = refusal(seeds, "tautan.txt")
    assert "is a link to a place outside" in error.problem
    assert error.hint == "copy the file itself into the seeds"


def test_a_path_that_climbs_out_is_refused(seeds, tmp_path):
    put(tmp_path, "luar.txt")
    refusal(seeds, "../luar.txt")


def test_a_link_to_nowhere_a_circle_and_a_lost_file_are_refused(seeds):
    (seeds / "putus.txt").symlink_to("tiada.txt")
    (seeds / "lingkar.txt").symlink_to("lingkar.txt")
    assert list(find(seeds).paths) == ["lingkar.txt", "putus.txt"]
    for path in ["lingkar.txt", "putus.txt", "tiada.txt"]:
        assert "cannot be read" in refusal(seeds, path).problem


def test_a_pipe_is_refused_and_not_waited_for(seeds):
    os.mkfifo(seeds / "pipa.txt")
    assert refusal(seeds, "pipa.txt").problem == "pipa.txt is not a file"


def test_a_file_too_large_to_show_is_refused_unread(seeds):
    file = put(seeds, "besar.txt")
    os.truncate(file, 100_000_001)
    assert refusal(seeds, "besar.txt").problem == "besar.txt is larger than 100 MB"


def test_a_stamp_is_the_same_until_the_file_is_written(seeds):
    file = put(seeds, "satu.txt")
    first = stamp(seeds, "satu.txt")
    assert first == stamp(seeds, "satu.txt")
    assert (first.size, first.inode) == (file.stat().st_size, file.stat().st_ino)
    file.write_text("Isi lain.")
    assert stamp(seeds, "satu.txt") != first


def test_a_stamp_is_refused_where_reading_would_be(seeds, tmp_path):
    os.truncate(put(seeds, "besar.pdf"), 500_000_000)
    put(tmp_path, "luar.pdf")
    (seeds / "tautan.pdf").symlink_to(tmp_path / "luar.pdf")
    for path in ["besar.pdf", "tautan.pdf", "tiada.pdf"]:
        with pytest.raises(SeedError) as caught:
            stamp(seeds, path)
        assert str(caught.value) == str(refusal(seeds, path))


def test_the_seed_is_parsed_to_its_whole_text():
    document = parse(read(ROOT / "seeds", SEED))
    raw = (ROOT / "seeds" / SEED).read_bytes()
    assert document.text == raw.decode("utf-8")
    assert (document.path, document.media_type, document.language) == (SEED, "text/plain; charset=utf-8", "id")
    assert document.sha256 == hashlib.sha256(raw).hexdigest()
    assert document.id == document_id(SEED)


def test_the_error_of_an_unreadable_document_names_it_and_ends_with_a_mend(seeds):
    put(seeds, "a/kosong.txt", " \n")
    with pytest.raises(SeedError) as caught:
        parse(read(seeds, "a/kosong.txt"))
    assert str(caught.value) == "a/kosong.txt: it is empty; write something into it, or remove it from the seeds"


def test_document_id_is_the_same_today_and_tomorrow():
    assert document_id("a/satu.txt") == hashlib.sha256(b"a/satu.txt").hexdigest()[:12]


@given(st.lists(st.text(min_size=1), unique=True, min_size=2))
def test_other_paths_have_other_ids(paths):
    def encodable(path: str) -> bool:
        return not any("\ud800" <= c <= "\udfff" for c in path)

    paths = [path for path in paths if encodable(path)]
    assert len({document_id(path) for path in paths}) == len(paths)


def test_a_file_name_that_is_not_utf_8_has_an_id():
    assert document_id(os.fsdecode(b"ber\xffkas.txt")) == hashlib.sha256(b"ber\xffkas.txt").hexdigest()[:12]


def test_a_name_that_is_no_utf8_is_told(tmp_path: Path) -> None:
    (tmp_path / os.fsdecode(b"caf\xe9.txt")).write_text("Kucing makan ikan.")
    (path,) = find(tmp_path).paths
    with pytest.raises(SeedError, match="cannot be shown; give the file another name"):
        read(tmp_path, path)


@pytest.fixture
def target(tmp_path: Path) -> Path:
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


def found(target: Path) -> list[str]:
    return list(documents.find(target).paths)


def files(target: Path) -> list[str]:
    return sorted(str(path.relative_to(target)) for path in target.rglob("*") if path.is_file())


def test_a_file_is_copied_under_its_name(target: Path, elsewhere: Path) -> None:
    assert seeds_folder.add(target, [elsewhere / "a.txt"]) == ["a.txt"]
    assert (target / "a.txt").read_text() == "satu"
    assert (target / "a.txt").stat().st_mtime_ns == (elsewhere / "a.txt").stat().st_mtime_ns


def test_a_folder_keeps_its_name_and_shape(target: Path, elsewhere: Path) -> None:
    assert seeds_folder.add(target, [elsewhere]) == ["elsewhere/a.txt", "elsewhere/deep/b.md"]
    assert files(target) == found(target) == ["elsewhere/a.txt", "elsewhere/deep/b.md"]


def test_a_folder_may_be_named_with_dots_and_slashes(target: Path, elsewhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(elsewhere / "deep")
    assert seeds_folder.add(target, [Path()]) == ["deep/b.md"]
    assert seeds_folder.add(target, [Path("../deep/../a.txt")]) == ["a.txt"]


def test_one_of_the_same_name_is_replaced_at_once(target: Path, elsewhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seeds_folder.add(target, [elsewhere / "a.txt"])
    (elsewhere / "a.txt").write_text("baru")
    copy = shutil.copy2

    def slow(source: Path, new: Path) -> None:
        copy(source, new)
        assert (target / "a.txt").read_text() == "satu"
        assert found(target) == ["a.txt"]

    monkeypatch.setattr(shutil, "copy2", slow)
    seeds_folder.add(target, [elsewhere / "a.txt"])
    assert (target / "a.txt").read_text() == "baru"
    assert files(target) == ["a.txt"]


def test_a_copy_that_fails_leaves_the_old_file_and_nothing_else(
    target: Path, elsewhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seeds_folder.add(target, [elsewhere / "a.txt"])

    def full(_: Path, new: Path) -> None:
        new.write_text("hal")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(shutil, "copy2", full)
    with pytest.raises(StorageError, match="disk is full"):
        seeds_folder.add(target, [elsewhere / "a.txt"])
    assert (target / "a.txt").read_text() == "satu"
    assert files(target) == ["a.txt"]


def test_what_lies_in_the_seeds_already_stays(target: Path, elsewhere: Path) -> None:
    seeds_folder.add(target, [elsewhere])
    assert seeds_folder.add(target, [target, target / "elsewhere", target / "elsewhere" / "a.txt"]) == []
    assert files(target) == ["elsewhere/a.txt", "elsewhere/deep/b.md"]


def test_what_lies_in_the_seeds_by_another_name_of_the_folder_stays(target: Path, elsewhere: Path, tmp_path: Path) -> None:
    seeds_folder.add(target, [elsewhere])
    (tmp_path / "link").symlink_to(tmp_path / "home")
    assert seeds_folder.add(target, [tmp_path / "link" / "seeds" / "elsewhere" / "a.txt"]) == []
    assert seeds_folder.add(tmp_path / "link" / "seeds", [target / "elsewhere"]) == []
    assert files(target) == ["elsewhere/a.txt", "elsewhere/deep/b.md"]


def test_a_folder_that_holds_the_seeds_is_refused(target: Path, elsewhere: Path) -> None:
    """Each run would copy the copies of the one before."""
    seeds_folder.add(target, [elsewhere])
    for folder in (target.parent, target.parent.parent, Path("/")):
        with pytest.raises(SeedError, match=r"contains the seeds folder .*seeds"):
            seeds_folder.add(target, [folder])
    assert files(target) == ["elsewhere/a.txt", "elsewhere/deep/b.md"]


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("lost.txt", "there is no"),
        ("deep/picture.png", "the type of picture.png is not supported"),
        (".hidden.txt", "hidden"),
        (".folder", "hidden"),
        ("pipe.txt", "is not a file"),
        ("circle.txt", "there is no"),
    ],
)
def test_what_cannot_be_a_document_is_refused_and_nothing_is_copied(
    target: Path, elsewhere: Path, name: str, problem: str
) -> None:
    (elsewhere / ".folder").mkdir()
    (elsewhere / "circle.txt").symlink_to("circle.txt")
    os.mkfifo(elsewhere / "pipe.txt")
    with pytest.raises(SeedError, match=problem) as caught:
        seeds_folder.add(target, [elsewhere / "a.txt", elsewhere / name])
    assert caught.value.hint
    assert not target.exists()


def test_two_sources_of_one_name_are_refused(target: Path, elsewhere: Path) -> None:
    (elsewhere / "deep" / "a.txt").write_text("lain")
    with pytest.raises(SeedError, match=r"both become a\.txt"):
        seeds_folder.add(target, [elsewhere / "a.txt", elsewhere / "deep" / "a.txt"])
    assert seeds_folder.add(target, [elsewhere / "a.txt", elsewhere / "deep" / ".." / "a.txt"]) == ["a.txt"]


def test_a_source_that_may_not_be_read_is_told_as_such(target: Path, elsewhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(source: Path, _: Path) -> None:
        raise PermissionError(13, "Permission denied", str(source))

    monkeypatch.setattr(shutil, "copy2", refuse)
    with pytest.raises(SeedError, match=r"a\.txt cannot be read"):
        seeds_folder.add(target, [elsewhere / "a.txt"])


def test_a_file_where_the_seeds_should_be_is_told(target: Path, elsewhere: Path) -> None:
    target.parent.mkdir(parents=True)
    target.write_text("")
    with pytest.raises(StorageError):
        seeds_folder.add(target, [elsewhere / "a.txt"])
    with pytest.raises(StorageError):
        seeds_folder.add_bytes(target, b"satu", "a.txt")


def test_bytes_are_written_as_they_are(target: Path) -> None:
    raw = b"\xff\xfes\0a\0t\0u\0\r\0\n\0"
    assert seeds_folder.add_bytes(target, raw, "a.txt") == "a.txt"
    assert (target / "a.txt").read_bytes() == raw
    assert seeds_folder.add_bytes(target, b"dua", "a.txt") == "a.txt"
    assert (target / "a.txt").read_bytes() == b"dua"


def test_bytes_without_a_name_are_called_by_what_they_are(target: Path) -> None:
    names = [seeds_folder.add_bytes(target, raw, None) for raw in (b"satu", b"dua", b"satu")]
    assert names[0] == names[2] != names[1]
    assert found(target) == sorted(set(names))


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
def test_a_name_that_is_none_is_refused(target: Path, name: str) -> None:
    with pytest.raises(SeedError) as caught:
        seeds_folder.add_bytes(target, b"satu", name)
    assert caught.value.hint
    assert not target.exists()


def test_no_bytes_are_no_document(target: Path) -> None:
    with pytest.raises(SeedError, match="standard input is empty"):
        seeds_folder.add_bytes(target, b"", "a.txt")


def test_bytes_that_could_not_be_written_leave_nothing(target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: Path, _: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(StorageError, match="disk is full"):
        seeds_folder.add_bytes(target, b"satu", "a.txt")
    assert files(target) == []


@pytest.fixture
def filled(tmp_path: Path) -> Path:
    folder = tmp_path / "seeds"
    (folder / "berita").mkdir(parents=True)
    (folder / "berita" / "a.txt").write_text("satu")
    (tmp_path / "outside.txt").write_text("dua")
    return folder


def test_a_file_is_removed_and_once_more_is_no_error(filled: Path) -> None:
    seeds_folder.remove(filled, "berita/a.txt")
    seeds_folder.remove(filled, "berita/a.txt")
    seeds_folder.remove(filled, "nowhere/a.txt")
    assert list((filled / "berita").iterdir()) == []


@pytest.mark.parametrize("path", ["../outside.txt", "berita/../../outside.txt", "link/outside.txt", "{outside}"])
def test_nothing_outside_is_removed(filled: Path, path: str) -> None:
    outside = filled.parent / "outside.txt"
    (filled / "link").symlink_to(filled.parent)
    with pytest.raises(SeedError, match="is not in the seeds folder"):
        seeds_folder.remove(filled, path.format(outside=outside))
    assert outside.exists()


def test_a_link_goes_and_what_it_leads_to_stays(filled: Path) -> None:
    (filled / "link.txt").symlink_to(filled.parent / "outside.txt")
    seeds_folder.remove(filled, "link.txt")
    assert not (filled / "link.txt").is_symlink()
    assert (filled.parent / "outside.txt").exists()


def test_a_folder_is_no_document(filled: Path) -> None:
    with pytest.raises(StorageError):
        seeds_folder.remove(filled, "berita")
    assert (filled / "berita" / "a.txt").exists()
