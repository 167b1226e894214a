import unicodedata
from itertools import pairwise

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from rag.text import breaks, is_ended, normalise, paragraphs, sentences, stems, trimmed, visible, words
from rag.types import Span

LANGUAGES = st.sampled_from(["id", "en", "th", "zh", "ar", "und", "xx"])
# Pieces that cut and join sentences, so that random texts meet the rules; and any character at all, halves of pairs included.
ENDS = st.sampled_from(
    ["Dr. ", "No. ", "5. ", "A. ", "(1) ", "Kata ", "kata ", ". ", "? ", "dll. ", "”", "“", "中文。", "คำไทย", "x" * 60]
)
MARKS = st.sampled_from(
    ["\n", "\n\n", "\r\n", "\r", "\t", "\u2028", "\x00", "\x1c", "\u200b", "\u202e", "\u0301", "😀", "\ud83d", "\ude00"]
)
TEXTS = st.lists(ENDS | MARKS | st.text(max_size=5) | st.characters(), max_size=30).map("".join)

INVISIBLE = set("\u00ad\u200b\u200c\u200d\u200e\u200f\u202a\u202e\u2060\u2066\u2069\ufeff\x00\x1f\x7f\x85\ud83d")

many = settings(deadline=None, max_examples=200)


def split(text: str, language: str = "id") -> list[str]:
    return [text[span.start : span.end] for span in sentences(text, language)]


def solid(text: str) -> str:
    return "".join(text.split())


@many
@given(TEXTS, LANGUAGES)
@example("a\ud83d b. \ude00C", "en")
@example("Satu.\x00 Dua.", "id")
def test_sentences_are_ordered_trimmed_ranges_that_hold_every_visible_character(text, language):
    spans = sentences(text, language)
    edge = 0
    for span in spans:
        assert edge <= span.start < span.end <= len(text)
        assert text[span.start : span.end] == text[span.start : span.end].strip()
        assert not text[edge : span.start].strip()
        edge = span.end
    assert not text[edge:].strip()


@many
@given(TEXTS)
def test_paragraphs_are_ordered_trimmed_ranges_that_hold_every_visible_character(text):
    spans = paragraphs(text)
    assert solid("".join(text[span.start : span.end] for span in spans)) == solid(text)
    assert all(before.end < after.start for before, after in pairwise(spans))


@many
@given(TEXTS, LANGUAGES)
def test_no_sentence_crosses_a_paragraph(text, language):
    blocks = paragraphs(text)
    assert all(any(block.start <= s.start and s.end <= block.end for block in blocks) for s in sentences(text, language))


@many
@given(TEXTS, LANGUAGES)
def test_breaks_ascend_and_end_with_the_text(text, language):
    places = breaks(text, language)
    assert places == sorted(set(places))
    assert places[-1:] == ([len(text)] if text else [])


@many
@given(TEXTS)
@example("e\u200b\u0301")
def test_normalise_changes_nothing_the_second_time(text):
    once = normalise(text)
    assert normalise(once) == once
    assert unicodedata.is_normalized("NFC", once)
    assert once == " ".join(once.split())


@many
@given(TEXTS)
@example("\u00ad")
@example("a\u200b\x00\ud83db\n")
def test_what_is_visible_is_the_text_itself_without_what_nobody_sees(text):
    copy, places = visible(text)
    assert len(copy) == len(places)
    assert list(places) == sorted(set(places))
    for character, place in zip(copy, places, strict=True):
        control = unicodedata.category(text[place]) in {"Cc", "Cs"} and text[place] not in "\t\n\r"
        assert character == (" " if control else text[place])
    # Nothing is left out but what `normalise` leaves out too, and nothing of that is left.
    assert normalise(copy) == normalise(text)
    assert all(normalise(text[i]) == "" for i in set(range(len(text))) - set(places))
    assert not INVISIBLE & set(copy)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a\u202ebc\u202c", "abc"),
        ("\u2066kata\u2069", "kata"),
        ("\ufeffkata\u200b kunci\u00ad", "kata kunci"),
        ("e\u0301", "é"),
        ("e\u200b\u0301", "é"),
        ("  satu \r\n\t dua  ", "satu dua"),
        ("satu\x00dua\x9ftiga", "satu dua tiga"),
        ("satu\ud83ddua", "satu dua"),
        ("😀", "😀"),
        ("\u200b\u202e", ""),
    ],
)
def test_normalise_keeps_what_can_be_read(text, expected):
    assert normalise(text) == expected


def test_emoji_do_not_shift_offsets():
    assert split("Halo 😀👍. Apa kabar? 🎉 Baik.") == ["Halo 😀👍.", "Apa kabar?", "🎉 Baik."]


@pytest.mark.parametrize(
    "text",
    [
        "Menurut Dr. Budi hal itu benar.",
        "Rumahnya di Jl. Merdeka yang ramai.",
        "Peraturan No. 5 tahun ini berlaku.",
        "Buku oleh H. B. Jassin itu tua.",
        "Prof. Dr. H. Ahmad datang.",
        "Ayat dll. 5 tetap berlaku.",
        "“Apa itu?” tanyanya.",
        "He asked “Why?” and left.",
        "Nilainya 3.14 atau 2,5.",
    ],
)
def test_a_sentence_is_not_cut_inside(text):
    assert split(text) == [text]


