from collections.abc import Sequence
from dataclasses import replace

import pytest

from rag.answering.answer import Tools, answer
from rag.answering.citations import verifies
from rag.answering.prompt import Phrases
from rag.types import Answer, Calibration, Document, Event, Found, Passage, Receipt, Token
from tests.fakes import BagEmbedder, OverlapReader, ScriptedReader

TEXT = (
    "Rapat itu berlangsung di Jakarta pada hari Senin. Menteri Budi mengatakan harga beras naik 12 persen.\n"
    "Kucing tidur di halaman. Anjing makan ikan."
)
DOCUMENT = Document("d1", "a.txt", "ab" * 32, "text/plain", "id", "2026-01-01", TEXT)
BREAK = TEXT.index("\n")
PASSAGES = [
    Passage("d1", "a.txt", "id", start, end, TEXT[start:end], score)
    for start, end, score in ((0, BREAK, 0.9), (BREAK + 1, len(TEXT), 0.8))
]
PHRASES = Phrases("bahasa Indonesia", "Jawab.", "tidak ada", "Dokumen ini tidak menjawab.")
RECEIPT = Receipt("s", "e", "l", "p", {})
Reader = OverlapReader | ScriptedReader


def events(question: str, reader: Reader, passages: Sequence[Passage] = PASSAGES, document: Document = DOCUMENT) -> list[Event]:
    return list(
        answer(
            question,
            "id",
            passages,
            tools=Tools(reader, Calibration(1.43, 0.85), BagEmbedder(), {document.id: document}.get),
            phrases=PHRASES,
            least_confidence=0.35,
            receipt=RECEIPT,
        )
    )


def final(question: str, reader: Reader, document: Document = DOCUMENT) -> Answer:
    last = events(question, reader, document=document)[-1]
    assert isinstance(last, Answer)
    return last


def test_found_comes_first_the_pieces_then_and_the_answer_last() -> None:
    seen = events("Kapan harga beras naik menurut Menteri Budi?", OverlapReader())
    assert seen[0] == Found(tuple(PASSAGES))
    assert isinstance(seen[-1], Answer)
    written = "".join(event.text for event in seen if isinstance(event, Token))
    assert written == "Menteri Budi mengatakan harga beras naik 12 persen."


def test_the_answer_cites_the_sentence_it_rests_on() -> None:
    result = final("Apa kata Menteri Budi tentang harga beras?", OverlapReader())
    assert result.answered
    assert result.text == "Menteri Budi mengatakan harga beras naik 12 persen. [1]"
    assert [c.text for c in result.citations] == ["Menteri Budi mengatakan harga beras naik 12 persen."]
    assert all(verifies(citation, DOCUMENT) for citation in result.citations)
    assert set(result.receipt.seconds) == {"judge", "first_token", "write", "cite"}


def test_a_citation_into_a_later_passage_has_offsets_of_the_document() -> None:
    result = final("Apakah kucing tidur di halaman?", OverlapReader())
    (citation,) = result.citations
    assert (citation.start, citation.text) == (BREAK + 1, "Kucing tidur di halaman.")


def test_no_passage_that_answers_means_a_refusal_without_citations() -> None:
    result = final("Siapa presiden Brasil sekarang?", OverlapReader())
    assert (result.answered, result.citations, result.sentences) == (False, (), ())
    assert result.text == PHRASES.refusal
    assert result.passages == tuple(PASSAGES)


def test_nothing_found_is_a_refusal() -> None:
    (_, result) = events("Apa?", OverlapReader(), passages=[])
    assert isinstance(result, Answer)
    assert not result.answered
    assert result.confidence == 0


def test_a_certain_passage_ends_the_reading() -> None:
    reader = ScriptedReader(log_odds=9.0, pieces=["Kucing tidur."])
    events("Apa?", reader)
    assert reader.judged == [PASSAGES[0].text]


def test_the_passage_judged_best_is_the_one_that_answers() -> None:
    reader = ScriptedReader(log_odds={PASSAGES[0].text: 1.5, PASSAGES[1].text: 1.8}, pieces=["Anjing makan ikan."])
    result = final("Apa?", reader)
    assert reader.judged == [p.text for p in PASSAGES]
    assert [c.text for c in result.citations] == ["Anjing makan ikan."]


@pytest.mark.parametrize("pieces", [["tidak", " ada"], ["Tidak ada."], ["“", "tidak ada", "”"], [" tidak ada\n"], []])
def test_the_models_own_refusal_is_a_refusal_and_is_never_shown(pieces: list[str]) -> None:
    seen = events("Apa?", ScriptedReader(log_odds=9.0, pieces=pieces))
    assert not any(isinstance(event, Token) for event in seen)
    assert isinstance(seen[-1], Answer)
    assert not seen[-1].answered


def test_an_answer_that_begins_like_a_refusal_is_an_answer() -> None:
    seen = events("Apa?", ScriptedReader(log_odds=9.0, pieces=["Tidak", " ada", " kucing", " tidur."]))
    assert "".join(event.text for event in seen if isinstance(event, Token)) == "Tidak ada kucing tidur."


def test_a_sentence_with_a_number_that_the_passage_lacks_is_dropped() -> None:
    pieces = ["Menteri Budi mengatakan harga beras naik. ", "Kenaikannya 99 persen."]
    result = final("Apa?", ScriptedReader(log_odds=9.0, pieces=pieces))
    assert result.text == "Menteri Budi mengatakan harga beras naik. [1]"


def test_an_answer_without_any_supported_sentence_is_withdrawn() -> None:
    result = final("Apa?", ScriptedReader(log_odds=9.0, pieces=["Kenaikannya 99 persen."]))
    assert (result.answered, result.text) == (False, PHRASES.refusal)


def test_a_document_that_no_longer_says_it_is_not_cited() -> None:
    changed = replace(DOCUMENT, text=TEXT.replace("Budi", "Bude"))
    result = final("Apa kata Menteri Budi tentang harga beras?", OverlapReader(), document=changed)
    assert (result.answered, result.citations) == (False, ())


def test_sentences_that_share_a_source_share_its_number() -> None:
    pieces = ["Menteri Budi bicara harga beras. ", "Harga beras naik 12 persen. ", "Anjing makan ikan."]
    passage = replace(PASSAGES[0], end=len(TEXT), text=TEXT)
    seen = events("Apa?", ScriptedReader(log_odds=9.0, pieces=pieces), passages=[passage])[-1]
    assert isinstance(seen, Answer)
    assert seen.text == "Menteri Budi bicara harga beras. [1] Harga beras naik 12 persen. [1] Anjing makan ikan. [2]"


def test_markers_and_refusals_within_an_answer_are_taken_out() -> None:
    pieces = ["Tidak ada. ", "Kucing tidur di halaman [33]."]
    result = final("Apa?", ScriptedReader(log_odds={PASSAGES[0].text: 0.0, PASSAGES[1].text: 9.0}, pieces=pieces))
    assert result.text == "Kucing tidur di halaman. [1]"
