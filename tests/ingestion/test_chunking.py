from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rag.ingestion.chunking import Chunking, chunk
from rag.ingestion.seeds_folder import parse, read
from rag.types import Chunk, Document
from tests.conftest import ROOT, SEED
from tests.fakes import BagEmbedder

many = settings(deadline=None, max_examples=200)

PIECES = st.sampled_from(
    [
        "Kata. ",
        "kata ",
        "Satu dua tiga empat. ",
        "\n",
        "\n\n",
        "\r\n",
        "Dr. ",
        "? ",
        "x" * 30,
        "คำไทย",
        "中文。",
        "😀",
        "\u2028",
        "\u200b",
    ]
)
TEXTS = st.lists(PIECES | st.text(max_size=4), max_size=40).map("".join)


def document(text: str, language: str = "id") -> Document:
    return Document(id="d", path="d.txt", sha256="0", media_type="text/plain", language=language, date="2026-01-01", text=text)


@st.composite
def documents_with_tokens(draw):
    """A text, and where tokens begin in it: anywhere, also several at one place, as a byte-level tokenizer has them."""
    text = draw(TEXTS)
    places = st.integers(0, max(0, len(text) - 1))
    starts = draw(
        st.just(list(range(len(text)))) | st.lists(places, max_size=80).map(sorted) | st.just(sorted([*range(len(text))] * 3))
    )
    return document(text, draw(st.sampled_from(["id", "th", "zh", "und"]))), starts


SIZES = st.builds(lambda least, more: Chunking(least, least + more), st.integers(1, 12), st.integers(0, 12))


def tokens(part: Chunk, starts: Sequence[int]) -> int:
    return sum(part.start <= start < part.end for start in starts)


@many
@given(documents_with_tokens(), SIZES)
def test_chunks_are_ordered_ranges_that_hold_every_visible_character(made, chunking):
    whole, starts = made
    edge = 0
    for part in chunk(whole, starts, chunking):
        assert edge <= part.start < part.end
        assert whole.text[part.start : part.end] == part.text == part.text.strip()
        assert not whole.text[edge : part.start].strip()
        assert part.document_id == whole.id
        edge = part.end
    assert not whole.text[edge:].strip()


@many
@given(documents_with_tokens(), SIZES)
def test_no_chunk_is_longer_than_allowed_unless_one_character_is(made, chunking):
    whole, starts = made
    for part in chunk(whole, starts, chunking):
        assert tokens(part, starts) <= chunking.most or part.end - part.start == 1


@many
@given(documents_with_tokens())
def test_a_text_within_the_limit_is_one_chunk(made):
    whole, starts = made
    parts = chunk(whole, starts, Chunking(1000, 1000))
    assert [part.text for part in parts] == ([whole.text.strip()] if whole.text.strip() else [])


def sentence(words: int) -> str:
    return "Kata" + " kata" * (words - 1) + "."


def cut(text: str, chunking: Chunking) -> list[str]:
    whole = document(text)
    return [part.text for part in chunk(whole, BagEmbedder().token_starts(text), chunking)]


def test_sentences_are_not_cut_where_they_fit():
    six, five = sentence(6), sentence(5)
    assert cut(f"{six} {five} {six} {five}", Chunking(8, 10)) == [six, five, six, five]


def test_a_chunk_is_filled_up_to_the_limit():
    five = sentence(5)
    assert cut(" ".join([five] * 4), Chunking(9, 10)) == [f"{five} {five}"] * 2


def test_a_chunk_that_is_long_enough_goes_on_within_its_paragraph():
    whole = " ".join([sentence(4)] * 3)
    assert cut(whole, Chunking(4, 12)) == [whole]


def test_a_chunk_ends_at_a_paragraph_once_it_is_long_enough():
    four = sentence(4)
    assert cut("\n\n".join([four] * 4), Chunking(8, 12)) == [f"{four}\n\n{four}"] * 2


def test_a_chunk_that_is_too_short_goes_on_past_a_paragraph():
    four = sentence(4)
    assert cut(f"{four}\n\n{four}", Chunking(5, 8)) == [f"{four}\n\n{four}"]


def test_a_short_last_chunk_takes_sentences_from_the_one_before():
    two = sentence(2)
    assert cut(" ".join([two] * 6), Chunking(10, 10)) == [" ".join([two] * 3)] * 2


def test_a_long_sentence_is_cut_between_words():
    parts = cut(sentence(25), Chunking(5, 10))
    assert [len(part.split()) for part in parts] == [10, 10, 5]


@pytest.mark.parametrize(
    ("text", "language"), [("x" * 1000, "id"), ("ก" * 1000, "th"), ("😀" * 1000, "und"), ("字" * 1000, "zh")]
)
def test_a_sentence_without_any_space_is_cut(text, language):
    parts = chunk(document(text, language), list(range(len(text))), Chunking(10, 16))
    assert "".join(part.text for part in parts) == text
    assert all(len(part.text) <= 16 for part in parts)


def test_more_tokens_than_allowed_in_one_character_stand_alone():
    parts = chunk(document("aéb"), [0, *[1] * 9, 2], Chunking(2, 4))
    assert [part.text for part in parts] == ["a", "é", "b"]


@pytest.mark.parametrize("text", ["", " \n\t ", "\u2028"])
def test_a_text_of_nothing_has_no_chunks(text):
    assert chunk(document(text), [], Chunking()) == []


def test_a_text_without_tokens_is_one_chunk():
    assert [part.text for part in chunk(document("😀. 😀."), [], Chunking(1, 1))] == ["😀. 😀."]


def test_the_seed_gives_chunks_of_sensible_size():
    seed = parse(read(ROOT / "seeds", SEED))
    starts = BagEmbedder().token_starts(seed.text)
    chunking = Chunking(60, 80)
    parts = chunk(seed, starts, chunking)
    sizes = [tokens(part, starts) for part in parts]
    assert len(parts) == 5
    assert all(20 <= size <= 80 for size in sizes)
    assert all(part.text.endswith(".") for part in parts)


@pytest.mark.parametrize("text", ["x" * 1_000_000, "kata " * 200_000, "Kata. " * 166_000, f"{sentence(12)}\n" * 16_000])
def test_a_megabyte_of_any_shape_is_chunked(text):
    whole = document(text)
    parts = chunk(whole, range(0, len(text), 4), Chunking())
    assert sum(len(part.text.split()) for part in parts) >= len(text.split())
    assert max(len(part.text) for part in parts) <= 4 * 161


def test_the_manifest_gets_both_limits():
    assert Chunking(3, 5).as_dict() == {"least": 3, "most": 5}


def test_a_run_that_the_embedder_takes_for_one_token_is_cut_all_the_same():
    text = "🫨🫎🪿" * 3000
    document = Document("d", "emoji.txt", "0" * 64, "text/plain", "und", "2026-01-01", text)
    chunks = chunk(document, [0], Chunking())
    assert "".join(c.text for c in chunks) == text
    assert max(len(c.text) for c in chunks) <= 160 * 12
