from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.answering import prompt
from rag.answering.choosing import Choice, Tools, Verdict
from rag.answering.citing import citation_of, claims, finished, names_occur, numbers_occur, quotes, select, verifies
from rag.text import words
from rag.types import Citation, Document, Judgement, Passage, Sentence, Span
from tests.fakes import BagEmbedder, OverlapJudge, OverlapReader

PROMPTS = prompt.load(Path(__file__).parents[2])
DOCUMENT = Document(
    "d1", "a.txt", "ab" * 32, "text/plain", "id", "2026-01-01", "Kucing makan ikan. Anjing tidur 😀 di halaman."
)


@given(st.data())
def test_any_range_with_words_is_cited_and_verifies(data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(DOCUMENT.text) - 1))
    end = data.draw(st.integers(start + 1, len(DOCUMENT.text)))
    citation = citation_of(DOCUMENT, Span(start, end))
    assert citation.text == DOCUMENT.text[start:end]
    assert verifies(citation, DOCUMENT) == bool(citation.text.strip())


@given(st.integers(-5, 60), st.integers(-5, 60), st.text(max_size=20))
def test_a_citation_with_other_words_never_verifies(start: int, end: int, text: str) -> None:
    citation = replace(citation_of(DOCUMENT, Span(0, 18)), start=start, end=end, text=text)
    stands_there = 0 <= start < end <= len(DOCUMENT.text) and DOCUMENT.text[start:end] == text and bool(text.strip())
    assert verifies(citation, DOCUMENT) == stands_there


def test_another_document_another_version_or_none_does_not_verify() -> None:
    citation = citation_of(DOCUMENT, Span(0, 18))
    assert verifies(citation, DOCUMENT)
    assert not verifies(citation, None)
    assert not verifies(citation, replace(DOCUMENT, id="d2"))
    assert not verifies(citation, replace(DOCUMENT, path="b.txt"))
    assert not verifies(citation, replace(DOCUMENT, sha256="cd" * 32))


SENTENCES = [
    "Rapat itu berlangsung di Jakarta pada hari Senin.",
    "Menteri Budi mengatakan harga beras naik.",
    "Ia menambahkan bahwa harga itu naik 12,5 persen sejak Januari.",
]


def chosen(claim: str) -> list[int]:
    vectors = BagEmbedder().embed_queries([claim, *SENTENCES])
    return select(words(claim, "id"), vectors[0], [words(s, "id") for s in SENTENCES], vectors[1:])


def test_the_sentence_that_says_it_is_chosen() -> None:
    assert chosen("Rapat berlangsung di Jakarta.") == [0]
    assert chosen("Harga beras naik menurut Menteri Budi.") == [1]


def test_a_claim_from_two_sentences_cites_both_in_order() -> None:
    assert chosen("Menteri Budi mengatakan harga beras naik 12,5 persen sejak Januari.") == [1, 2]


def test_meaning_decides_where_no_word_is_shared() -> None:
    vectors = np.eye(3, dtype=np.float32)
    assert select(["price"], vectors[2], [["a"], ["b"], ["c"]], vectors) == [2]


def test_every_number_must_occur() -> None:
    assert numbers_occur("Naik 12,5 persen pada 2024.", "Pada 2024 harga naik 12,5 persen.")
    assert not numbers_occur("Naik 13 persen.", SENTENCES[2])
    assert not numbers_occur("Naik 2 persen.", "Naik 12 persen.")
    assert numbers_occur("Naik tajam.", "")


@pytest.mark.parametrize(
    ("claim", "evidence", "language"),
    [
        ("Menteri Budi mengatakan harga naik.", "Menurut menteri budi, harga naik.", "id"),
        ("The Venezuelan minister spoke.", "Venezuela's minister spoke.", "en"),
        ("Presiden Donald Trump pergi.", "Trump pergi.", "id"),
        ("Menteri itu pergi.", "Ia pergi.", "id"),
        ("Der Minister sprach vom Wetter.", "Er sprach.", "de"),
        ("De Minister huet vum Wieder geschwat.", "Hien huet geschwat.", "lb"),
        ("", "", "id"),
        ("กรุงเทพ", "", "th"),
    ],
)
def test_names_may_differ_in_case_and_ending_and_half_may_be_the_models(claim: str, evidence: str, language: str) -> None:
    assert names_occur(claim, evidence, PROMPTS.phrases(language))


@pytest.mark.parametrize("claim", ["Menurut Marco Rubio harga naik.", "Kata Presiden Joko Widodo, harga beras naik."])
def test_a_claim_of_somebody_who_is_not_there_is_found_out(claim: str) -> None:
    assert not names_occur(claim, SENTENCES[1], PROMPTS.phrases("id"))


def test_of_several_sources_each_is_cited_that_shares_words_with_the_claim() -> None:
    claim, sentences = (
        ["kerinci", "lebih", "tinggi", "dari", "rinjani"],
        [["gunung", "kerinci", "tinggi"], ["taman"], ["rinjani", "tinggi"]],
    )
    vectors = np.array([[1, 0], [0, 1], [0.6, 0.8]], dtype=np.float32)
    assert select(claim, vectors[0], sentences, vectors, [0, 0, 1]) == [0, 2]
    assert select(claim, vectors[0], [*sentences[:2], ["beras"]], vectors, [0, 0, 1]) == [0]