@pytest.mark.parametrize("text", ["ก่อตั้งเมื่อวันที่ 21 เมษายน พ.ศ. 2325 โดยพระมหากษัตริย์", "เขาเกิด ค.ศ. 1990 ที่บ้าน"])
def test_a_date_is_not_cut_where_a_script_has_no_capitals(text):
    assert [text[span.start : span.end] for span in sentences(text, "th")] == [text]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Ia membeli buku, pena, dll. Lalu ia pulang.", ["Ia membeli buku, pena, dll.", "Lalu ia pulang."]),
        ("Jawabnya no. Mereka pergi.", ["Jawabnya no.", "Mereka pergi."]),
        ("“Pergilah.” Ia diam.", ["“Pergilah.”", "Ia diam."]),
        ("Satu! Dua? “Tiga!” Empat.", ["Satu!", "Dua?", "“Tiga!”", "Empat."]),
        ("1. Pasal pertama. 2. Pasal kedua.", ["1. Pasal pertama.", "2. Pasal kedua."]),
    ],
)
def test_a_sentence_ends_where_people_end_it(text, expected):
    assert split(text) == expected


def test_a_long_last_word_that_ends_like_an_abbreviation_still_ends_the_sentence():
    long = "a" * 40 + "dr"
    assert split(f"{long}. Selesai.") == [f"{long}.", "Selesai."]


def test_an_abbreviation_before_many_spaces_joins():
    text = "Menurut Dr." + " " * 50 + "Budi benar."
    assert split(text) == [text]


WRAPPED = "Kepala staf angkatan bersenjata mengatakan bahwa negara itu"


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r", "\u2028"])
def test_wrapped_lines_are_one_sentence_and_offsets_hold(end):
    text = f"{WRAPPED}{end}siap mengekspor. Itu saja."
    assert split(text) == [f"{WRAPPED}{end}siap mengekspor.", "Itu saja."]


def test_a_long_line_without_an_end_goes_on_with_a_capital():
    text = f"{WRAPPED}\nIran siap."
    assert split(text) == [text]


@pytest.mark.parametrize(
    "text", ["Judul Berita\nIran siap.", f"{WRAPPED}.\nIran siap.", f"{WRAPPED}\n\nIran siap.", f"{WRAPPED}\n- Iran siap."]
)
def test_titles_ended_lines_blank_lines_and_lists_divide(text):
    assert len(paragraphs(text)) == len(split(text)) == 2


def test_chinese_sentences_end_without_spaces():
    assert split("这是第一句。这是第二句！真的吗？", "zh") == ["这是第一句。", "这是第二句！", "真的吗？"]


def test_thai_paragraphs_divide_sentences():
    assert split("ประเทศไทยมีเมืองหลวง\n\nกรุงเทพฯ เป็นเมืองใหญ่", "th") == ["ประเทศไทยมีเมืองหลวง", "กรุงเทพฯ เป็นเมืองใหญ่"]


@pytest.mark.parametrize(
    ("text", "language", "expected"),
    [
        ("ประเทศไทยมีเมืองหลวง", "th", ["ประเทศไทย", "มี", "เมือง", "หลวง"]),
        ("我们爱北京", "zh", ["我们", "爱", "北京"]),
        ("Pasal 27, Ayat (2): HAK-nya!", "id", ["pasal", "27", "ayat", "2", "hak", "nya"]),
        ("Straße 😀 \ud83d", "de", ["strasse"]),
        ("… ?! —", "id", []),
    ],
)
def test_words_are_those_of_the_script(text, language, expected):
    assert words(text, language) == expected


def test_a_line_may_break_after_a_space_but_not_inside_a_word():
    assert breaks("satu dua", "id") == [5, 8]


def test_trimmed_gives_the_inner_range_or_none():
    assert trimmed("a  kata \n b", 1, 9) == Span(3, 7)
    assert trimmed("a   b", 1, 4) is None


@pytest.mark.parametrize(
    "text", ["Dr. " * 250_000, "A. " * 300_000, f"{WRAPPED}\n" * 17_000, "Kata. " * 160_000, "a" * 999_990 + ". Ya."]
)
def test_a_megabyte_of_any_shape_is_cut_whole(text):
    spans = sentences(text, "id")
    assert (spans[0].start, spans[-1].end) == (0, len(text.rstrip()))


@pytest.mark.parametrize(
    ("language", "forms", "stem"),
    [
        ("id", ["membeli", "dibeli", "belinya", "pembelian"], "beli"),
        ("ms", ["membeli", "dibeli"], "beli"),
        ("en", ["connected", "connection", "connecting"], "connect"),
    ],
)
def test_stems_join_the_forms_of_a_word(language: str, forms: list[str], stem: str) -> None:
    assert set(stems(forms, language)) == {stem}


@pytest.mark.parametrize("language", ["th", "zh", "und", "xx"])
def test_words_of_a_language_without_rules_are_their_own_stems(language: str) -> None:
    assert stems(["membeli", "ราคา"], language) == ["membeli", "ราคา"]


@pytest.mark.parametrize(
    "sentence",
    [
        "Harga naik.",
        "Harga naik!”",
        "Naik?",
        "Pada 2020.",
        "価格が上がった。",
        "هل ارتفع؟",
        "कीमत बढ़ी।",
        "dan lain-lain, dll.",
        "Ia pergi…",
    ],
)
def test_a_sentence_with_its_mark_is_ended(sentence: str) -> None:
    assert is_ended(sentence)


@pytest.mark.parametrize(
    "sentence",
    ["", "Harga", "Harga naik,", "Katanya:", "Menurut Dr.", "Menurut J.", "12.", "ราคาขึ้น", "「上がった」と"],
)
def test_a_sentence_that_breaks_off_is_not_ended(sentence: str) -> None:
    assert not is_ended(sentence)
