"""Our own judge beside its torch twin, on a small random model."""

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from rag.embedding import folder, running
from rag.embedding.folder import Model
from rag.embedding.graph import ARITHMETICS, FLOAT32
from rag.embedding.openvino import OpenVinoEmbedder
from rag.errors import WeightsDamaged, WeightsMissing
from rag.files import sha256_file
from rag.judging import judge_file, small, spans
from rag.judging.odds import logistic
from rag.judging.pairs import Encoded, PairEncoder
from rag.judging.small import SmallJudge
from rag.text import visible
from rag.weights import shipped
from rag.weights.cache import WeightCache
from rag.weights.catalogue import CATALOGUE, SHIPPED
from tests.embedding import tiny
from tests.fakes import BagEmbedder
from tests.judging import making
from training.network import Network

QUESTION = "ibu kota"
PASSAGES = [
    "Jakarta ibu kota .",
    "",
    "ikan",
    "kucing makan ikan . " * 9,
    "kucing\u200b \n makan\x00ikan",
    "tak dikenal",
    "\u00ad",
    "Jakarta",
    "ibu kota ikan kucing",
]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    prompts = {"prompts": {"query": "query: ", "document": "passage: "}}
    return tiny.write(tmp_path / "model", config_sentence_transformers=prompts)


@pytest.fixture
def base(path: Path) -> Model:
    return folder.read(path)


@pytest.fixture
def judge(base: Model) -> SmallJudge:
    return SmallJudge("tiny", "0" * 64, making.judge_weights(base), FLOAT32)


def twin(path: Path, made: judge_file.JudgeWeights) -> Network:
    """The network of training with the judge's weights."""
    network = Network(path)
    tensors = {f"encoder.{name}": value for name, value in made.encoder.tensors.items()} | dict(made.heads)
    network.load_state_dict({name: torch.tensor(np.asarray(value, np.float32)) for name, value in tensors.items()})
    return network.eval()


def test_the_logits_are_those_of_the_network_that_was_trained(tmp_path: Path, path: Path, base: Model) -> None:
    torch.manual_seed(1)
    network = twin(path, making.judge_weights(base))
    with torch.no_grad():
        for parameter in network.parameters():
            if parameter.requires_grad:
                parameter.add_(torch.randn_like(parameter) / 50)
    trained = {name.removeprefix("encoder."): value.numpy() for name, value in network.trained().items()}
    judge_file.write(tmp_path / "judge", base, trained, making.CALIBRATION, "")
    made = judge_file.read(tmp_path / "judge", base)
    network = twin(path, made)
    ours = SmallJudge("tiny", "0" * 64, made, FLOAT32)
    pairs = PairEncoder(base).questions(QUESTION, PASSAGES)
    assert len({len(pair.ids) for pair in pairs}) > 4
    for pair, (whole, places) in zip(pairs, ours.logits(pairs), strict=True):
        ids = torch.tensor([pair.ids])
        with torch.no_grad():
            expected = network(ids, torch.ones_like(ids))
        assert whole == pytest.approx(expected[0][0].numpy(), abs=1e-4)
        assert places == pytest.approx(expected[1][0].numpy(), abs=1e-4)
    unchanged = SmallJudge("tiny", "0" * 64, making.judge_weights(base, made.heads), FLOAT32).logits(pairs)
    assert np.abs(unchanged[0][0] - ours.logits(pairs)[0][0]).max() > 1e-3


def test_a_passage_is_judged_the_same_alone_and_among_many(judge: SmallJudge, monkeypatch: pytest.MonkeyPatch) -> None:
    alone = [next(judge.judge(QUESTION, [passage])) for passage in PASSAGES]
    assert len({round(j.confidence, 5) for j in alone}) > 5
    many = list(judge.judge(QUESTION, PASSAGES))
    monkeypatch.setattr(running, "_BATCH_TOKENS", 40)
    streams = list(judge.judge(QUESTION, PASSAGES))
    for found in (many, streams):
        assert [j.confidence for j in found] == pytest.approx([j.confidence for j in alone], abs=1e-5)
        assert [j.span for j in found] == [j.span for j in alone]


def test_many_pairs_on_several_streams_keep_their_order(judge: SmallJudge, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "_BATCH_TOKENS", 40)
    claims = [(passage, PASSAGES[0]) for passage in PASSAGES] * 5
    found = judge.supports(claims)
    assert found == pytest.approx([judge.supports([claim])[0] for claim in claims[: len(PASSAGES)]] * 5, abs=1e-5)
    assert len({round(value, 5) for value in found}) > 5


