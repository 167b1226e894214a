"""Every format of the table: the words come out exactly, with their pages and the day that the document states."""

import hashlib

import pytest

from rag.errors import SeedError
from rag.ingestion import formats
from rag.ingestion.formats import FORMATS, Anchor, Extractor
from rag.ingestion.seeds_folder import Seed, parse
from rag.types import Document
from tests.ingestion import makers

SENTENCE = "Kucing Café itu “makan” ikan – tiap pagi."
OTHER = "Beras dibeli di pasar pada hari Senin."
TABLE = [["Nama lengkap", "Umur"], ["Ani Ayu", "12"], ["Budi", "34"]]
PUBLISHED = '<meta property="article:published_time" content="2024-05-06T23:08:09+07:00">'
MADE = {
    "a.pdf": makers.pdf([[SENTENCE, OTHER]]),
    "a.docx": makers.docx([SENTENCE, OTHER]),
    "a.pptx": makers.pptx([[SENTENCE], [OTHER]]),
    "a.xlsx": makers.xlsx({"Satu": [[SENTENCE, OTHER]]}),
    "a.odt": makers.odt([SENTENCE, OTHER]),
    "a.epub": makers.epub([[SENTENCE], [OTHER]]),
    "a.rtf": makers.rtf([SENTENCE, OTHER]),
    "a.html": makers.html([SENTENCE, OTHER], PUBLISHED),
    "a.eml": makers.eml([SENTENCE, OTHER]),
    "a.md": f"---\ntitle: Kabar\ndate: 2024-05-06\n---\n\n{SENTENCE}\n\n{OTHER}\n".encode(),
    "a.txt": f"{SENTENCE}\n{OTHER}\n".encode(),
    "a.csv": f"{SENTENCE};{OTHER}\n".encode(),
}
MEDIA_TYPES = {
    "a.pdf": "application/pdf",
    "a.docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    "a.pptx": "application/vnd.openxmlformats-officedocument.presentationml.presentation",
    "a.xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "a.odt": "application/vnd.oasis.opendocument.text",
    "a.epub": "application/epub+zip",
    "a.rtf": "application/rtf",
    "a.html": "text/html",
    "a.eml": "message/rfc822",
    "a.md": "text/markdown; charset=utf-8",
    "a.txt": "text/plain; charset=utf-8",
    "a.csv": "text/csv; charset=utf-8",
}
# Formats that state no day: the day of the file is the document's.
UNSTATED = {"a.txt", "a.csv"}


def test_every_row_has_a_file_that_is_read_here():
    assert {f".{path.rpartition('.')[2]}" for path in MADE} >= {row.suffixes[0] for row in FORMATS}


def test_a_suffix_and_a_media_type_belong_to_one_row():
    suffixes = [suffix for row in FORMATS for suffix in row.suffixes]
    assert len(set(suffixes)) == len(suffixes)
    assert all(suffix == suffix.lower() and suffix.startswith(".") for suffix in suffixes)
    assert len({row.media_type for row in FORMATS}) == len(FORMATS)


def test_every_row_but_text_says_how_its_bytes_are_recognised():
    for row in FORMATS:
        signs = [row.magic, row.member, row.mimetype, row.opening, row.named]
        assert any(signs) != (row.extractor is Extractor.TEXT)
        assert (row.extractor is Extractor.TEXT) == (row.anchor is Anchor.CHARACTERS)


@pytest.mark.parametrize("row", FORMATS, ids=lambda row: row.name)
def test_every_suffix_of_a_row_is_read_alike_in_any_case(row):
    raw = MADE[f"a{row.suffixes[0]}"]
    for suffix in row.suffixes:
        document = said(f"a{suffix.upper()}", raw)
        assert document.media_type.partition(";")[0] == row.media_type
        assert bool(document.pages) == (row.anchor in {Anchor.PAGE, Anchor.SLIDE, Anchor.SHEET})


