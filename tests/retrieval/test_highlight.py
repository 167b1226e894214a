import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag import text as texts
from rag.retrieval import highlight

PASSAGE = "Hujan turun di Jakarta. Harga beras naik di Jakarta sejak Mei. Petani menunggu panen di Jakarta."


def lit(question: str, passage: str = PASSAGE, language: str = "id") -> str | None:
    span = highlight.best_sentence(highlight.stems(question, language), passage, language)
    return passage[span.start : span.end] if span else None


@pytest.mark.parametrize(
    ("question", "sentence"),
    [
        ("Sejak kapan beras naik?", "Harga beras naik di Jakarta sejak Mei."),
        ("Siapa yang MENUNGGU?", "Petani menunggu panen di Jakarta."),
        ("Apa yang terjadi di Jakarta?", "Hujan turun di Jakarta."),
        ("When did the price rise in Jakarta?", "Hujan turun di Jakarta."),
        ("Why?", None),
        ("", None),
    ],
)
def test_the_sentence_with_most_of_the_questions_words_is_lit(question: str, sentence: str | None) -> None:
    assert lit(question) == sentence


def test_a_word_that_every_sentence_has_says_little() -> None:
    assert lit("Jakarta Jakarta panen") == "Petani menunggu panen di Jakarta."


@given(st.text(max_size=60), st.text(max_size=200), st.sampled_from(["id", "en", "th", "zh", "und"]))
def test_what_is_lit_is_a_sentence_with_a_word_of_the_question(question: str, passage: str, language: str) -> None:
    asked = highlight.stems(question, language)
    span = highlight.best_sentence(asked, passage, language)
    having = [s for s in texts.sentences(passage, language) if asked & highlight.stems(passage[s.start : s.end], language)]
    assert span in having if having else span is None
