"""The language model's yes or no as a judge.

A cross-encoder's folder as a judge, without any network.
"""

import json
import math
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from rag.errors import WeightsError, WeightsMissing
from rag.judging import other_judges
from rag.judging.other_judges import HubJudge, LlmJudge, SecondOpinion
from rag.types import Calibration, Judgement, Span
from tests.embedding import tiny
from tests.fakes import ScriptedJudge, ScriptedReader

CALIBRATION = Calibration(centre=1.5, scale=0.5)


def test_its_log_odds_become_probabilities_in_the_passages_order() -> None:
    reader = ScriptedReader(log_odds={"satu": 1.5, "dua": 2.5, "tiga": -400.0})
    judgements = list(LlmJudge(reader, CALIBRATION).judge("Apa?", ["satu", "dua", "tiga"]))
    assert [j.confidence for j in judgements] == pytest.approx([0.5, 1 / (1 + math.exp(-2)), 0])
    assert [j.span for j in judgements] == [None] * 3


def test_a_passage_that_nobody_asks_for_is_not_read() -> None:
    reader = ScriptedReader()
    judgements = LlmJudge(reader, CALIBRATION).judge("Apa?", ["satu", "dua", "tiga"])
    assert reader.judged == []
    next(judgements)
    assert reader.judged == ["satu"]


def test_no_passages_no_judgements() -> None:
    assert list(LlmJudge(ScriptedReader(), CALIBRATION).judge("Apa?", [])) == []


TEXTS = ["satu", "dua", "tiga"]


class Quick:
    certain = 0.9

    def __init__(self, *confidences: float) -> None:
        self.confidences, self.read = confidences, list[str]()

    def judge(self, question: str, passages: Sequence[str]) -> Iterator[Judgement]:
        for passage, confidence in zip(passages, self.confidences, strict=True):
            self.read.append(passage)
            yield Judgement(confidence, Span(0, 2))


def confidences(first: Quick, second: ScriptedJudge | None) -> list[float]:
    """Where `second` is None it must not be asked."""
    judge = SecondOpinion(first, lambda: second or pytest.fail("asked"), 0.35)
    assert judge.certain == first.certain
    found = list(judge.judge("Apa?", TEXTS))
    assert all(judgement.span == Span(0, 2) for judgement in found)
    return [judgement.confidence for judgement in found]


@pytest.mark.parametrize("given", [(0.1, 0.35, 0.2), (0.95, 0.0, 0.0), (0.0, 0.0, 0.5)])
def test_where_the_first_finds_an_answer_nobody_else_is_asked(given: tuple[float, ...]) -> None:
    assert confidences(Quick(*given), None) == list(given)


def test_where_it_finds_none_the_second_reads_the_nearest_and_only_that() -> None:
    assert confidences(Quick(0.1, 0.3, 0.2), ScriptedJudge({"satu": 0.9, "dua": 0.8, "tiga": 0.9})) == [0.1, 0.8, 0.2]


@pytest.mark.parametrize("said", [0.0, 0.34])
def test_a_second_one_that_is_not_sure_changes_nothing(said: float) -> None:
    assert confidences(Quick(0.1, 0.3, 0.2), ScriptedJudge(said)) == [0.1, 0.3, 0.2]


def test_after_one_that_answers_the_rest_is_read_only_when_asked_for() -> None:
    first = Quick(0.2, 0.95, 0.3)
    found = SecondOpinion(first, lambda: pytest.fail("asked"), 0.35).judge("Apa?", TEXTS)
    assert [next(found).confidence, next(found).confidence] == [0.2, 0.95]
    assert first.read == ["satu", "dua"]


def test_of_no_passages_nothing_is_said() -> None:
    assert list(SecondOpinion(Quick(), lambda: pytest.fail("asked"), 0.35).judge("Apa?", [])) == []


PASSAGES = ["Jakarta ibu kota .", "", "kucing makan ikan", "ikan " * 100, "ibu\u200b kota\x00", "tak dikenal"]


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)

    def refuse(*_: object) -> None:
        raise OSError("the network was asked")

    monkeypatch.setattr("socket.socket.connect", refuse)
    monkeypatch.setattr("socket.getaddrinfo", refuse)


def cross_encoder(path: Path, labels: int, activation: str | None = None) -> Path:
    """The tiny model with a random head of so many scores."""
    import torch
    from transformers import BertConfig, BertForSequenceClassification

    torch.manual_seed(1)
    tiny.write(path)
    config = json.loads((path / "config.json").read_text())
    for name in ("modules.json", "config_sentence_transformers.json", "sentence_bert_config.json", "model.safetensors"):
        (path / name).unlink()
    model = BertForSequenceClassification(BertConfig(**config, num_labels=labels, initializer_range=0.3))
    model.save_pretrained(path)
    if activation:
        config = json.loads((path / "config.json").read_text())
        (path / "config.json").write_text(json.dumps({**config, "sentence_transformers": {"activation_fn": activation}}))
    limit = {"model_max_length": tiny.POSITIONS}
    tokenizer = json.loads((path / "tokenizer_config.json").read_text())
    (path / "tokenizer_config.json").write_text(json.dumps({**tokenizer, **limit}))
    return path


@pytest.mark.parametrize("activation", [None, "torch.nn.modules.linear.Identity"])
def test_its_scores_are_probabilities_in_the_passages_order(tmp_path: Path, activation: str | None) -> None:
    judge = other_judges.open_named(str(cross_encoder(tmp_path / "model", 1, activation)))
    found = list(judge.judge("ibu kota", PASSAGES))
    assert all(0 <= judgement.confidence <= 1 and judgement.span is None for judgement in found)
    alone = [next(judge.judge("ibu kota", [passage])).confidence for passage in PASSAGES]
    assert [judgement.confidence for judgement in found] == pytest.approx(alone, abs=1e-5)
    assert len({round(confidence, 6) for confidence in alone}) == len(PASSAGES)
    assert list(judge.judge("ibu kota", [])) == []


def test_passages_that_nobody_asks_for_are_not_read_and_texts_are_normalised() -> None:
    read: list[tuple[str, str]] = []

    def score(pairs: Sequence[tuple[str, str]]) -> list[float]:
        read.extend(pairs)
        return [0.5] * 4

    judgements = HubJudge(score).judge(" ibu\n kota", PASSAGES)
    assert read == []
    next(judgements)
    assert read == [("ibu kota", passage.strip()) for passage in PASSAGES[:4]]


def test_a_model_with_several_scores_is_refused(tmp_path: Path) -> None:
    path = cross_encoder(tmp_path / "model", 2)
    with pytest.raises(WeightsError, match=r"gives 2 scores per pair, not one; set RAG_JUDGE to another$"):
        other_judges.open_named(str(path))


def test_a_folder_without_a_model_is_reported(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"^no sentence-transformers cross-encoder in .*; set RAG_JUDGE to another$"):
        other_judges.open_named(str(tmp_path))


def test_a_name_that_is_nowhere_is_reported(tmp_path: Path) -> None:
    with pytest.raises(WeightsMissing, match=r"^no cross-encoder nobody/nothing on .*, or unset RAG_JUDGE to use") as raised:
        other_judges.open_named("nobody/nothing")
    assert "\n" not in str(raised.value)