@pytest.mark.parametrize(
    ("written", "left"),
    [
        ("Harga naik. Kucing ti", ["Harga naik."]),
        ("Harga naik. Kucing tidur.", ["Harga naik.", "Kucing tidur."]),
        ("Harga naik. Menurut Dr.", ["Harga naik."]),
        ("Harga nai", ["Harga nai…"]),
        ("Harga naik [3]", ["Harga naik…"]),
        ("- beras\n- gula\n- kop", ["- beras", "- gula"]),
        ("", []),
    ],
)
def test_of_an_answer_that_was_cut_what_has_an_end_is_left(written: str, left: list[str]) -> None:
    assert finished(claims(written, "id")) == left


@given(st.lists(st.text(min_size=1), max_size=4))
def test_something_is_left_of_what_was_said_and_nothing_comes_between(claimed: list[str]) -> None:
    left = finished(claimed)
    assert len(left) >= min(1, len(claimed))
    assert all(said.startswith(was) for was, said in zip(claimed, left, strict=False))


TEXT = "PNRI adalah percetakan negara.\nIa didirikan pada\ntahun 1809 di Batavia. Pada 1991 namanya diganti."
QUOTED = Document("d1", "a.txt", "ab" * 32, "text/plain", "id", "2026-01-01", f"Judul. {TEXT}")
PASSAGE = Passage("d1", "a.txt", "id", 7, 7 + len(TEXT), TEXT, 0.9)
YEAR = Span(TEXT.index("1809"), TEXT.index("1809") + 4)
CITED = (Citation("d1", "a.txt", "ab" * 32, 7, 12, "PNRI "),)
QUESTION = "Kapan PNRI didirikan?"


def quoted(
    *said: str, language: str = "id", marked: Span | None = YEAR, document: Document = QUOTED, halves: bool = False
) -> list[Sentence]:
    tools = Tools(OverlapJudge(), None, OverlapReader, BagEmbedder(), {document.id: document}.get)
    sentences = [Sentence(text.removeprefix("?"), () if text.startswith("?") else CITED) for text in said]
    chosen = (Verdict(PASSAGE, Judgement(0.9, marked)),)
    return list(quotes(QUESTION, language, Choice(chosen, chosen, 0.9, halves), sentences, tools))


def test_what_the_answer_does_not_say_is_quoted_with_its_place() -> None:
    (quote,) = quoted("PNRI didirikan pada tahun 1991.")
    assert quote.text == "“Ia didirikan pada tahun 1809 di Batavia.”"
    assert quote.support == 1
    (citation,) = quote.citations
    assert QUOTED.text[citation.start : citation.end] == citation.text == "Ia didirikan pada\ntahun 1809 di Batavia."


def test_what_the_answer_says_is_not_repeated() -> None:
    assert quoted("PNRI didirikan pada tahun 1809.") == []
    assert quoted("Didirikan.", "Pada 1809.") == []


def test_a_sentence_that_nothing_supports_says_nothing() -> None:
    assert len(quoted("?PNRI didirikan pada tahun 1809.")) == 1
    assert len(quoted()) == 1


def test_words_of_the_question_are_not_what_answers() -> None:
    marked = Span(TEXT.index("didirikan"), YEAR.end)
    assert len(quoted("PNRI didirikan pada tahun 1991.", marked=marked)) == 1
    assert quoted("PNRI didirikan pada tahun 1809.", marked=marked) == []


def test_across_languages_only_an_answer_without_support_is_replaced() -> None:
    assert quoted("PNRI was founded in 1991.", language="en") == []
    assert len(quoted("?PNRI was founded in 1991.", language="en")) == 1


def test_half_an_answer_is_quoted_only_where_nothing_else_is_left() -> None:
    assert quoted("Keduanya sama tua.", halves=True) == []
    assert len(quoted("?Selisihnya 77 tahun.", halves=True)) == 1


def test_nothing_marked_is_nothing_quoted() -> None:
    assert quoted(marked=None) == []


def test_words_that_no_longer_stand_there_are_not_quoted() -> None:
    assert quoted(document=Document("d1", "a.txt", "ab" * 32, "text/plain", "id", "2026-01-01", "Judul lain.")) == []


@pytest.mark.parametrize("words", [10, 200])
def test_of_a_sentence_without_end_the_marked_words_are_quoted(words: int) -> None:
    text = f"{'kolom | ' * words}1809"
    passage = Passage("d1", "a.txt", "id", 0, len(text), text, 0.9)
    document = Document("d1", "a.txt", "ab" * 32, "text/plain", "id", "2026-01-01", text)
    tools = Tools(OverlapJudge(), None, OverlapReader, BagEmbedder(), {"d1": document}.get)
    verdict = Verdict(passage, Judgement(0.9, Span(len(text) - 4, len(text))))
    (quote,) = quotes(QUESTION, "id", Choice((verdict,), (verdict,), 0.9), [], tools)
    assert quote.text == ("“1809”" if words == 200 else f"“{text}”")
