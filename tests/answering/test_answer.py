from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import pytest

from rag.answering.answer import answer
from rag.answering.choosing import Tools
from rag.answering.citing import verifies
from rag.answering.prompt import Phrases
from rag.types import (
    Answer,
    Document,
    Event,
    Found,
    Judge,
    Marked,
    Parameters,
    Passage,
    Reader,
    Receipt,
    Span,
    SupportCheck,
    Token,
)
from tests.fakes import BagEmbedder, OverlapJudge, OverlapReader, ScriptedJudge, ScriptedReader, SlowReader

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
PHRASES = Phrases(
    "bahasa Indonesia",
    "Jawab.",
    "tidak ada",
    "Dokumen ini tidak menjawab.",
    "Sebagian dihilangkan.",
    "Lihat ⚠.",
    "",
    "",
    "Terpotong.",
    joining="dan atau",
    listing="apa saja, sebutkan",
)
RECEIPT = Receipt("v", "s", "e", "j", "l", "p", Parameters("", 4, 0.35, "drop", 4096, 160), {})
CERTAIN = ScriptedJudge(0.99)


def events(
    question: str,
    reader: Reader | None,
    judge: Judge,
    *,
    passages: Sequence[Passage] = PASSAGES,
    document: Document = DOCUMENT,
    support: SupportCheck | None = None,
    flagging: bool = False,
) -> list[Event]:
    """Where `reader` is None it must not be asked for."""
    tools = Tools(judge, support, lambda: reader or pytest.fail("asked for"), BagEmbedder(), {document.id: document}.get)
    asked = partial(answer, question, "id", passages, tools=tools, phrases=PHRASES, least_confidence=0.35)
    return list(asked(flagging=flagging, receipt=RECEIPT))


def final(question: str, reader: Reader, judge: Judge, document: Document = DOCUMENT) -> Answer:
    last = events(question, reader, judge, document=document)[-1]
    assert isinstance(last, Answer)
    return last


def marks(seen: Sequence[Event]) -> list[Marked]:
    return [event for event in seen if isinstance(event, Marked)]


def test_found_comes_first_the_pieces_then_and_the_answer_last() -> None:
    seen = events("Kapan harga beras naik menurut Menteri Budi?", OverlapReader(), OverlapJudge())
    assert seen[0] == Found(tuple(PASSAGES))
    assert isinstance(seen[-1], Answer)
    written = "".join(event.text for event in seen if isinstance(event, Token))
    assert written == "Menteri Budi mengatakan harga beras naik 12 persen."


def test_the_answer_cites_the_sentence_it_rests_on() -> None:
    result = final("Apa kata Menteri Budi tentang harga beras?", OverlapReader(), OverlapJudge())
    assert result.answered
    assert result.text == "Menteri Budi mengatakan harga beras naik 12 persen. [1]"
    assert [c.text for c in result.citations] == ["Menteri Budi mengatakan harga beras naik 12 persen."]
    assert all(verifies(citation, DOCUMENT) for citation in result.citations)
    assert set(result.receipt.seconds) == {"judge", "first_token", "write", "cite"}


def test_a_citation_into_a_later_passage_has_offsets_of_the_document() -> None:
    result = final("Apakah kucing tidur di halaman?", OverlapReader(), OverlapJudge())
    (citation,) = result.citations
    assert (citation.start, citation.text) == (BREAK + 1, "Kucing tidur di halaman.")


def test_no_passage_that_answers_means_a_refusal_without_citations() -> None:
    result = final("Siapa presiden Brasil sekarang?", OverlapReader(), OverlapJudge())
    assert (result.answered, result.citations, result.sentences) == (False, (), ())
    assert result.text == PHRASES.refusal
    assert [replace(passage, confidence=None) for passage in result.passages] == PASSAGES


def test_nothing_found_is_a_refusal() -> None:
    (_, result) = events("Apa?", None, OverlapJudge(), passages=[])
    assert isinstance(result, Answer)
    assert not result.answered
    assert result.confidence == 0


def test_a_certain_passage_ends_the_judging() -> None:
    judge = ScriptedJudge(0.9)
    events("Apa?", ScriptedReader(["Kucing tidur."]), judge)
    assert judge.judged == [PASSAGES[0].text]


