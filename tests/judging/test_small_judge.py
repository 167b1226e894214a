"""Two texts as one row of tokens, and the way back to the characters of the second.

The best range of tokens, beside a search of all of them.

Our own judge beside its torch twin, on a small random model.
"""

import math
import re
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, processors

from rag.embedding import model_folder, openvino
from rag.embedding.graph import ARITHMETICS, FLOAT32
from rag.embedding.model_folder import Model
from rag.embedding.openvino import OpenVinoEmbedder
from rag.engine import Engine
from rag.errors import WeightsDamaged, WeightsMissing
from rag.files import sha256_file
from rag.judging import judge_file, small_judge
from rag.judging.scoring import logistic
from rag.judging.small_judge import Encoded, PairEncoder, SmallJudge
from rag.text import normalise, visible
from rag.weights import sources
from rag.weights.cache import WeightCache
from rag.weights.catalogue import CATALOGUE, SHIPPED
from tests.embedding import tiny
from tests.fakes import BagEmbedder
from tests.judging import making
from training.network import Network

BEGIN, END, UNKNOWN = 0, 2, 3
INVISIBLE = ["\u00ad", "\u200b", "\u202e", "\ufeff", "\x00", "\x1c", "\x85", "\ud83d", "👨\u200d👩\u200d👧"]
SPACES = ["kata ", "\n", "\r\n", "\t", "\u2028", "\u3000"]
SCRIPTS = ["e\u0301", "😀", "法国的首都是巴黎。", "กรุงเทพมหานคร", "\u0e33", "ﬁnal", "½", "㎏", "ﷺ", "</s>", "▁", "한국"]
PIECES = st.sampled_from([*INVISIBLE, *SPACES, *SCRIPTS])
TEXTS = st.lists(PIECES | st.text(max_size=5) | st.characters(), max_size=15).map("".join)
many = settings(deadline=None, max_examples=150)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Model:
    prompts = {"prompts": {"query": "query: ", "document": "passage: "}}
    return model_folder.read(tiny.write(tmp_path_factory.mktemp("tiny") / "model", config_sentence_transformers=prompts))


def spelling(base: Model, *, like_e5: bool) -> PairEncoder:
    """For which every character is a token; `like_e5` with its marks of beginnings, and characters that become several."""
    tokenizer = Tokenizer(models.WordLevel({"<s>": BEGIN, "</s>": END, "<unk>": UNKNOWN}, unk_token="<unk>"))
    cut = pre_tokenizers.Split(Regex("."), "isolated")
    marks = [pre_tokenizers.Metaspace()] if like_e5 else []
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), *marks, cut])
    if like_e5:
        tokenizer.normalizer = normalizers.NFKC()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", pair="<s> $A </s> </s> $B </s>", special_tokens=[("<s>", BEGIN), ("</s>", END)]
    )
    return PairEncoder(replace(base, tokenizer=tokenizer, most_tokens=10_000))


@many
@given(TEXTS)
@example("")
@example("\u00ad")
@example("a\u00adb\x00c \u200b\nd")
def test_every_token_knows_its_characters(model: Model, text: str) -> None:
    (pair,) = spelling(model, like_e5=False).questions("Apa?", [text])
    _, kept = visible(text)
    seen = [i for i in kept if not visible(text[i])[0].isspace()]
    assert pair.offsets == [(i, i + 1) for i in seen]
    assert pair.ids[pair.first :] == [UNKNOWN] * len(seen) + [END]


@many
@given(TEXTS)
@example("ﬁ")
def test_where_characters_become_several_the_ranges_are_still_whole_characters_in_order(model: Model, text: str) -> None:
    require_ranges(spelling(model, like_e5=True), text)


def require_ranges(encoder: PairEncoder, text: str) -> None:
    """Ranges ascend within the text, begin and end at visible characters, and leave out none that is more than a space."""
    (pair,) = encoder.questions("Apa ibu kota?", [text])
    assert all(0 <= start < end <= len(text) for start, end in pair.offsets)
    assert all(one[0] <= other[0] and one[1] <= other[1] for one, other in pairwise(pair.offsets))
    assert all(visible(text[i])[0] for start, end in pair.offsets for i in (start, end - 1))
    covered = {i for start, end in pair.offsets for i in range(start, end)}
    missed = "".join(text[i] for i in range(len(text)) if i not in covered)
    assert not re.search(r"\w", normalise(missed))
    assert pair.first + len(pair.offsets) < len(pair.ids)


def test_a_pair_is_the_question_then_the_passage_each_after_its_prompt(model: Model) -> None:
    number = tiny.WORDS.index
    (pair,) = PairEncoder(model).questions(" ibu\u200b  kota\n", ["Jakarta\nibu"])
    words = ["<s>", "query:", "ibu", "kota", "</s>", "</s>", "passage:", "Jakarta", "ibu", "</s>"]
    assert pair.ids == [number(word) for word in words]
    assert (pair.first, pair.offsets) == (7, [(0, 7), (8, 11)])