@pytest.mark.parametrize("mark", formats.BINARY)
def test_a_text_never_begins_like_another_format(mark):
    assert formats.as_text(mark + b" teks", ".txt") is None
    assert formats.as_text(b" " + mark, ".txt") is formats.TEXT


def said(path: str, raw: bytes) -> Document:
    return parse(Seed(path, hashlib.sha256(raw).hexdigest(), "2026-01-01", raw))


@pytest.mark.parametrize("path", MADE)
def test_the_words_come_out_exactly_with_the_stated_day(path):
    document = said(path, MADE[path])
    assert SENTENCE in document.text
    assert OTHER in document.text
    assert (document.media_type, document.date) == (MEDIA_TYPES[path], "2026-01-01" if path in UNSTATED else "2024-05-06")


@pytest.mark.parametrize("path", MADE)
def test_the_same_bytes_give_the_same_document(path):
    assert said(path, MADE[path]) == said(path, MADE[path])


UNDATED = {
    "a.pdf": makers.pdf([[SENTENCE]], info=""),
    "b.pdf": makers.pdf([[SENTENCE]], info="/CreationDate (D:20249999)"),
    "a.docx": makers.docx([SENTENCE], created=""),
    "b.docx": makers.docx([SENTENCE], created="kemarin"),
    "a.xlsx": makers.xlsx({"Satu": [[SENTENCE]]}, created="2024-02-31T00:00:00Z"),
    "a.pptx": makers.pptx([[SENTENCE]], created="0000-00-00"),
    "a.odt": makers.odt([SENTENCE], created="x"),
    "a.epub": makers.epub([[SENTENCE]], date="2024"),
    "a.rtf": makers.rtf([SENTENCE], info=r"{\info{\creatim\yr0\mo0\dy0}}"),
    "a.html": makers.html([SENTENCE]),
    "a.eml": makers.eml([SENTENCE]).replace(b"Date: Mon, 06 May 2024", b"Date: Mon, 66 May"),
    "a.md": f"---\ndate: besok\n---\n{SENTENCE}".encode(),
    "a.csv": f"kalimat\n{SENTENCE}\n".encode(),
}


@pytest.mark.parametrize("path", UNDATED)
def test_without_a_valid_day_the_files_day_stands(path):
    document = said(path, UNDATED[path])
    assert document.date == "2026-01-01"
    assert SENTENCE in document.text


def test_a_pdf_names_the_page_of_every_word():
    pages = [[SENTENCE, "Satu é."], ["Halaman dua é."], [], ["Halaman empat."]]
    document = said("a.pdf", makers.pdf(pages))
    assert len(document.pages) == 4
    for words, page in [(SENTENCE, 1), ("Satu é.", 1), ("Halaman dua é.", 2), ("Halaman empat.", 4)]:
        start = document.text.index(words)
        assert document.page(start) == document.page(start + len(words) - 1) == page
    assert document.text[document.pages[1] :].startswith("Halaman dua é.")


def test_a_presentation_names_the_slide():
    document = said("a.pptx", makers.pptx([[SENTENCE], ["Tampilan dua é."], ["Tampilan tiga."]]))
    for number, words in enumerate([SENTENCE, "Tampilan dua é.", "Tampilan tiga."]):
        assert document.text[document.pages[number] :].startswith(words)


def test_a_workbook_names_the_sheet_and_keeps_its_cells_apart():
    document = said("a.xlsx", makers.xlsx({"Warga": TABLE, "Kosong": [], "Kata": [[SENTENCE]]}))
    assert "Nama lengkap\tUmur\nAni Ayu\t12\nBudi\t34" in document.text
    assert document.page(document.text.index("Budi")) == 1
    assert document.page(document.text.index(SENTENCE)) == 3


def test_cells_of_a_document_are_kept_apart():
    assert (
        said("a.docx", makers.docx([SENTENCE], table=TABLE)).text == f"{SENTENCE}\n\nNama lengkap\tUmur\nAni Ayu\t12\nBudi\t34"
    )


