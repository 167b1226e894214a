"""A whole evaluation over a corpus of a test: joined from its parts with the fakes, and run with real weights."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from rag.cli.main import main
from rag.engine import Engine
from rag.evaluation import answers, answers_report, corpus, measures
from rag.evaluation.answers import Choice
from rag.evaluation.dataset import AskedData, CorpusPassage, JudgedQuestion
from rag.evaluation.ledger import Ledger, Run
from rag.settings import Settings
from rag.weights.catalogue import JUDGE
from tests.evaluation.fakes import ScriptedChat
from tests.fakes import SilentObserver

RUN = Run("", "", "", "", "j" * 64, "llm", "", {})
PASSAGES = (
    CorpusPassage("rice", "Harga beras naik tajam pada 2020. Rapat itu di Jakarta."),
    CorpusPassage("boat", "The old ship sank slowly in 1999."),
)
DATA = AskedData(
    PASSAGES,
    (
        JudgedQuestion("1", "Kapan harga beras naik tajam?", "id", ("rice",), ("2020",), evidence=(PASSAGES[0].text[:33],)),
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


def evaluated(engine: Engine, home: Path, choice: Choice) -> answers.AnswerEvaluation:
    engine.settings = replace(engine.settings, min_confidence=0.35)
    indexed = corpus.index(engine, PASSAGES, home, SilentObserver())
    return answers.evaluate(DATA, indexed, Ledger(None, RUN), choice, open_plain=lambda: ScriptedChat("pada 2020|1"))


def test_all_questions_are_asked_and_measured_by_language(engine: Engine, tmp_path: Path) -> None:
    found = evaluated(engine, tmp_path / "corpus", Choice(None, 0))
    assert [(group.language, group.answerable, group.unanswerable) for group in found.groups] == [
        ("all", 2, 2),
        ("en", 1, 0),
        ("id", 1, 2),
    ]
    measures = found.groups[0].measures
    # One question of another word than the passage has is answered, as an overlap of words must.
    for name, expected in (("right outcome", 3 / 4), ("abstention recall", 1 / 2), ("evidence recall", 1), ("token F1", 0.3)):
        estimate = measures[name]
        assert estimate
        assert estimate.value == pytest.approx(expected, abs=0.1)
    assert (found.plain, found.threshold, found.left_out, found.run) == ((), 0.35, 5, RUN)


def test_the_plain_way_is_asked_of_no_more_than_the_product(engine: Engine, tmp_path: Path) -> None:
    found = evaluated(engine, tmp_path / "corpus", Choice(1, 7))
    (beside, *_) = found.plain
    assert (beside.plain.answerable, beside.plain.unanswerable) == (1, 1)
    assert (beside.rag.answerable, beside.rag.unanswerable) == (1, 1)


def test_the_report_says_what_was_left_out_and_what_is_not_defined(engine: Engine, tmp_path: Path) -> None:
    shown = answers_report.table(evaluated(engine, tmp_path / "corpus", Choice(None, 2))).split("\n")
    assert shown[0] == "2 answerable questions, 2 others, 2 passages, 5 questions that cannot stand alone left out"
    assert shown[1] == "llm llm, judge jjjjjjjjjjjj, refusing under 0.35"
    english = shown[shown.index("en (1 answerable, 0 others)") :]
    assert "abstention recall       -" in english
    assert sum(line.startswith("refusing under  ") for line in shown) == 1
    assert sum("the plain way" in line for line in shown) == 3


CORPUS = [
    {"id": "a", "text": "Gunung Kelud terletak di Jawa Timur. Gunung itu meletus pada 13 Februari 2014."},
    {"id": "b", "text": "Danau Toba terletak di Sumatra Utara. Danau itu terbentuk oleh letusan gunung api raksasa."},
    {"id": "c", "text": "Candi Borobudur dibangun pada masa wangsa Syailendra. Candi itu terletak di Magelang."},
]
ASKED = [
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
        for i, (asked, gold, relevant) in enumerate(ASKED)
    ]
    for name, rows in (("corpus", CORPUS), ("questions", questions)):
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
    # What was asked is not asked again: without the models' time this is over at once.
    before = (tmp_path / "outcomes.jsonl").read_bytes()
    assert main(["eval", "answers", *where, *chosen, "--plain", "1"]) == 0
    assert (tmp_path / "outcomes.jsonl").read_bytes() == before