def test_the_passage_judged_best_is_the_one_that_answers() -> None:
    judge = ScriptedJudge({PASSAGES[0].text: 0.1, PASSAGES[1].text: 0.6})
    result = final("Apa?", ScriptedReader(["Anjing makan ikan."]), judge)
    assert judge.judged == [p.text for p in PASSAGES]
    assert [c.text for c in result.citations] == ["Anjing makan ikan."]
    assert result.confidence == 0.6


def test_the_passages_of_an_answer_are_in_the_order_of_the_judge_and_those_not_judged_follow() -> None:
    passages = [*PASSAGES, replace(PASSAGES[0], score=0.1)]
    judge = ScriptedJudge({PASSAGES[0].text: 0.1, PASSAGES[1].text: 0.99})
    seen = events("Apa?", ScriptedReader(["Anjing makan ikan."]), judge, passages=passages)[-1]
    assert isinstance(seen, Answer)
    assert [(passage.text, passage.confidence) for passage in seen.passages] == [
        (PASSAGES[1].text, 0.99),
        (PASSAGES[0].text, 0.1),
        (PASSAGES[0].text, None),
    ]


def test_the_words_that_answer_come_after_what_was_found_and_before_a_word_is_written() -> None:
    seen = events("Kapan harga beras naik menurut Menteri Budi?", OverlapReader(), OverlapJudge())
    assert [type(event) for event in seen[:3]] == [Found, Marked, Token]
    (marked,) = marks(seen)
    assert isinstance(seen[-1], Answer)
    assert (marked.citation, marked.confidence) == (seen[-1].marked, seen[-1].confidence)
    assert verifies(marked.citation, DOCUMENT)
    assert marked.citation.text == "Menteri Budi mengatakan harga beras naik"


def test_the_words_that_answer_are_reported_before_the_language_model_is_asked_for() -> None:
    def reader() -> Reader:
        seen.append("asked for")
        return OverlapReader()

    seen: list[object] = []
    tools = Tools(OverlapJudge(), None, reader, BagEmbedder(), {DOCUMENT.id: DOCUMENT}.get)
    question = "Kapan harga beras naik menurut Menteri Budi?"
    asked = partial(answer, question, "id", PASSAGES, tools=tools, phrases=PHRASES, least_confidence=0.35)
    seen.extend(type(event) for event in asked(flagging=False, receipt=RECEIPT))
    assert seen[:4] == [Found, Marked, "asked for", Token]


def test_words_of_a_later_passage_are_marked_at_their_place_in_the_document() -> None:
    judge = ScriptedJudge({PASSAGES[0].text: 0.1, PASSAGES[1].text: 0.99}, Span(0, 6))
    (marked,) = marks(events("Apa?", ScriptedReader(["Kucing tidur."]), judge))
    assert (marked.citation.start, marked.citation.text) == (BREAK + 1, "Kucing")


def test_where_the_judge_marks_nothing_nothing_is_reported_and_the_answer_comes_all_the_same() -> None:
    seen = events("Apa?", ScriptedReader(["Menteri Budi mengatakan harga beras naik."]), CERTAIN)
    assert not marks(seen)
    assert isinstance(seen[-1], Answer)
    assert (seen[-1].answered, seen[-1].marked) == (True, None)


def test_words_that_no_longer_stand_there_are_not_reported() -> None:
    changed = replace(DOCUMENT, text=TEXT.replace("Budi", "Bude"))
    judge = ScriptedJudge(0.9, Span(PASSAGES[0].text.index("Budi"), PASSAGES[0].text.index("Budi") + 4))
    assert not marks(events("Apa?", ScriptedReader(["Kucing tidur."]), judge, document=changed))
    assert marks(events("Apa?", ScriptedReader(["Kucing tidur."]), judge))


@pytest.mark.parametrize("confidence", [0.0, 0.34])
def test_a_refusal_marks_nothing_and_does_not_ask_for_the_language_model(confidence: float) -> None:
    judge = ScriptedJudge(confidence, Span(0, 5))
    seen = events("Apa?", None, judge)
    assert [type(event) for event in seen] == [Found, Answer]
    assert judge.judged == [p.text for p in PASSAGES]
    assert isinstance(seen[-1], Answer)
    assert (seen[-1].answered, seen[-1].marked, seen[-1].confidence) == (False, None, confidence)
    assert set(seen[-1].receipt.seconds) == {"judge"}


