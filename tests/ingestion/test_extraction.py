"""The additions to kreuzberg: pages, tables, repaired characters, scans, and errors in our words. In this process."""

import html
import io
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.errors import SeedDamaged, SeedError, SeedLocked, SeedTooLarge
from rag.ingestion import extraction, formats
from rag.ingestion.extraction import Scan, extract, joined, repaired, restored, scans
from tests.ingestion import makers

SENTENCE = "Kucing Café itu “makan” ikan – tiap pagi."
TABLE = [["Nama lengkap", "Umur"], ["Ani Ayu", "12"]]


@pytest.fixture(autouse=True)
def own_folder(tmp_path, monkeypatch):
    """Where kreuzberg unpacks its PDF library, as in the child: it removes it nowhere."""
    for name in ("TMPDIR", "HOME", "KREUZBERG_CACHE_DIR"):
        monkeypatch.setenv(name, str(tmp_path))


def never() -> None:
    pytest.fail("no page of this file takes long")


@pytest.mark.parametrize(
    ("raw", "row", "text", "pages"),
    [
        (makers.pdf([[SENTENCE], [], ["Tiga."]]), formats.PDF, f"{SENTENCE}\n\n\n\nTiga.", (0, 43, 45)),
        (makers.pptx([[SENTENCE], ["Dua."]]), formats.PPTX, f"{SENTENCE}\n\nDua.", (0, 43)),
        (makers.xlsx({"A": TABLE, "B": [["x"]]}), formats.XLSX, "A\n\nNama lengkap\tUmur\nAni Ayu\t12\n\nB\n\nx", (0, 33)),
        (makers.docx([SENTENCE], table=TABLE), formats.DOCX, f"{SENTENCE}\n\nNama lengkap\tUmur\nAni Ayu\t12", ()),
        (makers.odt([SENTENCE]), formats.ODT, SENTENCE, ()),
        (makers.rtf([SENTENCE]), formats.RTF, SENTENCE, ()),
    ],
    ids=["pdf", "pptx", "xlsx", "docx", "odt", "rtf"],
)
def test_a_file_gives_its_text_its_pages_and_its_day(raw, row, text, pages):
    read = extract(raw, row, never)
    assert (read.text, read.pages) == (text, pages)
    assert read.date == "2024-05-06"


@given(st.lists(st.text()))
def test_each_page_begins_where_it_is_said_to(parts):
    text, starts = joined(parts)
    assert len(starts) == len(parts)
    for part, start in zip(parts, starts, strict=True):
        assert text[start : start + len(part)] == part


@pytest.mark.parametrize(
    ("message", "kind", "words"),
    [
        ("PDF error: Password required", SeedLocked, "it is locked with a password"),
        ("Security: size limit exceeded: 200 MB", SeedTooLarge, "its unpacked size exceeds the limit (200 MB); split it"),
        (
            "Parsing error: zip: no end of directory",
            SeedDamaged,
            "it is damaged (no end of directory); get it or save it again",
        ),
    ],
)
def test_a_message_of_kreuzberg_is_an_error_of_ours(message, kind, words):
    error = extraction._translated(message)
    assert type(error) is kind
    assert str(error).startswith(words)


def test_a_damaged_archive_is_refused_before_kreuzberg_sees_it():
    with pytest.raises(SeedDamaged, match="it is cut off or damaged"):
        extract(makers.docx([SENTENCE])[:-30], formats.DOCX, never)


@given(st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"])))
def test_a_repaired_word_document_is_restored_to_its_characters(words):
    """The markup that kreuzberg would drop is gone, and the text comes back as it was."""
    raw = makers.edited(makers.docx(["X"]), "word/document.xml", lambda part: part.replace(b"X", html.escape(words).encode()))
    with zipfile.ZipFile(io.BytesIO(repaired(raw))) as archive:
        part = archive.read("word/document.xml").decode()
    assert not extraction._REFERENCE.search(part.encode())
    assert words in restored(part)


def test_a_repair_changes_no_other_member():
    raw = makers.docx([SENTENCE, "R&D"])
    with zipfile.ZipFile(io.BytesIO(raw)) as before, zipfile.ZipFile(io.BytesIO(repaired(raw))) as after:
        assert before.namelist() == after.namelist()
        changed = [name for name in before.namelist() if before.read(name) != after.read(name)]
    assert changed == ["word/document.xml"]


@pytest.fixture
def languages(tmp_path, monkeypatch):
    for name in ["ind", "osd", "eng"]:
        (tmp_path / f"{name}.traineddata").touch()
    monkeypatch.setenv("TESSDATA_PREFIX", str(tmp_path))


@pytest.mark.usefixtures("languages")
def test_every_page_is_read_in_the_languages_that_are_installed():
    beats: list[int] = []
    assert list(scans(2, lambda: beats.append(1))) == [Scan(1, "eng+ind"), Scan(2, "eng+ind")]
    assert len(beats) == 2


@pytest.mark.usefixtures("languages")
def test_too_many_pages_are_refused():
    with pytest.raises(SeedError, match="it has 501 scanned pages without text, more than the 500 that are read; split it"):
        list(scans(501, lambda: None))


def test_without_languages_the_extra_is_named(monkeypatch, tmp_path):
    monkeypatch.setenv("TESSDATA_PREFIX", str(tmp_path))
    with pytest.raises(SeedError, match="it has 1 scanned page without text; install the extra `ocr`"):
        list(scans(1, lambda: None))


def test_of_several_folders_the_one_with_the_most_languages_is_used(monkeypatch, tmp_path):
    monkeypatch.delenv("TESSDATA_PREFIX", raising=False)
    folders = [tmp_path / "one", tmp_path / "two", tmp_path / "none"]
    for folder, names in zip(folders, [["eng", "osd", "equ"], ["eng", "ind"], []], strict=True):
        folder.mkdir()
        for name in names:
            (folder / f"{name}.traineddata").touch()
    monkeypatch.setattr(extraction, "_FOLDERS", tuple(map(str, folders)))
    monkeypatch.setenv("TESSDATA_PREFIX", "")  # restored after the test: `_languages` sets it
    assert [scan.languages for scan in scans(1, lambda: None)] == ["eng+ind"]