def test_the_confidence_is_calibrated_from_the_verdict_and_the_span(judge: SmallJudge, base: Model) -> None:
    (pair,) = PairEncoder(base).questions(QUESTION, [PASSAGES[0]])
    ((whole, places),) = judge.logits([pair])
    marked = spans.best(places[:, 0], places[:, 1], pair.first, len(pair.offsets))
    assert marked is not None
    (found,) = judge.judge(QUESTION, [PASSAGES[0]])
    assert found.confidence == pytest.approx(1 / (1 + math.exp(-(0.8 * whole[0] + 0.3 * marked.margin - 0.2))), abs=1e-6)
    assert found.span is not None
    first, last = pair.offsets[marked.first - pair.first], pair.offsets[marked.last - pair.first]
    assert (found.span.start, found.span.end) == (first[0], last[1])


INDONESIAN = "Menteri Pertahanan mengatakan bahwa harga beras naik 20 persen dan pemerintah akan mengirim bantuan."


def test_support_is_calibrated_from_its_own_row_with_the_words_both_have(judge: SmallJudge, base: Model) -> None:
    claims = [("Harga beras naik 30 persen", INDONESIAN), ("Pemerintah mengirim bantuan", INDONESIAN)]
    log_odds = [float(whole[1]) for whole, _ in judge.logits(PairEncoder(base).claims(claims))]
    expected = [1.5 * log_odds[0] + 2 * 4 / 5 + 0.7 * 0 - 1, 1.5 * log_odds[1] + 2 * 3 / 3 + 0.7 * 1 - 1]
    assert judge.supports(claims) == pytest.approx([1 / (1 + math.exp(-value)) for value in expected], abs=1e-6)
    assert judge.supports([]) == []


def test_support_across_languages_does_not_ask_for_common_words(judge: SmallJudge, base: Model) -> None:
    claims = [("The price of rice has been rising by 20 percent this year", INDONESIAN)]
    ((whole, _),) = judge.logits(PairEncoder(base).claims(claims))
    assert judge.supports(claims) == pytest.approx([1 / (1 + math.exp(-(1.2 * float(whole[1]) + 0.4 + 0.1)))], abs=1e-6)


def test_nothing_supports_a_claim_without_evidence(judge: SmallJudge) -> None:
    assert judge.supports([("Harga beras naik", " \n")]) == [0.0]


def test_what_is_marked_are_words_of_the_passage(judge: SmallJudge) -> None:
    for passage, judgement in zip(PASSAGES, judge.judge(QUESTION, PASSAGES), strict=True):
        assert 0 <= judgement.confidence <= 1
        if not any(character.isalnum() for character in passage):
            assert (judgement.confidence, judgement.span) == (0, None)
            continue
        assert judgement.span is not None
        text = passage[judgement.span.start : judgement.span.end]
        assert text == text.strip() != ""
        assert set(visible(text)[0].split()) <= set(visible(passage)[0].split())


def test_the_best_words_are_marked(base: Model) -> None:
    """Heads that see only the token itself: they begin at `makan` and end at `ikan`."""
    heads = making.heads()
    words = np.asarray(base.tensors["embeddings.word_embeddings.weight"])
    flat = {name: np.zeros_like(value) for name, value in base.tensors.items() if name.startswith("encoder.")}
    ones = {name: np.ones_like(value) for name, value in base.tensors.items() if name.endswith("LayerNorm.weight")}
    zeros = {name: np.zeros_like(value) for name, value in base.tensors.items() if "position" in name or "token_type" in name}
    zeros |= {name: np.zeros_like(value) for name, value in base.tensors.items() if name.endswith("LayerNorm.bias")}
    encoder = replace(base, tensors={**base.tensors, **flat, **zeros, **ones})
    heads["places.weight"] = words[[tiny.WORDS.index("makan"), tiny.WORDS.index("ikan")]]
    judge = SmallJudge("tiny", "0" * 64, making.judge_weights(encoder, heads), FLOAT32)
    passage = "Jakarta ibu\n kucing makan\u200b kota ikan\x00ibu"
    (found,) = judge.judge(QUESTION, [passage])
    assert found.span is not None
    assert passage[found.span.start : found.span.end] == "makan\u200b kota ikan"