def test_words_around_a_tab_and_a_page_break_stay_two():
    body = 'Nama</w:t><w:tab/><w:t>Ani</w:t><w:br w:type="page"/><w:t>Baru'
    raw = makers.edited(makers.docx(["X"]), "word/document.xml", lambda part: part.replace(b">X<", f">{body}<".encode()))
    assert said("a.docx", raw).text == "Nama\tAni\nBaru"


SIGNS = "R&D \"q\" 'a' 1 < 2 > 0 #38 *b* _c_ \\d |e"
SIGNED = {
    "a.pdf": makers.pdf([[SIGNS]]),
    "a.docx": makers.docx([SIGNS], table=[[SIGNS, "b"]]),
    "a.pptx": makers.pptx([[SIGNS]]),
    "a.xlsx": makers.xlsx({"A": [[SIGNS]]}),
    "a.odt": makers.odt([SIGNS]),
    "a.epub": makers.epub([[SIGNS]]),
    "a.html": makers.html([SIGNS]),
    "a.eml": makers.eml([SIGNS]),
}


@pytest.mark.parametrize("path", SIGNED)
def test_signs_that_markup_uses_come_out_as_they_are(path):
    assert said(path, SIGNED[path]).text.count(SIGNS) == (2 if path == "a.docx" else 1)


def test_character_references_of_a_word_document_are_read():
    raw = makers.edited(
        makers.docx(["X"]), "word/document.xml", lambda part: part.replace(b">X<", b">caf&#233; A&#x26;B&#38;C<")
    )
    assert said("a.docx", raw).text == "café A&B&C"


def test_several_spaces_in_an_open_document_stay_a_space():
    raw = makers.edited(makers.odt(["X"]), "content.xml", lambda part: part.replace(b"X", b'dua<text:s text:c="3"/>tiga'))
    assert said("a.odt", raw).text == "dua tiga"


def test_a_csv_is_its_bytes():
    assert said("a.csv", b'nama;umur\r\n"Ani, Ayu";12\r\n').text == 'nama;umur\r\n"Ani, Ayu";12\r\n'


WRONGLY_NAMED = [
    ("a.docx", makers.pdf([[SENTENCE]]), "application/pdf"),
    ("a.txt", makers.docx([SENTENCE]), MEDIA_TYPES["a.docx"]),
    ("a.pdf", makers.html([SENTENCE]), "text/html"),
    ("a.pdf", makers.html([SENTENCE], charset="utf-16"), "text/html"),
    ("a.xlsx", makers.odt([SENTENCE]), MEDIA_TYPES["a.odt"]),
    ("a.md", makers.rtf([SENTENCE]), "application/rtf"),
]


@pytest.mark.parametrize(("path", "raw", "media_type"), WRONGLY_NAMED)
def test_a_wrongly_named_file_is_read_as_what_it_is(path, raw, media_type):
    document = said(path, raw)
    assert document.media_type == media_type
    assert SENTENCE in document.text


FOREIGN = [
    ("a.pdf", b"\x89PNG\r\n\x1a\n" + bytes(100), "it is a PNG image"),
    ("a.docx", b"\xff\xd8\xff\xe0" + bytes(100), "it is a JPEG image"),
    ("a.txt", b"\x1f\x8b\x08" + bytes(100), "it is a gzip archive"),
    ("a.pdf", b"Hanya teks.", "its content is not a PDF"),
    ("a.eml", b"Hanya teks.", "its content is not a mail"),
    ("a.docx", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), "it is an old Office file"),
    ("a.odt", makers.zipped({"mimetype": "application/vnd.oasis.opendocument.spreadsheet"}), "OpenDocument file other than"),
    ("a.epub", makers.zipped({"kata.txt": "kata"}), "it is a zip archive, and no document"),
]


@pytest.mark.parametrize(("path", "raw", "problem"), FOREIGN)
def test_what_cannot_be_read_is_named(path, raw, problem):
    with pytest.raises(SeedError) as caught:
        said(path, raw)
    assert caught.value.problem.startswith(f"{path}: ")
    assert problem in caught.value.problem
    assert caught.value.hint
