import pytest

from rag.answering.choosing import Choice, Verdict
from rag.answering.quoting import quotes
from rag.answering.tools import Tools
from rag.types import Citation, Document, Judgement, Passage, Sentence, Span
from tests.fakes import BagEmbedder, OverlapJudge, OverlapReader

TEXT = "PNRI adalah percetakan negara.\nIa didirikan pada\ntahun 1809 di Batavia. Pada 1991 namanya diganti."
DOCUMENT = Document("d1", "a.txt", "ab" * 32, "text/plain", "id", "2026-01-01", f"Judul. {TEXT}")
PASSAGE = Passage("d1", "a.txt", "id", 7, 7 + len(TEXT), TEXT, 0.9)
YEAR = Span(TEXT.index("1809"), TEXT.index("1809") + 4)
CITED = (Citation("d1", "a.txt", "ab" * 32, 7, 12, "PNRI "),)
QUESTION = "Kapan PNRI didirikan?"


def quoted(
    *said: str, language: str = "id", marked: Span | None = YEAR, document: Document = DOCUMENT, halves: bool = False
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
    assert DOCUMENT.text[citation.start : citation.end] == citation.text == "Ia didirikan pada\ntahun 1809 di Batavia."


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
