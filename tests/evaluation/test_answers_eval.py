"""Questions are asked on a real index with fake models, their outcomes recorded and measured; once with real weights."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from rag.answering.citing import citation_of
from rag.cli.main import main
from rag.engine import Engine
from rag.errors import QuestionError
from rag.evaluation import answers_eval, dataset, measures
from rag.evaluation.answers_eval import Choice
from rag.evaluation.dataset import AskedData, CorpusPassage, IndexedCorpus, JudgedQuestion
from rag.evaluation.outcomes import Cited, Ledger, Place, Run
from rag.settings import Settings
from rag.types import Span
from rag.weights.catalogue import JUDGE
from tests.evaluation.fakes import ScriptedChat
from tests.fakes import ScriptedReader, silent

PASSAGES = (
    CorpusPassage("rice", "Beras\n\nHarga beras naik tajam pada 2020. Rapat itu di Jakarta."),
    CorpusPassage("sugar", "Harga gula turun pada 1999."),
)
TEXTS = {passage.id: passage.text for passage in PASSAGES}
ANSWERED = JudgedQuestion("1", "Kapan harga beras naik tajam?", "id", ("rice",), ("2020",))
REFUSED = JudgedQuestion("2", "Siapa juara sepak bola Brasil?", "id", ())
RUN = Run("", "", "", "", "j" * 64, "llm", "", {})


@pytest.fixture
def indexed(engine: Engine, tmp_path: Path) -> IndexedCorpus:
    return dataset.index(engine, PASSAGES, tmp_path / "corpus", silent)


def test_an_answer_is_recorded_with_its_places_and_times(indexed: IndexedCorpus) -> None:
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


def test_a_refusal_has_no_text_and_no_citations(indexed: IndexedCorpus) -> None:
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


def test_a_cut_answer_is_recorded_in_both_ways(indexed: IndexedCorpus) -> None:
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
    """Independent of the product's own check."""
    monkeypatch.setattr("rag.answering.citing.verifies", lambda *_: True)
    monkeypatch.setattr("rag.answering.citing.cite", _off_by_one)
    outcome = answers_eval.ask(ANSWERED, indexed)
    assert outcome.citations
    assert not any(citation.verified for citation in outcome.citations)


def _off_by_one(places, tools):
    made = [
        citation_of(tools.original(passage.document_id), Span(passage.start + span.start, passage.start + span.end))
        for passage, span in places
    ]
    return tuple(replace(one, start=one.start + 1, end=one.end + 1) for one in made)


def test_the_plain_way_gets_the_same_chunks(indexed: IndexedCorpus) -> None:
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


def test_a_question_in_the_ledger_is_not_asked_again(indexed: IndexedCorpus, tmp_path: Path) -> None:
    path = tmp_path / "outcomes.jsonl"
    answers_eval.ask_all([ANSWERED], indexed, Ledger(path, RUN), lambda *_: None)
    reported: list[tuple[int, int]] = []
    again = Ledger(path, RUN)
    first = again.outcomes["rag"]["1"]
    answers_eval.ask_all([ANSWERED, REFUSED], indexed, again, lambda *done: reported.append(done))
    assert (again.outcomes["rag"]["1"], set(again.outcomes["rag"])) == (first, {"1", "2"})
    assert reported == [(0, 2), (1, 2), (2, 2)]


def test_the_plain_way_is_loaded_only_if_it_is_needed(indexed: IndexedCorpus) -> None:
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
            progress=lambda *_: None,
        )
    assert len(opened) == len(opened[0].shown) == 1
    assert ledger.outcomes["plain"]["1"].citations[0].place == Place("rice", 0, len(TEXTS["rice"]))


def test_a_sample_is_always_the_same_and_contains_the_smaller_ones() -> None:
    questions = [JudgedQuestion(str(i), "?", "id", ()) for i in range(50)]
    ten = answers_eval.sample(questions, 10)
    assert ten == answers_eval.sample(questions[::-1], 10)
    assert ten[:4] == answers_eval.sample(questions, 4)
    assert ten != questions[:10]
    assert sorted(one.id for one in answers_eval.sample(questions, None)) == sorted(one.id for one in questions)


def test_a_corpus_is_not_mixed_with_other_documents(engine: Engine, indexed: IndexedCorpus, tmp_path: Path) -> None:
    home = indexed.engine.settings.home
    assert dataset.index(engine, PASSAGES, home, silent).ids == indexed.ids
    with pytest.raises(QuestionError, match=r"has other documents, such as 0000001\.txt"):
        dataset.index(engine, PASSAGES[:1], home, silent)


EVALUATED = (
    CorpusPassage("rice", "Harga beras naik tajam pada 2020. Rapat itu di Jakarta."),
    CorpusPassage("boat", "The old ship sank slowly in 1999."),
)
DATA = AskedData(
    EVALUATED,
    (
        JudgedQuestion("1", "Kapan harga beras naik tajam?", "id", ("rice",), ("2020",), evidence=(EVALUATED[0].text[:33],)),
        JudgedQuestion("2", "When did the old ship sink slowly?", "en", ("boat",), ("1999",)),
    ),
    (
        JudgedQuestion("3", "Siapa juara sepak bola Brasil?", "id", ()),
        JudgedQuestion("4", "Kapan harga beras naik lagi?", "id", ("rice",)),
    ),
    left_out=5,
)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measures, "_RESAMPLES", 50)