def test_a_sentence_with_a_number_that_the_passage_lacks_is_dropped() -> None:
    pieces = ["Menteri Budi mengatakan harga beras naik. ", "Kenaikannya 99 persen."]
    result = final("Apa?", ScriptedReader(pieces), CERTAIN)
    assert result.text == "Menteri Budi mengatakan harga beras naik. [1]"
    assert result.dropped == ("Kenaikannya 99 persen.",)


def test_a_sentence_about_somebody_whom_the_passage_does_not_name_is_dropped() -> None:
    pieces = ["Menteri Budi mengatakan harga beras naik. ", "Kata Marco Rubio harga beras naik."]
    assert final("Apa?", ScriptedReader(pieces), CERTAIN).text == "Menteri Budi mengatakan harga beras naik. [1]"


def test_names_are_not_looked_for_in_another_language() -> None:
    english = replace(PASSAGES[0], language="en")
    seen = events("Apa?", ScriptedReader(["Kata Marco Rubio harga beras naik."]), CERTAIN, passages=[english])[-1]
    assert isinstance(seen, Answer)
    assert seen.answered


def test_an_answer_without_any_supported_sentence_is_withdrawn() -> None:
    result = final("Apa?", ScriptedReader(["Kenaikannya 99 persen."]), CERTAIN)
    assert (result.answered, result.text) == (False, PHRASES.refusal)
    assert result.dropped == ("Kenaikannya 99 persen.",)


def test_a_sentence_that_the_passage_does_not_support_is_dropped() -> None:
    pieces = ["Menteri Budi mengatakan harga beras naik. ", "Gajah terbang."]
    seen = events("Apa?", ScriptedReader(pieces), CERTAIN, support=OverlapJudge())[-1]
    assert isinstance(seen, Answer)
    assert seen.text == "Menteri Budi mengatakan harga beras naik. [1]"
    assert [sentence.support for sentence in seen.sentences] == [1.0]
    assert seen.dropped == ("Gajah terbang.",)


def test_what_is_left_out_is_said() -> None:
    pieces = ["Menteri Budi mengatakan harga beras naik. ", "Kenaikannya 99 persen."]
    result = final("Apa?", ScriptedReader(pieces), CERTAIN)
    assert (result.note, result.dropped) == (PHRASES.dropped, ("Kenaikannya 99 persen.",))
    assert final("Apa?", ScriptedReader(pieces[:1]), CERTAIN).note == ""


def test_unsupported_sentences_are_flagged_where_that_is_chosen() -> None:
    pieces = ["Kenaikannya 99 persen. ", "Menteri Budi mengatakan harga beras naik."]
    seen = events("Apa?", ScriptedReader(pieces), CERTAIN, flagging=True)[-1]
    assert isinstance(seen, Answer)
    assert seen.text == "Kenaikannya 99 persen. ⚠ Menteri Budi mengatakan harga beras naik. [1]"
    assert (seen.note, seen.dropped, [s.supported for s in seen.sentences]) == (PHRASES.flagged, (), [False, True])


def test_an_answer_of_which_nothing_is_supported_is_withdrawn_also_where_flagging_is_chosen() -> None:
    seen = events("Apa?", ScriptedReader(["Kenaikannya 99 persen."]), CERTAIN, flagging=True)[-1]
    assert isinstance(seen, Answer)
    assert (seen.answered, seen.text, seen.note) == (False, PHRASES.refusal, "")


def test_without_a_support_check_none_is_reported() -> None:
    result = final("Apa?", ScriptedReader(["Menteri Budi mengatakan harga beras naik."]), CERTAIN)
    assert [sentence.support for sentence in result.sentences] == [None]


