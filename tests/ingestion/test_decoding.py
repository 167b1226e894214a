import codecs
import random
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rag.errors import SeedError
from rag.ingestion.decoding import decode

many = settings(deadline=None, max_examples=200)

INDONESIAN = (
    "Jenderal Bagheri berbicara dengan señor Núñez di kafé Müller pada hari Selasa, dan mengatakan “dunia masa depan adalah "
    "dunia yang berbeda” – harganya € 20 dan suhunya 30°. Angkatan bersenjata siap membela negara dari segala ancaman.\n"
)
FRENCH = (
    "Le chef d’état-major des forces armées iraniennes a déclaré que la République était prête à exporter ses équipements de "
    "défense vers des pays où elle coopère déjà.\n"
)
POLISH = (
    "Szef sztabu generalnego irańskich sił zbrojnych powiedział, że republika jest gotowa eksportować sprzęt obronny do "
    "zaprzyjaźnionych państw i dzielić się wiedzą.\n"
)
RUSSIAN = "Начальник штаба вооружённых сил Ирана заявил о готовности экспортировать оборонное оборудование.\n"
ARABIC = "قال رئيس أركان القوات المسلحة إن الجمهورية مستعدة لتصدير المعدات الدفاعية إلى الدول الصديقة.\n"
THAI = "เสนาธิการกองทัพอิหร่านกล่าวว่าสาธารณรัฐอิสลามพร้อมที่จะส่งออกอุปกรณ์ป้องกันประเทศ\n"
CHINESE = "伊朗武装部队参谋长表示，伊斯兰共和国准备向友好国家出口国防装备，并分享军事经验。\n"
LETTERS = st.text(st.characters(categories=["L"]), min_size=1)


@many
@given(LETTERS)
def test_letters_in_utf_8_come_back_exactly(text):
    assert decode(text.encode("utf-8")) == (text, "utf-8")


@many
@given(LETTERS, st.sampled_from(["utf-8-sig", "utf-16", "utf-32"]))
def test_letters_behind_a_byte_order_mark_come_back_exactly(text, encoding):
    assert decode(text.encode(encoding)) == (text, encoding)


@many
@given(LETTERS)
def test_letters_in_big_endian_utf_16_with_a_mark_come_back_exactly(text):
    assert decode(codecs.BOM_UTF16_BE + text.encode("utf-16-be")) == (text, "utf-16")


@many
@given(
    st.text(st.characters(codec="latin-1", categories=["L", "P", "Zs"]), min_size=2),
    st.sampled_from(["utf-16-le", "utf-16-be"]),
)
def test_latin_letters_in_utf_16_without_a_mark_come_back_exactly(text, encoding):
    if text.strip():
        assert decode(text.encode(encoding)) == (text, encoding)


@many
@given(st.binary(max_size=300))
def test_any_bytes_are_a_visible_text_or_a_seed_error(raw):
    try:
        text, encoding = decode(raw)
    except SeedError:
        return
    assert text.strip()
    assert raw.decode(encoding) == text


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-32"])
def test_line_ends_and_white_space_are_kept(encoding):
    text = "  satu\r\ndua\rtiga\n\n\tempat \n"
    assert decode(text.encode(encoding))[0] == text


def test_only_the_first_mark_is_left_out():
    assert decode("\ufeff\ufeffsatu".encode())[0] == "\ufeffsatu"


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        (INDONESIAN, "cp1252"),
        (INDONESIAN.translate({0x201C: '"', 0x201D: '"', 0x2013: "-", 0x20AC: "£"}), "latin-1"),
        (FRENCH, "cp1252"),
        (POLISH, "cp1250"),
        (RUSSIAN, "cp1251"),
        (RUSSIAN, "koi8-r"),
        (ARABIC, "cp1256"),
        (THAI, "cp874"),
        (CHINESE, "gb18030"),
        (CHINESE, "utf-16-le"),
    ],
)
def test_a_legacy_encoding_is_detected(text, encoding):
    assert decode((text * 3).encode(encoding))[0] == text * 3


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b" \r\n\t",
        b"\x00\x00",
        codecs.BOM_UTF8,
        codecs.BOM_UTF8 + b" \n",
        codecs.BOM_UTF16_LE,
        "\u3000".encode(),
        b"\xfe\xff\x00 ",
    ],
)
def test_a_file_of_nothing_is_called_empty(raw):
    with pytest.raises(SeedError, match="it is empty; write something"):
        decode(raw)


NOISE = random.Random(1).randbytes(3000)
BINARY = {
    "png": b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + NOISE,
    "pdf": b"%PDF-1.7\n1 0 obj\n<< /Type /Catalog >>\nendobj\n",
    "zip": b"PK\x03\x04\x14\x00" + NOISE,
    "jpeg": b"\xff\xd8\xff\xe0\x00\x10JFIF" + NOISE,
    "gzip": b"\x1f\x8b\x08" + NOISE,
    "rtf": b"{\\rtf1\\ansi kata}",
    "noise": NOISE,
    "zlib": zlib.compress(NOISE),
    "zeros among letters": b"kata\x00\x01\x02kata" * 50,
    "zeros": bytes(1000) + b"\x01",
}


@pytest.mark.parametrize("kind", BINARY)
def test_what_is_no_text_is_refused(kind):
    with pytest.raises(SeedError, match=r"it is not text.*; remove it from the seeds, or save it as plain text"):
        decode(BINARY[kind])


def test_a_stray_control_character_is_still_text():
    text = "kata " * 100 + "\x0c\x01"
    assert decode(text.encode()) == (text, "utf-8")


@pytest.mark.parametrize(
    "raw", [codecs.BOM_UTF8 + b"kata \xff", codecs.BOM_UTF16_LE + b"kat", codecs.BOM_UTF16_LE + b"\x00\xd8a\x00"]
)
def test_a_mark_that_lies_is_a_seed_error(raw):
    with pytest.raises(SeedError, match=r"it is not valid utf-.*; save it as UTF-8"):
        decode(raw)
