"""A cross-encoder's folder as a judge, without any network."""

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from rag.errors import WeightsError, WeightsMissing
from rag.judging import hub
from rag.judging.hub import HubJudge
from tests.embedding import tiny

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
    judge = hub.open_named(str(cross_encoder(tmp_path / "model", 1, activation)))
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
    with pytest.raises(WeightsError, match=r"gives 2 scores a pair, not one; set RAG_JUDGE to another$"):
        hub.open_named(str(path))


def test_a_folder_without_a_model_is_told(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"^no sentence-transformers cross-encoder in .*; set RAG_JUDGE to another$"):
        hub.open_named(str(tmp_path))


def test_a_name_that_is_nowhere_is_told(tmp_path: Path) -> None:
    with pytest.raises(WeightsMissing, match=r"^no cross-encoder nobody/nothing on .*, or unset RAG_JUDGE to use") as raised:
        hub.open_named("nobody/nothing")
    assert "\n" not in str(raised.value)