def test_an_answer_that_nothing_supports_gives_way_to_what_was_marked() -> None:
    seen = events("Apa?", ScriptedReader(["Kenaikannya 99 persen."]), ScriptedJudge(0.9, Span(0, 5)))
    last = seen[-1]
    assert isinstance(last, Answer)
    assert last.text == "“Rapat itu berlangsung di Jakarta pada hari Senin.” [1]"
    assert last.dropped == ("Kenaikannya 99 persen.",)
    assert all(verifies(citation, DOCUMENT) for citation in last.citations)
    assert "".join(e.text for e in seen if isinstance(e, Token)).endswith("“Rapat itu berlangsung di Jakarta pada hari Senin.”")


def test_a_document_that_no_longer_says_it_is_not_cited() -> None:
    changed = replace(DOCUMENT, text=TEXT.replace("Budi", "Bude"))
    result = final("Apa kata Menteri Budi tentang harga beras?", OverlapReader(), OverlapJudge(), document=changed)
    assert (result.answered, result.citations) == (False, ())


def test_sentences_that_share_a_source_share_its_number() -> None:
    pieces = ["Menteri Budi bicara harga beras. ", "Harga beras naik 12 persen. ", "Anjing makan ikan."]
    passage = replace(PASSAGES[0], end=len(TEXT), text=TEXT)
    seen = events("Apa?", ScriptedReader(pieces), CERTAIN, passages=[passage])[-1]
    assert isinstance(seen, Answer)
    assert seen.text == "Menteri Budi bicara harga beras. [1] Harga beras naik 12 persen. [1] Anjing makan ikan. [2]"


def test_markers_within_an_answer_are_taken_out() -> None:
    pieces = ["Kucing tidur di halaman [33]."]
    result = final("Apa?", ScriptedReader(pieces), ScriptedJudge({PASSAGES[0].text: 0.2, PASSAGES[1].text: 0.99}))
    assert result.text == "Kucing tidur di halaman. [1]"


def test_of_an_answer_that_is_cut_the_sentence_it_was_at_is_left_out_and_that_is_reported() -> None:
    pieces = ["Menteri Budi mengatakan harga beras naik. ", "Rapat itu berlang"]
    result = final("Apa?", ScriptedReader(pieces, cut=True), CERTAIN)
    assert result.text == "Menteri Budi mengatakan harga beras naik. [1]"
    assert (result.cut, result.note, result.dropped) == (True, PHRASES.cut, ())


def test_the_only_sentence_of_an_answer_that_is_cut_stays_and_shows_that_it_has_no_end() -> None:
    result = final("Apa?", ScriptedReader(["Menteri Budi mengatakan harga"], cut=True), CERTAIN)
    assert (result.text, result.cut, result.note) == ("Menteri Budi mengatakan harga… [1]", True, PHRASES.cut)
    assert result.citations


def test_an_answer_that_has_its_end_is_not_cut() -> None:
    result = final("Apa?", ScriptedReader(["Menteri Budi mengatakan harga"]), CERTAIN)
    assert (result.text, result.cut, result.note) == ("Menteri Budi mengatakan harga [1]", False, "")


def test_an_answer_that_is_cut_and_of_which_sentences_are_left_out_tells_both() -> None:
    pieces = ["Kenaikannya 99 persen. ", "Menteri Budi mengatakan harga beras naik. ", "Rapat"]
    result = final("Apa?", ScriptedReader(pieces, cut=True), CERTAIN)
    assert result.note == f"{PHRASES.dropped} {PHRASES.cut}"
    assert result.dropped == ("Kenaikannya 99 persen.",)


def test_an_answer_that_is_cut_before_it_says_what_is_supported_is_withdrawn_and_that_is_reported() -> None:
    result = final("Apa?", ScriptedReader(["Kenaikannya 99"], cut=True), CERTAIN)
    assert (result.answered, result.cut, result.note) == (False, True, PHRASES.cut)
    assert result.dropped == ("Kenaikannya 99…",)


def test_a_reader_is_closed_when_its_answer_is_left() -> None:
    reader = SlowReader(0)
    tools = Tools(CERTAIN, None, lambda: reader, BagEmbedder(), {DOCUMENT.id: DOCUMENT}.get)
    asked = answer("Apa?", "id", PASSAGES, tools=tools, phrases=PHRASES, least_confidence=0.35, flagging=False, receipt=RECEIPT)
    next(event for event in asked if isinstance(event, Token))
    asked.close()  # type: ignore[attr-defined]
    assert reader.left.is_set()
