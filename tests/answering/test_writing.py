import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rag.answering.writing import Draft, Instructions, Rule, foreign

PASSAGE = "Daftar di https://Contoh.id/daftar?x=1, tulis ke panitia@contoh.co.id, atau lihat toko.contoh.com."


@pytest.mark.parametrize(
    "text",
    [
        "Daftar di https://contoh.id/daftar?x=1.",
        "Daftar di (https://contoh.id/daftar).",
        "Tulis ke panitia@contoh.co.id!",
        "Lihat toko.contoh.com, lalu pulang.",
        "Harganya Rp1.250.000,00 atau 3.5 kg.Itu saja",
        "Dr. Budi, S.Pd., pukul 10.30 @ Jakarta",
        "https",
        "",
    ],
)
def test_what_the_passage_has_or_what_is_no_address_is_not_foreign(text: str) -> None:
    assert not foreign(text, PASSAGE)


@pytest.mark.parametrize(
    "text",
    [
        "Buka https://jahat.com",
        "Buka http://",
        "Buka ftp://contoh.id",
        "Buka www.jahat",
        "Buka jahat.com/klik sekarang",
        "Buka Jahat.CO.ID",
        "Tulis ke admin@contoh.co.id",
        "Daftar di https://contoh.id/daftar?x=2",
        "[hadiah](https://jahat.com)",
    ],
)
def test_what_the_passage_does_not_have_is_foreign(text: str) -> None:
    assert foreign(text, PASSAGE)


def test_only_what_ends_after_the_offset_is_looked_at() -> None:
    assert not foreign("Buka jahat.com lalu", PASSAGE, since=14)
    assert foreign("Buka jahat.com", PASSAGE, since=13)


PROMPTS = ("You are a careful reading assistant. You answer only from the text.", "Text: {passage}", "Question: {question}")
INSTRUCTION = "Jawab pertanyaan itu dalam satu kalimat lengkap, hanya dari teks."
INSTRUCTIONS = Instructions(PROMPTS, ["<|im_end|>", "<tool_call>", "", " "])
WRITTEN_FROM = "Kota [lama] itu dihuni 800 orang[3] menurut sensus [12]. Lihat a[0] dan <b>tebal</b>, https://contoh.id."


def written(*pieces: str, passage: str = WRITTEN_FROM) -> str:
    """What of the pieces is written by a model that goes on with the next where one is refused."""
    draft = Draft(Rule(INSTRUCTIONS, INSTRUCTION, passage))
    return "".join(draft.take(piece.encode()) or "" for piece in pieces)


@pytest.mark.parametrize(
    "text",
    [
        "Kota itu dihuni 800 orang (sensus 2020), 3 < 5 dan a > b.",
        "Kota [lama] itu.",
        "Tag <b>tebal</b>.",
        "Situsnya https://contoh.id.",
        "«Ya», katanya: “tidak” — 50%…",
        "โบราณสถาน 古い町 Ελλάδα",
        "Jawab pertanyaan itu sulit.",
    ],
)
def test_ordinary_words_are_written_as_they_come(text: str) -> None:
    assert written(*text) == text
    assert written(text) == text


@pytest.mark.parametrize(
    ("pieces", "expected"),
    [
        (["800 orang", "[", "3", "]", "."], "800 orang[]."),
        (["Ya", " [12", "]", "."], "Ya]."),
        (["Ya", " [", "^", "1"], "Ya [^"),
        (["Ya", "【", "1", "】"], "Ya【】"),
        (["Ya ", "[catatan", "]"], "Ya [catatan]"),
        (["<", "|", "im_end", "|>"], "<im_end|>"),
        (["<tool", "_call", ">", "x"], "<tool_callx"),
        (["[INST]", " a"], " a"),
        (["</", "s", ">", "."], "</s."),
        (["Ya.\n", "Question", ":", " Apa?"], "Ya.\nQuestion Apa?"),
        (["Buka ", "https", "://", "jahat", ".com"], "Buka https://"),
        (["Tulis ke a", "@", "b", "."], "Tulis ke a@."),
    ],
)
def test_markers_and_addresses_are_not_written(pieces: list[str], expected: str) -> None:
    assert written(*pieces) == expected


def test_an_answer_that_recites_the_instructions_is_over() -> None:
    for text in (PROMPTS[0], INSTRUCTION):
        said = written("Ya. ", *text, " Jadi begitu.")
        assert text.startswith(said.removeprefix("Ya. "))
        assert len(said) < 36
    assert written(*PROMPTS[0], passage=f"Buku itu menulis: {PROMPTS[0]}") == PROMPTS[0]


def test_a_piece_may_end_within_a_character() -> None:
    draft = Draft(Rule(INSTRUCTIONS, INSTRUCTION, "Kota tua [1]."))
    raw = "【é".encode()
    assert draft.take(raw[:2]) == ""
    assert draft.take(raw[2:3]) is None, "it would complete a bracket"
    assert draft.take("é".encode()) is not None, "what was refused was not taken"


def test_where_a_passage_has_no_brackets_but_notes_none_are_written() -> None:
    assert written("800 orang", "[", "3", "]", " di sana.", passage="800 orang[3] di sana [4].") == "800 orang3] di sana."


@settings(deadline=None)
@given(st.text(alphabet="[]0123 ab<|>/s", max_size=40))
def test_whatever_a_model_writes_holds_no_marker(text: str) -> None:
    said = written(*text)
    assert "<|" not in said
    assert "</s>" not in said
    assert not any(f"[{n}" in said for n in range(10))
