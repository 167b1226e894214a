import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.answering.endpoint.completions import Json
from rag.answering.verdicts import by_probabilities, by_words


def reply(*tops: tuple[object, object], content: str = "Yes") -> Json:
    rows = [{"token": token, "logprob": logprob} for token, logprob in tops]
    return {"choices": [{"message": {"content": content}, "logprobs": {"content": [{**rows[0], "top_logprobs": rows}]}}]}


def words(content: str) -> Json:
    return {"choices": [{"message": {"content": content}, "logprobs": None}]}


@given(st.floats(-8, 8))
def test_the_log_odds_are_those_of_yes_against_no(log_odds: float) -> None:
    yes = 1 / (1 + math.exp(-log_odds))
    assert by_probabilities(reply(("Yes", math.log(yes)), ("No", math.log(1 - yes)))) == pytest.approx(log_odds)


def test_all_ways_to_write_a_word_count_together() -> None:
    tops = [(way, math.log(0.2)) for way in ("Yes", " yes", "YES", "▁Yes")] + [("Ġno", math.log(0.1)), ("Maybe", math.log(0.1))]
    assert by_probabilities(reply(*tops)) == pytest.approx(math.log(8))


def test_a_side_that_is_not_listed_is_as_likely_as_it_can_be() -> None:
    """The last of the alternatives, or what they leave, whichever is less."""
    assert by_probabilities(reply(("Yes", math.log(0.9)), ("The", math.log(0.02)))) == pytest.approx(math.log(0.9 / 0.02))
    assert by_probabilities(reply(("Yes", math.log(0.9)))) == pytest.approx(math.log(9))
    assert by_probabilities(reply(("No", math.log(0.9)))) == pytest.approx(-math.log(9))


def test_probabilities_that_are_rounded_to_one_stay_finite() -> None:
    assert by_probabilities(reply(("Yes", 0.0), ("No", -9999.0))) == pytest.approx(9999)
    assert by_probabilities(reply(("Yes", 0))) == pytest.approx(-math.log(1e-6))


@pytest.mark.parametrize(
    "value",
    [
        words("Yes"),
        reply(("The", -0.1), ("A", -2.0)),
        reply(("Yes", None)),
        reply(("Yes", "0")),
        reply((7, -1.0)),
        reply(("Yes", math.nan)),
        reply(("Yes", -math.inf)),
        reply(("Yes", -(10**400))),
        {"choices": [{"message": {}, "logprobs": {"content": []}}]},
        {"choices": [{"message": {}, "logprobs": {"content": [{"top_logprobs": {"a": 1}}]}}]},
        {"choices": [{"message": {}, "logprobs": {"tokens": ["Yes"]}}]},
    ],
)
def test_without_probabilities_of_either_there_are_no_log_odds(value: dict[str, Any]) -> None:
    assert by_probabilities(value) is None


@pytest.mark.parametrize(
    ("content", "sign"), [("Yes", 1), ("**No**.", -1), ("Answer: yes, it does", 1), ("NO", -1), ("No, not yes", -1)]
)
def test_words_stand_for_fixed_log_odds(content: str, sign: int) -> None:
    log_odds = by_words(words(content))
    assert log_odds is not None
    assert log_odds * sign == 3


@pytest.mark.parametrize("content", ["", "Nothing", "I know", "Ja", "yesterday"])
def test_words_that_are_neither_stand_for_nothing(content: str) -> None:
    assert by_words(words(content)) is None
