"""Questions are asked of a real index over the fake models, and what becomes of them is noted as it was."""

from dataclasses import replace
from pathlib import Path

import pytest

from rag.answering.citations import cite
from rag.engine import Engine
from rag.errors import QuestionError
from rag.evaluation import answers_eval, corpus
from rag.evaluation.corpus import IndexedCorpus
from rag.evaluation.dataset import CorpusPassage, JudgedQuestion
from rag.evaluation.ledger import Ledger, Run
from rag.evaluation.outcomes import Cited, Place
from rag.types import Span
from tests.evaluation.fakes import ScriptedChat
from tests.fakes import ScriptedReader, SilentObserver

PASSAGES = (
    CorpusPassage("rice", "Beras\n\nHarga beras naik tajam pada 2020. Rapat itu di Jakarta."),
    CorpusPassage("sugar", "Harga gula turun pada 1999."),
)
TEXTS = {passage.id: passage.text for passage in PASSAGES}
ANSWERED = JudgedQuestion("1", "Kapan harga beras naik tajam?", "id", ("rice",), ("2020",))
REFUSED = JudgedQuestion("2", "Siapa juara sepak bola Brasil?", "id", ())
RUN = Run("", "", "", "", "", "", "", {})


@pytest.fixture
def indexed(engine: Engine, tmp_path: Path) -> IndexedCorpus:
    return corpus.index(engine, PASSAGES, tmp_path / "corpus", SilentObserver())


def test_an_answer_is_noted_with_its_places_and_when_they_came(indexed: IndexedCorpus) -> None:
    outcome = answers_eval.ask(ANSWERED, indexed)
    assert (outcome.question, outcome.answered, outcome.language) == ("1", True, "id")
    assert outcome.text == "Harga beras naik tajam pada 2020."
    assert outcome.found[0] == Place("rice", 0, len(TEXTS["rice"]))
    (cited,) = outcome.citations
    assert cited.place
    assert cited.verified
    assert TEXTS[cited.place.passage][cited.place.start : cited.place.end] == "Harga beras naik tajam pada 2020."
    seconds = outcome.seconds
    assert seconds.found is not None
    assert seconds.marked is not None
    assert seconds.token is not None
    assert 0 < seconds.found <= seconds.marked <= seconds.token <= seconds.whole
    assert (outcome.written, outcome.dropped) == (1, 0)


def test_a_refusal_says_and_cites_nothing(indexed: IndexedCorpus) -> None:
    outcome = answers_eval.ask(REFUSED, indexed)
    assert (outcome.answered, outcome.text, outcome.citations, outcome.written) == (False, "", (), 0)
    assert (outcome.seconds.marked, outcome.seconds.token) == (None, None)
    assert outcome.found
    assert outcome.confidence is not None
    assert outcome.confidence < 0.35


def test_sentences_that_nothing_supports_are_counted(indexed: IndexedCorpus) -> None:
    indexed.engine.models.reader = ScriptedReader(["Harga beras naik tajam pada 2020. Beras naik 77 kali."])
    outcome = answers_eval.ask(ANSWERED, indexed)
    assert (outcome.written, outcome.dropped, outcome.text) == (2, 1, "Harga beras naik tajam pada 2020.")


def test_an_answer_that_was_cut_is_noted_in_either_way(indexed: IndexedCorpus) -> None:
    indexed.engine.models.reader = ScriptedReader(["Harga beras naik tajam pada 2020. Beras"], cut=True)
    outcome = answers_eval.ask(ANSWERED, indexed)
    assert (outcome.cut, outcome.text) == (True, "Harga beras naik tajam pada 2020.")
    phrases = indexed.engine.models.prompts.phrases("id")
    plain = [
        answers_eval.ask_plainly(ANSWERED, outcome.found, TEXTS, ScriptedChat("2020", cut=cut), phrases)
        for cut in (True, False)
    ]
    assert [one.cut for one in plain] == [True, False]