def test_a_claim_stands_after_a_prompt_of_its_own(model: Model) -> None:
    number = tiny.WORDS.index
    first, second = PairEncoder(model).claims([("ibu kota", "Jakarta"), ("ikan", "kucing makan ikan")])
    words = ["<s>", "<unk>", "ibu", "kota", "</s>", "</s>", "passage:", "Jakarta", "</s>"]
    assert first.ids == [number(word) for word in words]
    assert second.offsets == [(0, 6), (7, 12), (13, 17)]


def test_an_empty_passage_has_no_tokens_of_its_own(model: Model) -> None:
    for text in ("", " \n", "\u00ad\u200b", "\x00"):
        (pair,) = PairEncoder(model).questions("ikan", [text])
        assert pair.offsets == []
        assert pair.ids[-2:] == [tiny.WORDS.index("passage:"), END]


def test_no_passages_are_no_pairs(model: Model) -> None:
    assert PairEncoder(model).questions("ikan", []) == []
    assert PairEncoder(model).claims([]) == []


@pytest.mark.parametrize("words", range(12, 20))
def test_a_passage_that_is_too_long_loses_its_end_and_the_row_keeps_its_own(model: Model, words: int) -> None:
    whole, cut = (PairEncoder(replace(model, most_tokens=n)) for n in (1000, 24))
    text = "ikan ibu kota makan kucing " * 4
    text = " ".join(text.split()[:words])
    (long,), (short,) = (encoder.questions("ibu kota", [text]) for encoder in (whole, cut))
    assert len(long.ids) == words + 8
    assert len(short.ids) == min(len(long.ids), 24)
    assert short.ids == [*long.ids[: len(short.ids) - 1], END]
    assert (short.first, short.offsets) == (long.first, long.offsets[: min(words, 16)])


@pytest.mark.parametrize("words", [17, 18, 19, 20, 400])
def test_a_question_that_leaves_no_room_gives_a_row_that_fits(model: Model, words: int) -> None:
    encoder = PairEncoder(model)
    (pair,) = encoder.questions("ikan " * words, ["kucing makan"])
    assert len(pair.ids) <= model.most_tokens
    assert (pair.ids[0], pair.ids[-1]) == (BEGIN, END)
    assert pair.offsets == ([(0, 6)] if words == 17 else [])
    assert (words > 17) == (tiny.WORDS.index("kucing") not in pair.ids)


def test_without_prompts_an_empty_passage_takes_nothing_from_a_row(model: Model) -> None:
    encoder = PairEncoder(replace(model, prompts={"query": "", "document": ""}))
    ikan = tiny.WORDS.index("ikan")
    (short,), (long,) = (encoder.questions("ikan " * words, [""]) for words in (2, 400))
    assert (short.ids, short.offsets) == ([BEGIN, ikan, ikan, END, END, END], [])
    assert (long.ids, long.offsets) == ([BEGIN, *[ikan] * 20, END, END, END], [])
    (empty,) = encoder.questions("", [""])
    assert (empty.ids, empty.offsets) == ([BEGIN, END, END, END], [])


@pytest.mark.real
def test_the_real_tokenizers_ranges_are_the_words_of_the_passage(real_engine: Engine) -> None:
    source = sources.embedder(real_engine.settings.embedder, real_engine.models.weights)
    assert source is not None
    encoder = PairEncoder(model_folder.read(source.path))
    for text in (
        "",
        "\u00adJakarta",
        "Kucing\u200b suka  makan ikan\r\n😀",
        "法国的首都是巴黎。",
        "กรุงเทพ\x00มหานคร ﬁnal ½ </s>",
    ):
        require_ranges(encoder, text)
    text = "Ibu kota\u00ad Indonesia\n adalah Jakarta."
    (pair,) = encoder.questions("Apa ibu kota Indonesia?", [text])
    words = [text[start:end].strip() for start, end in pair.offsets]
    assert words == ["Ibu", "kota", "Indonesia", "adalah", "Jakarta", "."]


# Whole numbers, so that sums are exact.
LOGITS = st.integers(2, 70).flatmap(lambda n: arrays(np.float32, (n, 2), elements=st.integers(-9, 9).map(float)))


@settings(deadline=None, max_examples=200)
@given(LOGITS, st.data())
def test_it_is_the_best_of_all_ranges(logits: Any, data: st.DataObject) -> None:
    first = data.draw(st.integers(1, len(logits) - 1))
    count = data.draw(st.integers(1, len(logits) - first))
    starts, ends = logits[:, 0], logits[:, 1]
    found = small_judge.best(starts, ends, first, count)
    assert found is not None
    assert first <= found.first <= found.last < first + count
    assert found.last - found.first < small_judge._MOST
    inside = range(first, first + count)
    sums = [starts[a] + ends[b] for a in inside for b in inside if 0 <= b - a < small_judge._MOST]
    assert starts[found.first] + ends[found.last] == max(sums)
    assert found.margin == max(sums) - starts[0] - ends[0]


