import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.types import Span
from training.edits import edited
from training.examples import Asked

PASSAGE = "Soekarno lahir di Surabaya pada tahun 1901. Mohammad Hatta lahir di Bukittinggi. Presiden pertama adalah Soekarno."
OTHERS = ["Siapa istri Pangeran Diponegoro?", "Kapan Kerajaan Majapahit runtuh?"]


def asked(question: str, answer: str) -> Asked:
    start = PASSAGE.index(answer)
    return Asked("set", question, PASSAGE, (Span(start, start + len(answer)),))


@given(st.integers(0, 2**32))
def test_an_edit_changes_one_place_and_leaves_the_passage_without_an_answer(seed: int) -> None:
    one = asked("Apakah Soekarno yang lahir tahun 1901 menjadi presiden pertama?", "Surabaya")
    found = edited(one, OTHERS, random.Random(seed))
    assert found is not None
    assert found.question != one.question
    assert (found.passage, found.answers, found.source) == (PASSAGE, (), "set-edit")
    was, now = one.question.split(), found.question.split()
    assert len(set(was) - set(now)) == 1


@given(st.integers(0, 2**32))
def test_another_year_is_one_that_the_passage_does_not_have(seed: int) -> None:
    found = edited(asked("siapa yang lahir tahun 1901?", "Soekarno"), OTHERS, random.Random(seed))
    assert found is None or ("1901" not in found.question and found.question.split("tahun ")[1].rstrip("?") not in PASSAGE)


@given(st.integers(0, 2**32))
def test_a_name_is_not_replaced_by_the_answer(seed: int) -> None:
    found = edited(asked("Di mana Soekarno lahir?", "Surabaya"), OTHERS, random.Random(seed))
    assert found is None or "Surabaya" not in found.question


@pytest.mark.parametrize("question", ["siapa dia?", "", "Siapa?"])
def test_a_question_without_name_number_or_opposite_is_left_alone(question: str) -> None:
    assert edited(asked(question, "Surabaya"), OTHERS, random.Random(1)) is None


def test_the_opposite_of_first_is_last() -> None:
    found = edited(asked("siapa presiden pertama?", "Soekarno"), OTHERS, random.Random(1))
    assert found is not None
    assert found.question == "siapa presiden terakhir?"
