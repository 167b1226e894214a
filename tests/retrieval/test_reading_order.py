from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag import text as texts
from rag.retrieval import reading_order
from rag.retrieval.reading_order import Candidate, arrange

PASSAGE = "Hujan turun di Jakarta. Harga beras naik di Jakarta sejak Mei. Petani menunggu panen di Jakarta."


def lit(question: str, passage: str = PASSAGE, language: str = "id") -> str | None:
    span = reading_order.best_sentence(reading_order.stems(question, language), passage, language)
    return passage[span.start : span.end] if span else None


@pytest.mark.parametrize(
    ("question", "sentence"),
    [
        ("Sejak kapan beras naik?", "Harga beras naik di Jakarta sejak Mei."),
        ("Siapa yang MENUNGGU?", "Petani menunggu panen di Jakarta."),
        ("Apa yang terjadi di Jakarta?", "Hujan turun di Jakarta."),
        ("When did the price rise in Jakarta?", "Hujan turun di Jakarta."),
        ("Why?", None),
        ("", None),
    ],
)
def test_the_sentence_with_most_of_the_questions_words_is_lit(question: str, sentence: str | None) -> None:
    assert lit(question) == sentence


def test_a_word_that_every_sentence_has_says_little() -> None:
    assert lit("Jakarta Jakarta panen") == "Petani menunggu panen di Jakarta."


@given(st.text(max_size=60), st.text(max_size=200), st.sampled_from(["id", "en", "th", "zh", "und"]))
def test_what_is_lit_is_a_sentence_with_a_word_of_the_question(question: str, passage: str, language: str) -> None:
    asked = reading_order.stems(question, language)
    span = reading_order.best_sentence(asked, passage, language)
    having = [s for s in texts.sentences(passage, language) if asked & reading_order.stems(passage[s.start : s.end], language)]
    assert span in having if having else span is None


def candidate(number: int, words: str = "", document: int = 0) -> Candidate:
    return Candidate(number, document, (words or f"kata {number} yang {number} lain {number}").split())


def numbers(groups: list[list[Candidate]]) -> list[list[int]]:
    return [[member.number for member in group] for group in groups]


def test_the_best_come_first_and_no_more_than_asked() -> None:
    assert numbers(arrange(map(candidate, [40, 10, 30, 20]), 3, 1)) == [[40], [10], [30]]


def test_neighbours_are_read_as_one_under_the_better() -> None:
    assert numbers(arrange(map(candidate, [5, 9, 6, 4, 10]), 2, 3)) == [[5, 6, 4], [9, 10]]


def test_a_group_grows_no_larger_than_allowed() -> None:
    assert numbers(arrange(map(candidate, [5, 6, 7, 8]), 4, 3)) == [[5, 6, 7], [8]]
    assert numbers(arrange(map(candidate, [5, 6, 7]), 4, 1)) == [[5], [6], [7]]


def test_neighbours_in_number_of_another_document_are_none() -> None:
    assert numbers(arrange([candidate(5, document=1), candidate(6, document=2)], 4, 3)) == [[5], [6]]


def test_a_chunk_between_two_groups_joins_the_better() -> None:
    assert numbers(arrange(map(candidate, [5, 7, 6]), 4, 3)) == [[5, 6], [7]]


def test_no_more_is_read_than_is_needed() -> None:
    read: list[int] = []

    def ranked() -> Iterator[Candidate]:
        for number in (10, 20, 30, 40):
            read.append(number)
            yield candidate(number)

    assert numbers(arrange(ranked(), 2, 3)) == [[10], [20]]
    assert read == [10, 20, 30]


TEXT = " ".join(f"kata{i}" for i in range(60))


@pytest.mark.parametrize(
    ("other", "same"),
    [
        (TEXT, True),
        ("Jakarta Senin " + TEXT, True),
        (" ".join(TEXT.split()[:30]), True),
        (" ".join(reversed(TEXT.split())), False),
        (" ".join(TEXT.split()[:30]) + " " + " ".join(f"lain{i}" for i in range(30)), False),
    ],
)
def test_what_a_better_chunk_says_is_left_out(other: str, same: bool) -> None:
    found = numbers(arrange([candidate(1, TEXT), candidate(9, other, document=2)], 5, 3))
    assert found == ([[1]] if same else [[1], [9]])


def test_texts_too_short_for_a_shingle() -> None:
    assert numbers(arrange([candidate(1, "ya"), candidate(5, "tidak"), candidate(9, "ya")], 5, 3)) == [[1], [5]]


chunks = st.lists(
    st.builds(
        candidate,
        st.integers(0, 30),
        st.lists(st.sampled_from("abcdefg"), min_size=1, max_size=8).map(" ".join),
        st.integers(0, 2),
    ),
    unique_by=lambda c: c.number,
)


@given(ranked=chunks, count=st.integers(1, 6), most=st.integers(1, 4))
def test_groups_are_ranges_of_one_document_and_every_chunk_is_read_once(ranked: list[Candidate], count: int, most: int) -> None:
    groups = arrange(ranked, count, most)
    place = {c.number: i for i, c in enumerate(ranked)}
    shown = [member.number for group in groups for member in group]
    assert len(shown) == len(set(shown))
    assert len(groups) <= count
    assert [place[group[0].number] for group in groups] == sorted(place[group[0].number] for group in groups)
    for group in groups:
        assert len(group) <= most
        assert len({member.document for member in group}) == 1
        inside = sorted(member.number for member in group)
        assert inside == list(range(inside[0], inside[0] + len(inside)))
        assert group[0].number == min(group, key=lambda member: place[member.number]).number
    if ranked:
        assert groups[0][0] == ranked[0]
