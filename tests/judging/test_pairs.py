"""Two texts as one row of tokens, and the way back to the characters of the second."""

import re
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, processors

from rag.embedding import folder
from rag.embedding.folder import Model
from rag.engine import Engine
from rag.judging.pairs import PairEncoder
from rag.text import normalise, visible
from rag.weights import sources
from tests.embedding import tiny

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
    return folder.read(tiny.write(tmp_path_factory.mktemp("tiny") / "model", config_sentence_transformers=prompts))


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
    encoder = PairEncoder(folder.read(source.path))
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
