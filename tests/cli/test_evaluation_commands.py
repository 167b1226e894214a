"""`rag eval` as a user sees it, over the fake models: real index, real files, one line for an error."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

import rag.engine
from rag.cli.main import main
from rag.engine import Engine
from rag.evaluation import baseline, measures, pictures
from rag.evaluation.dataset import CorpusPassage, Dataset
from rag.evaluation.retrieval_eval import IndexRanker
from rag.weights.catalogue import JUDGE
from tests.evaluation.fakes import JudgingEngine, ScriptedChat
from tests.fakes import silent

CORPUS = [
    {"id": "rice", "title": "Beras", "text": "harga beras naik 2020"},
    {"id": "sugar", "title": "", "text": "harga gula turun 1999"},
    {"id": "boat", "title": "", "text": "kapal selam 5 orang"},
]
QUESTIONS = [
    {"id": "1", "question": "kapan harga beras naik", "lang": "id", "answers": ["2020"], "relevant": ["rice"]},
    {"id": "2", "question": "kapan harga gula turun", "lang": "id", "answers": ["1999"], "relevant": ["sugar"]},
    {"id": "3", "question": "kapan kapal terbang", "lang": "id", "relevant": [], "answerable": False, "paired": ["boat"]},
]
CLAIMS = [
    {"question_id": "1", "claim": "beras naik", "cited": ["rice"], "attributable": True},
    {"question_id": "2", "claim": "gula naik", "cited": ["boat"], "attributable": False},
]
Rag = Callable[..., int]


@pytest.fixture
def rag_eval(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Rag:
    """`rag eval` with the files of this test and the arguments given; the exit code."""
    monkeypatch.setattr(rag.engine, "Engine", JudgingEngine)
    monkeypatch.setattr(measures, "_RESAMPLES", 20)
    monkeypatch.setenv("RAG_JUDGE", JUDGE)
    files = {}
    for name, rows in (("corpus", CORPUS), ("questions", QUESTIONS), ("claims", CLAIMS)):
        files[name] = tmp_path / f"{name}.jsonl"
        files[name].write_text("\n".join(json.dumps(row) for row in rows), "utf-8")

    def run(what: str, *arguments: str, claims: bool = False) -> int:
        given = ["--corpus", str(files["corpus"]), "--questions", str(files["questions"])]
        given += ["--claims", str(files["claims"])] if claims else []
        return main(["eval", what, *given, "--cache", str(tmp_path / "cache"), *arguments])

    return run


@pytest.mark.slow("measures with intervals of thousands of samples")
def test_a_judge_is_measured(rag_eval: Rag, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    kept = tmp_path / "kept"
    assert rag_eval("judge", "--json", "--keep", str(kept), claims=True) == 0
    value = json.loads(capsys.readouterr().out)
    assert value["answers"]["negatives"] == ["paired"]
    assert value["answers"]["groups"][0]["auroc"]["value"] == 1
    assert value["spans"][0]["exact_match"]["value"] == 1
    assert value["reranking"][0]["reranked"]["recall@1"]["value"] == 1
    assert value["support"][0]["verdicts"]["pairs"] == 2
    assert value["left_out"] == []
    assert (kept / "index" / "current").exists()
    assert rag_eval("judge", "--keep", str(kept)) == 0
    shown = capsys.readouterr().out
    assert "answers: does the passage answer the question" in shown
    assert shown.endswith("left out: support: no --claims were given\n")


@pytest.mark.slow("starts a process for each command")
def test_another_judge_marks_and_checks_nothing(rag_eval: Rag, capsys: pytest.CaptureFixture[str]) -> None:
    assert rag_eval("judge", "--judge", "llm", claims=True) == 0
    shown = capsys.readouterr().out
    assert shown.startswith("judge llm: ")
    assert "left out: span: this judge marks no answers\nleft out: support: this judge does not check claims\n" in shown


def test_missing_matplotlib_is_reported_before_anything_is_measured(
    rag_eval: Rag, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pictures, "find_spec", lambda _: None)
    assert rag_eval("judge", "--pictures", str(tmp_path / "drawn")) == 2
    output = capsys.readouterr()
    assert output.err == "rag: pictures need matplotlib; run pip install 'rag[evaluation]'\n"
    assert output.out == ""


def test_a_wrong_claim_is_one_line(rag_eval: Rag, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    wrong = tmp_path / "wrong.jsonl"
    wrong.write_text(json.dumps({**CLAIMS[0], "cited": ["tea"]}))
    assert rag_eval("judge", "--claims", str(wrong)) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "wrong.jsonl line 1: the corpus has no passage tea; " in line


def test_answers_are_measured_and_the_plain_way_beside_them(
    rag_eval: Rag, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(baseline, "open_chat", lambda *_: ScriptedChat("pada 2020|1"))
    where = ["--outcomes", str(tmp_path / "outcomes.jsonl"), "--keep", str(tmp_path / "kept")]
    assert rag_eval("answers", "--json", "--plain", "5", *where) == 0
    value = json.loads(capsys.readouterr().out)
    (group,) = value["groups"]
    assert (group["answerable"], group["unanswerable"], value["passages"]) == (2, 1, 3)
    for measure in ("right outcome", "citation precision", "citation recall", "citations verified", "abstention recall"):
        assert group["measures"][measure]["value"] == 1
    (beside,) = value["plain"]
    assert beside["plain"]["measures"]["right outcome"]["value"] == pytest.approx(1 / 3)
    assert beside["gain"]["right outcome"]["value"] == pytest.approx(2 / 3)
    assert len(value["curve"]) == 101
    assert value["run"]["parameters"]["passages"] == 4
    assert len((tmp_path / "outcomes.jsonl").read_text().splitlines()) == 1 + 3 + 3
    # Nothing is asked again.
    monkeypatch.setattr(baseline, "open_chat", lambda *_: pytest.fail("opened"))
    assert rag_eval("answers", "--plain", "5", *where) == 0
    shown = capsys.readouterr().out
    assert shown.startswith("2 answerable questions, 1 others, 3 passages\nllm overlap-1, judge ")
    assert "\nright outcome           1.000 [1.000, 1.000]\n" in shown
    assert "\nall (2 + 1)             the plain way           rag on the same         rag - plain\n" in shown
    assert "\nseconds until token     " in shown


def test_a_sample_is_of_each_kind(rag_eval: Rag, capsys: pytest.CaptureFixture[str]) -> None:
    assert rag_eval("answers", "--json", "--sample", "1") == 0
    value = json.loads(capsys.readouterr().out)
    assert (value["groups"][0]["answerable"], value["groups"][0]["unanswerable"], value["plain"]) == (1, 1, [])


@pytest.mark.parametrize("arguments", [("--sample", "0"), ("--plain", "-1")])
def test_an_empty_sample_is_refused(rag_eval: Rag, arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    assert rag_eval("answers", *arguments) == 2
    assert capsys.readouterr().err.endswith("; give --sample 1 or more and --plain 0 or more\n")


def test_outcomes_of_other_settings_are_not_resumed(rag_eval: Rag, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    where = ["--outcomes", str(tmp_path / "outcomes.jsonl")]
    assert rag_eval("answers", *where) == 0
    assert rag_eval("answers", "--min-confidence", "0.5", *where) == 2
    assert "was written by a run with different parameters; " in capsys.readouterr().err


@pytest.mark.slow("starts a process for each command")
def test_the_curves_of_refusing_are_drawn(rag_eval: Rag, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    assert rag_eval("answers", "--pictures", str(tmp_path / "drawn")) == 0
    assert (tmp_path / "drawn" / "abstention.png").read_bytes().startswith(b"\x89PNG")


def test_retrieval_is_measured_and_knows_no_claims(rag_eval: Rag, capsys: pytest.CaptureFixture[str]) -> None:
    assert rag_eval("retrieval", "--json") == 0
    assert json.loads(capsys.readouterr().out)["left_out"] == 1
    assert rag_eval("retrieval", claims=True) == 2
    assert "there is no argument --claims" in capsys.readouterr().err


def test_found_passages_have_their_best_chunk_in_the_order_of_ranks(engine: Engine, tmp_path: Path) -> None:
    long = "\n\n".join(f"Bagian {number} tentang hal lain. " + "Kata ini mengisi halaman. " * 40 for number in range(4))
    corpus = [CorpusPassage("long", f"{long}\n\nHarga kedelai naik tajam."), CorpusPassage("short", "Harga beras turun.")]
    ranker = IndexRanker(engine, Dataset(tuple(corpus), (), 0), tmp_path / "corpus", silent)
    found = ranker.find("kedelai naik tajam", 10)
    assert [passage.id for passage in found] == ranker.rank("kedelai naik tajam", "hybrid", 10) == ["long", "short"]
    assert "kedelai" in found[0].text
    assert found[0].text in corpus[0].text
    assert len(found[0].text) < len(corpus[0].text) / 2
    assert found[0].score > found[1].score
    assert [passage.id for passage in ranker.find("kedelai naik tajam", 1)] == ["long"]