def test_a_citation_of_other_words_than_the_stored_ones_does_not_verify(
    indexed: IndexedCorpus, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the product thinks of its own citations."""
    monkeypatch.setattr("rag.answering.citations.verifies", lambda *_: True)
    monkeypatch.setattr("rag.answering.citing.cite", _off_by_one)
    outcome = answers_eval.ask(ANSWERED, indexed)
    assert outcome.citations
    assert not any(citation.verified for citation in outcome.citations)


def _off_by_one(places, tools):
    made = [
        cite(tools.original(passage.document_id), Span(passage.start + span.start, passage.start + span.end))
        for passage, span in places
    ]
    return tuple(replace(one, start=one.start + 1, end=one.end + 1) for one in made)


def test_the_plain_way_is_asked_of_the_same_chunks(indexed: IndexedCorpus) -> None:
    chat = ScriptedChat("Pada ", "2020.|1|7")
    found = answers_eval.ask(ANSWERED, indexed).found
    phrases = indexed.engine.models.prompts.phrases("id")
    outcome = answers_eval.ask_plainly(ANSWERED, found, TEXTS, chat, phrases)
    assert chat.shown == [tuple(TEXTS[one.passage][one.start : one.end] for one in found)]
    assert (outcome.answered, outcome.text, outcome.found) == (True, "Pada 2020.", found)
    assert outcome.citations == (Cited(found[0], None), Cited(None, None))
    assert outcome.seconds.token is not None
    assert 0 < outcome.seconds.token <= outcome.seconds.whole
    refused = answers_eval.ask_plainly(ANSWERED, found, TEXTS, ScriptedChat("|1"), phrases)
    assert (refused.answered, refused.text, refused.citations) == (False, "", ())


def test_what_the_ledger_has_is_not_asked_again(indexed: IndexedCorpus, tmp_path: Path) -> None:
    path = tmp_path / "outcomes.jsonl"
    answers_eval.ask_all([ANSWERED], indexed, Ledger(path, RUN), lambda *_: None)
    told: list[tuple[int, int]] = []
    again = Ledger(path, RUN)
    first = again.outcomes["rag"]["1"]
    answers_eval.ask_all([ANSWERED, REFUSED], indexed, again, lambda *done: told.append(done))
    assert (again.outcomes["rag"]["1"], set(again.outcomes["rag"])) == (first, {"1", "2"})
    assert told == [(0, 2), (1, 2), (2, 2)]


def test_the_plain_way_is_opened_only_where_it_is_asked(indexed: IndexedCorpus) -> None:
    ledger = Ledger(None, RUN)
    answers_eval.ask_all([ANSWERED], indexed, ledger, lambda *_: None)
    opened: list[ScriptedChat] = []

    def open_plain() -> ScriptedChat:
        opened.append(ScriptedChat("Pada 2020.|1"))
        return opened[-1]

    for questions in ([], [ANSWERED], [ANSWERED]):
        answers_eval.ask_all_plainly(
            questions,
            TEXTS,
            ledger,
            open_plain=open_plain,
            phrases=indexed.engine.models.prompts.phrases,
            told=lambda *_: None,
        )
    assert len(opened) == len(opened[0].shown) == 1
    assert ledger.outcomes["plain"]["1"].citations[0].place == Place("rice", 0, len(TEXTS["rice"]))


def test_a_sample_is_always_the_same_and_holds_the_smaller_ones() -> None:
    questions = [JudgedQuestion(str(i), "?", "id", ()) for i in range(50)]
    ten = answers_eval.sample(questions, 10)
    assert ten == answers_eval.sample(questions[::-1], 10)
    assert ten[:4] == answers_eval.sample(questions, 4)
    assert ten != questions[:10]
    assert sorted(one.id for one in answers_eval.sample(questions, None)) == sorted(one.id for one in questions)


def test_a_corpus_does_not_go_among_other_documents(engine: Engine, indexed: IndexedCorpus, tmp_path: Path) -> None:
    home = indexed.engine.settings.home
    assert corpus.index(engine, PASSAGES, home, SilentObserver()).ids == indexed.ids
    with pytest.raises(QuestionError, match=r"has other documents, as 0000001\.txt"):
        corpus.index(engine, PASSAGES[:1], home, SilentObserver())