def test_an_answer_is_not_longer_than_any_is_and_not_backwards() -> None:
    starts, ends = np.zeros(200, np.float32), np.zeros(200, np.float32)
    starts[10] = ends[10 + small_judge._MOST] = ends[5] = 5
    found = small_judge.best(starts, ends, 1, 199)
    assert found is not None
    assert found.margin == 5
    ends[10 + small_judge._MOST - 1] = 5
    assert small_judge.best(starts, ends, 1, 199) == small_judge.Marked(10, 10 + small_judge._MOST - 1, 10.0)


@pytest.mark.parametrize("count", [0, -1])
def test_where_there_are_no_tokens_there_is_no_answer(count: int) -> None:
    assert small_judge.best(np.ones(3, np.float32), np.ones(3, np.float32), 1, count) is None


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
    return model_folder.read(path)


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
    monkeypatch.setattr(openvino, "_BATCH_TOKENS", 40)
    streams = list(judge.judge(QUESTION, PASSAGES))
    for found in (many, streams):
        assert [j.confidence for j in found] == pytest.approx([j.confidence for j in alone], abs=1e-5)
        assert [j.span for j in found] == [j.span for j in alone]


def test_many_pairs_on_several_streams_keep_their_order(judge: SmallJudge, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(openvino, "_BATCH_TOKENS", 40)
    claims = [(passage, PASSAGES[0]) for passage in PASSAGES] * 5
    found = judge.supports(claims)
    assert found == pytest.approx([judge.supports([claim])[0] for claim in claims[: len(PASSAGES)]] * 5, abs=1e-5)
    assert len({round(value, 5) for value in found}) > 5


def test_the_confidence_is_calibrated_from_the_verdict_and_the_span(judge: SmallJudge, base: Model) -> None:
    (pair,) = PairEncoder(base).questions(QUESTION, [PASSAGES[0]])
    ((whole, places),) = judge.logits([pair])
    marked = small_judge.best(places[:, 0], places[:, 1], pair.first, len(pair.offsets))
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
    monkeypatch.setattr(sources, "__file__", str(tmp_path / "shipped.py"))
    place = tmp_path / "tiny.safetensors"
    judge_file.write(place, base, making.trained(base), making.CALIBRATION, "")
    monkeypatch.setattr(small_judge, "SHIPPED", replace(SHIPPED, name="tiny", file=place.name, sha256=sha256_file(place)))
    return place


class Cache(WeightCache):
    """A cache that has the base as a folder."""

    def __init__(self, base: Path) -> None:
        self.base = base

    def sentence_transformer(self, model: object) -> Path:
        assert model == CATALOGUE[SHIPPED.base]
        return self.base


def test_the_shipped_judge_shares_the_embedders_model(file: Path, base: Model, tmp_path: Path) -> None:
    bfloat16 = ARITHMETICS[2]
    embedder = OpenVinoEmbedder("tiny", CATALOGUE[SHIPPED.base].sha256, base, bfloat16)
    opened = small_judge.open_shipped(embedder, WeightCache(tmp_path / "empty"))
    assert (opened.name, opened.digest, opened.backend) == ("tiny", sha256_file(file), f"openvino {bfloat16.name}")
    expected = SmallJudge("tiny", "0" * 64, judge_file.read(file, base), bfloat16)
    assert opened.supports([(QUESTION, PASSAGES[0])]) == expected.supports([(QUESTION, PASSAGES[0])])


def test_with_another_embedder_the_judge_rests_on_its_own_from_the_cache(file: Path, base: Model, path: Path) -> None:
    for embedder in (BagEmbedder(), OpenVinoEmbedder("another", "0" * 64, base, ARITHMETICS[1])):
        opened = small_judge.open_shipped(embedder, Cache(path))
        assert opened.backend == "openvino float32"
        assert len(opened.supports([(QUESTION, PASSAGES[0])])) == 1


def test_without_the_embedder_it_rests_on_the_judge_says_what_to_fetch(file: Path, tmp_path: Path) -> None:
    with pytest.raises(WeightsMissing, match=f"run `rag models fetch {SHIPPED.base}`$"):
        small_judge.open_shipped(BagEmbedder(), WeightCache(tmp_path / "empty"))


def test_a_shipped_judge_that_is_not_the_right_one_is_refused(file: Path, path: Path) -> None:
    raw = file.read_bytes()
    for content in (raw[:-1] + bytes([raw[-1] ^ 1]), raw[:100], b""):
        file.write_bytes(content)
        with pytest.raises(WeightsDamaged, match=r"tiny.safetensors is not the .*; install rag again$"):
            small_judge.open_shipped(BagEmbedder(), Cache(path))
    file.unlink()
    with pytest.raises(WeightsDamaged, match=r"tiny.safetensors is not the .*; install rag again$"):
        small_judge.open_shipped(BagEmbedder(), Cache(path))
