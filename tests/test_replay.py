"""An answer is asked again by its receipt: the same of the same snapshot, and a line for each thing that is not there."""

import json
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

import rag.engine
from rag import replay
from rag.cli.main import main
from rag.engine import Engine
from rag.errors import QuestionError
from rag.types import Answer, Turn
from rag.weights.catalogue import JUDGE, SHIPPED
from tests.conftest import SEED, FakeEngine, FakeModels
from tests.fakes import ScriptedReader

QUESTION = "Apa kata Menteri Pertahanan Ashtiani tentang Venezuela?"
Rag = Callable[..., int]


@pytest.fixture
def rag_(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> Rag:
    """The command line over the fake models and the engine's home."""
    monkeypatch.setattr(rag.engine, "Engine", FakeEngine)
    chosen = engine.settings
    flags = [
        "--home",
        str(chosen.home),
        "--cache",
        str(chosen.cache),
        "--embedder",
        "bag",
        "--llm",
        "overlap",
        "--judge",
        JUDGE,
    ]
    return lambda command, *arguments: main([command, *flags, *arguments])


@pytest.fixture
def asked(rag_: Rag, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    """The file of an answer that `rag ask --json` wrote."""
    assert rag_("ask", QUESTION, "--json", "--passages", "3", "--where", "language=id") == 0
    path = tmp_path / "answer.json"
    path.write_text(capsys.readouterr().out, "utf-8")
    return path


def altered(path: Path, **fields: Any) -> Path:
    row = json.loads(path.read_text("utf-8"))
    path.write_text(json.dumps({**row, **fields, "receipt": {**row["receipt"], **fields.get("receipt", {})}}), "utf-8")
    return path


def change_the_seed(engine: Engine) -> None:
    (engine.settings.seeds / SEED).write_text("Menteri Pertahanan Ashtiani tidak berkata apa-apa tentang Venezuela.", "utf-8")
    engine.rebuild()


def test_the_receipt_says_what_the_answer_was_asked_with(asked: Path) -> None:
    receipt = json.loads(asked.read_text("utf-8"))["receipt"]
    assert receipt["parameters"] == {
        "where": "language=id",
        "passages": 3,
        "min_confidence": 0.6,
        "unsupported": "drop",
        "context_tokens": 4096,
        "answer_tokens": 160,
        "temperature": 0.0,
        "seed": None,
    }
    assert receipt["version"] == rag.__version__


def test_what_is_read_is_what_was_answered(engine: Engine, tmp_path: Path) -> None:
    answer = engine.ask(QUESTION)
    path = tmp_path / "answer.json"
    path.write_text(json.dumps(asdict(answer)), "utf-8")
    past = replay.read(path)
    assert (past.question, past.text, past.citations, past.receipt) == (
        answer.question,
        answer.text,
        answer.citations,
        answer.receipt,
    )
    assert [verdict.confidence for verdict in past.verdicts] == [
        passage.confidence for passage in answer.passages if passage.confidence is not None
    ]


def test_an_answer_is_replayed_of_its_snapshot_until_that_is_pruned(
    rag_: Rag, engine: Engine, asked: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert rag_("replay", str(asked)) == 0
    assert capsys.readouterr().out == "text: the same\ncitations: the same\nverdicts: the same\n"
    change_the_seed(engine)
    assert "apa-apa" in engine.ask(QUESTION).text
    assert rag_("replay", str(asked), "--json") == 0
    assert json.loads(capsys.readouterr().out)["answer"]["text"] == json.loads(asked.read_text("utf-8"))["text"]
    engine.prune(1)
    assert rag_("replay", str(asked)) == 4
    output = capsys.readouterr()
    (line,) = output.err.splitlines()
    assert "no longer exists; it cannot be restored: ask again on the current index" in line
    assert output.out == ""


def test_an_older_snapshot_is_asked_while_another_serves(engine: Engine) -> None:
    before = engine.ask(QUESTION)
    change_the_seed(engine)
    again = engine.ask(QUESTION, snapshot_id=before.receipt.snapshot)
    assert (again.text, again.citations) == (before.text, before.citations)
    assert again.receipt.snapshot == before.receipt.snapshot != engine.serving()
    assert engine.ask(QUESTION).receipt.snapshot == engine.serving()


def test_the_parameters_of_the_answer_win_over_the_settings(rag_: Rag, asked: Path) -> None:
    assert rag_("replay", str(asked), "--passages", "1", "--min-confidence", "1") == 0


def test_each_thing_that_is_not_the_same_is_a_line_with_a_hint(
    rag_: Rag, asked: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    altered(asked, receipt={"embedder": "other", "judge": "llm", "llm": "f" * 64, "prompts": "old"})
    assert rag_("replay", str(asked)) == 4
    lines = capsys.readouterr().err.splitlines()
    assert lines == [
        "rag: the embedder is bag-1, and the answer was made with other; set RAG_EMBEDDER to that one",
        f"rag: the judge is {JUDGE}, and the answer was made with llm; set RAG_JUDGE to that one",
        f"rag: the llm is overlap-1, and the answer was made with {'f' * 64}; set RAG_LLM to that one",
        "rag: the prompts have changed since this answer; restore the old `prompts` folder",
    ]


@pytest.mark.parametrize(("field", "code"), [("llm", 5), ("judge", 5), ("prompts", 6)])
def test_the_exit_code_is_that_of_what_is_not_the_same(rag_: Rag, asked: Path, field: str, code: int) -> None:
    assert rag_("replay", str(altered(asked, receipt={field: "x"}))) == code


def test_a_judge_by_its_digest_is_reported_by_its_name(rag_: Rag, asked: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert json.loads(asked.read_text("utf-8"))["receipt"]["judge"] == SHIPPED.sha256
    assert rag_("replay", str(asked), "--judge", "llm") == 5
    assert f"the judge is llm, and the answer was made with {JUDGE}; " in capsys.readouterr().err


def test_another_answer_has_an_exit_code_of_its_own(
    rag_: Rag, asked: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(FakeModels, "reader", ScriptedReader(["Iran mengekspor peralatan militer ke Venezuela."]))
    assert rag_("replay", str(asked)) == 8
    output = capsys.readouterr()
    assert "text: not the same\n" in output.out
    assert "verdicts: the same\n" in output.out
    assert "now:  Iran mengekspor" in output.out
    assert output.err.startswith("rag: the answer differs in text")
    assert output.err.endswith("; replay it on the machine that answered: processors round differently\n")
    altered(asked, receipt={"version": "0.0.1"})
    assert rag_("replay", str(asked), "--json") == 8
    assert "replay it with rag 0.0.1" in capsys.readouterr().err


def test_an_answer_that_was_cut_is_replayed_as_any(engine: Engine, tmp_path: Path) -> None:
    engine.models.reader = ScriptedReader(["Menteri Pertahanan Ashtiani mengatakan Iran. ", "Menteri Perta"], cut=True)
    answer, path = engine.ask(QUESTION), tmp_path / "answer.json"
    path.write_text(json.dumps(asdict(answer)), "utf-8")
    assert answer.cut
    assert replay.replay(replay.read(path), engine).differing == []


def test_verdicts_are_the_same_within_what_rounding_does(engine: Engine, tmp_path: Path) -> None:
    path = tmp_path / "answer.json"
    path.write_text(json.dumps(asdict(engine.ask(QUESTION))), "utf-8")
    past = replay.read(path)
    first = past.verdicts[0]

    def verdicts(*changed: replay.Verdict) -> bool:
        return replay.replay(replace(past, verdicts=(*changed, *past.verdicts[1:])), engine).verdicts

    assert verdicts(replace(first, confidence=first.confidence - 0.06))
    assert not verdicts(replace(first, confidence=first.confidence - 0.08))
    assert not verdicts(replace(first, end=first.end + 1))
    assert not verdicts()


@pytest.mark.parametrize(
    "content",
    [
        "",
        "no json",
        "[]",
        "{}",
        '{"question": "Siapa?"}',
        '{"question": 3, "text": "", "citations": [], "passages": [], "receipt": {}}',
        '{"question": "", "text": "", "citations": [], "passages": [], "receipt": {"snapshot": "x"}}',
        '{"question": "", "text": "", "citations": [{"text": 1}], "passages": [], "receipt": {}}',
    ],
)
def test_what_is_no_answer_is_one_line(rag_: Rag, tmp_path: Path, content: str, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "answer.json"
    path.write_text(content)
    assert rag_("replay", str(path)) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.endswith("; give what `rag ask --json` wrote")


def test_a_file_that_is_not_there_and_invalid_parameters_are_reported(asked: Path, engine: Engine) -> None:
    with pytest.raises(QuestionError, match="cannot be read"):
        replay.read(asked.with_name("nothing.json"))
    parameters = {**json.loads(asked.read_text("utf-8"))["receipt"]["parameters"], "passages": 0}
    past = replay.read(altered(asked, receipt={"parameters": parameters}))
    with pytest.raises(QuestionError, match="passages is 0"):
        replay.settings_of(past, engine.settings)
    with pytest.raises(QuestionError, match="`rag ask --json`"):
        replay.read(altered(asked, receipt={"parameters": {**parameters, "passages": "four"}}))


@pytest.mark.real
def test_a_real_answer_is_replayed_word_for_word(real_engine: Engine, tmp_path: Path) -> None:
    answer: Answer = real_engine.ask("Siapa Kepala Staf Angkatan Bersenjata Iran?")
    path = tmp_path / "answer.json"
    path.write_text(json.dumps(asdict(answer)), "utf-8")
    past = replay.read(path)
    again = Engine(replay.settings_of(past, real_engine.settings))
    assert list(replay.lacking(past, again)) == []
    assert replay.replay(past, again).differing == []


def test_a_follow_up_is_asked_again_as_it_was_understood_without_its_history(rag_: Rag, engine: Engine, tmp_path: Path) -> None:
    turn = Turn("Siapa Menteri Pertahanan Iran?", "Menteri Pertahanan Iran adalah Ashtiani.")
    answer = engine.ask("Apa katanya tentang Venezuela?", history=[turn])
    assert answer.understood_as
    path = tmp_path / "answer.json"
    path.write_text(json.dumps(asdict(answer)), "utf-8")
    assert rag_("replay", str(path)) == 0