def test_passages_that_nobody_asks_for_are_not_read(judge: SmallJudge, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []
    questions: Callable[..., list[Encoded]] = PairEncoder.questions

    def spy(self: PairEncoder, question: str, passages: Any) -> list[Encoded]:
        read.extend(passages)
        return questions(self, question, passages)

    monkeypatch.setattr(PairEncoder, "questions", spy)
    judgements = judge.judge(QUESTION, PASSAGES)
    assert read == []
    for _ in range(4):
        next(judgements)
    assert read == PASSAGES[:4]
    next(judgements)
    assert read == PASSAGES[:8]


def test_no_passages_no_judgements(judge: SmallJudge) -> None:
    assert list(judge.judge(QUESTION, [])) == []


@pytest.mark.parametrize("arithmetic", ARITHMETICS, ids=lambda a: a.name)
def test_every_arithmetic_gives_nearly_the_same_verdicts(base: Model, judge: SmallJudge, arithmetic: Any) -> None:
    other = SmallJudge("tiny", "0" * 64, making.judge_weights(base), arithmetic)
    assert other.backend == f"openvino {arithmetic.name}"
    exact, rough = (one.supports([(QUESTION, passage) for passage in PASSAGES]) for one in (judge, other))
    assert rough == pytest.approx(exact, abs=0.1)


@pytest.mark.parametrize("value", [-1e6, -40, -1.5, 0, 0.5, 40, 1e6])
def test_the_logistic_function_does_not_overflow(value: float) -> None:
    expected = 1 / (1 + math.exp(-value)) if abs(value) < 700 else float(value > 0)
    assert logistic(value) == pytest.approx(expected, abs=1e-15)


@pytest.fixture
def file(tmp_path: Path, base: Model, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A tiny judge that is shipped."""
    monkeypatch.setattr(shipped, "__file__", str(tmp_path / "shipped.py"))
    place = tmp_path / "tiny.safetensors"
    judge_file.write(place, base, making.trained(base), making.CALIBRATION, "")
    monkeypatch.setattr(small, "SHIPPED", replace(SHIPPED, name="tiny", file=place.name, sha256=sha256_file(place)))
    return place


class Cache(WeightCache):
    """A cache in which the base lies as a folder."""

    def __init__(self, base: Path) -> None:
        self.base = base

    def sentence_transformer(self, model: object) -> Path:
        assert model == CATALOGUE[SHIPPED.base]
        return self.base


def test_the_shipped_judge_shares_the_embedders_model(file: Path, base: Model, tmp_path: Path) -> None:
    bfloat16 = ARITHMETICS[2]
    embedder = OpenVinoEmbedder("tiny", CATALOGUE[SHIPPED.base].sha256, base, bfloat16)
    opened = small.open_shipped(embedder, WeightCache(tmp_path / "empty"))
    assert (opened.name, opened.digest, opened.backend) == ("tiny", sha256_file(file), f"openvino {bfloat16.name}")
    expected = SmallJudge("tiny", "0" * 64, judge_file.read(file, base), bfloat16)
    assert opened.supports([(QUESTION, PASSAGES[0])]) == expected.supports([(QUESTION, PASSAGES[0])])


def test_with_another_embedder_the_judge_rests_on_its_own_from_the_cache(file: Path, base: Model, path: Path) -> None:
    for embedder in (BagEmbedder(), OpenVinoEmbedder("another", "0" * 64, base, ARITHMETICS[1])):
        opened = small.open_shipped(embedder, Cache(path))
        assert opened.backend == "openvino float32"
        assert len(opened.supports([(QUESTION, PASSAGES[0])])) == 1


def test_without_the_embedder_it_rests_on_the_judge_says_what_to_fetch(file: Path, tmp_path: Path) -> None:
    with pytest.raises(WeightsMissing, match=f"run `rag models fetch {SHIPPED.base}`$"):
        small.open_shipped(BagEmbedder(), WeightCache(tmp_path / "empty"))


def test_a_shipped_judge_that_is_not_the_right_one_is_refused(file: Path, path: Path) -> None:
    raw = file.read_bytes()
    for content in (raw[:-1] + bytes([raw[-1] ^ 1]), raw[:100], b""):
        file.write_bytes(content)
        with pytest.raises(WeightsDamaged, match=r"tiny.safetensors is not the .*; install rag again$"):
            small.open_shipped(BagEmbedder(), Cache(path))
    file.unlink()
    with pytest.raises(WeightsDamaged, match=r"tiny.safetensors is not the .*; install rag again$"):
        small.open_shipped(BagEmbedder(), Cache(path))