def evaluated(engine: Engine, home: Path, choice: Choice) -> answers_eval.AnswerEvaluation:
    engine.settings = replace(engine.settings, min_confidence=0.35)
    indexed = dataset.index(engine, EVALUATED, home, silent)
    return answers_eval.evaluate(DATA, indexed, Ledger(None, RUN), choice, open_plain=lambda: ScriptedChat("pada 2020|1"))


def test_all_questions_are_asked_and_measured_by_language(engine: Engine, tmp_path: Path) -> None:
    found = evaluated(engine, tmp_path / "corpus", Choice(None, 0))
    assert [(group.language, group.answerable, group.unanswerable) for group in found.groups] == [
        ("all", 2, 2),
        ("en", 1, 0),
        ("id", 1, 2),
    ]
    measures = found.groups[0].measures
    # A question with one other word than the passage is answered, because the fake judge counts common words.
    for name, expected in (("right outcome", 3 / 4), ("abstention recall", 1 / 2), ("evidence recall", 1), ("token F1", 0.3)):
        estimate = measures[name]
        assert estimate
        assert estimate.value == pytest.approx(expected, abs=0.1)
    assert (found.plain, found.threshold, found.left_out, found.run) == ((), 0.35, 5, RUN)


def test_the_plain_way_is_asked_no_more_questions_than_the_product(engine: Engine, tmp_path: Path) -> None:
    found = evaluated(engine, tmp_path / "corpus", Choice(1, 7))
    (beside, *_) = found.plain
    assert (beside.plain.answerable, beside.plain.unanswerable) == (1, 1)
    assert (beside.rag.answerable, beside.rag.unanswerable) == (1, 1)


REAL_CORPUS = [
    {"id": "a", "text": "Gunung Kelud terletak di Jawa Timur. Gunung itu meletus pada 13 Februari 2014."},
    {"id": "b", "text": "Danau Toba terletak di Sumatra Utara. Danau itu terbentuk oleh letusan gunung api raksasa."},
    {"id": "c", "text": "Candi Borobudur dibangun pada masa wangsa Syailendra. Candi itu terletak di Magelang."},
]
REAL_QUESTIONS = [
    ("Kapan Gunung Kelud meletus?", ["13 Februari 2014"], ["a"]),
    ("Di mana letak Danau Toba?", ["Sumatra Utara"], ["b"]),
    ("Di mana letak Candi Borobudur?", ["Magelang"], ["c"]),
    ("Siapa presiden pertama Brasil?", [], []),
    ("Berapa harga tiket kereta ke Bandung?", [], []),
    ("Siapa penemu mesin uap?", [], []),
]


@pytest.mark.real
def test_a_real_evaluation_of_six_questions(
    real_settings: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = {}
    questions = [
        {"id": str(i), "question": asked, "lang": "id", "answers": gold, "relevant": relevant, "answerable": bool(relevant)}
        for i, (asked, gold, relevant) in enumerate(REAL_QUESTIONS)
    ]
    for name, rows in (("corpus", REAL_CORPUS), ("questions", questions)):
        files[name] = tmp_path / f"{name}.jsonl"
        files[name].write_text("\n".join(json.dumps(row) for row in rows), "utf-8")
    where = [
        "--corpus",
        str(files["corpus"]),
        "--questions",
        str(files["questions"]),
        "--outcomes",
        str(tmp_path / "outcomes.jsonl"),
    ]
    chosen = ["--llm", real_settings.llm, "--judge", JUDGE, "--home", str(tmp_path), "--cache", str(real_settings.cache)]
    assert main(["eval", "answers", *where, *chosen, "--plain", "1", "--json"]) == 0
    value = json.loads(capsys.readouterr().out)
    (group,) = value["groups"]
    measures = {name: found and found["value"] for name, found in group["measures"].items()}
    assert (group["answerable"], group["unanswerable"]) == (3, 3)
    assert measures["citations verified"] == 1
    assert measures["gold passage found"] == 1
    assert measures["abstention recall"] >= 2 / 3
    assert measures["right outcome"] >= 1 / 2
    assert group["seconds"]["whole"]["count"] == 6
    (beside,) = value["plain"]
    assert (beside["plain"]["answerable"], beside["plain"]["unanswerable"]) == (1, 1)
    assert beside["plain"]["seconds"]["token"]["count"] == 2
    # Nothing is asked again: this run needs no time of the models.
    before = (tmp_path / "outcomes.jsonl").read_bytes()
    assert main(["eval", "answers", *where, *chosen, "--plain", "1"]) == 0
    assert (tmp_path / "outcomes.jsonl").read_bytes() == before
