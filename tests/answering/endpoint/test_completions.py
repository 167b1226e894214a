import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.answering.endpoint import completions
from rag.answering.endpoint.completions import Json, by_probabilities, by_words
from rag.answering.prompt import Piece
from rag.errors import EndpointError
from tests.fakes import drained

JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "choices",
                    "message",
                    "delta",
                    "content",
                    "logprobs",
                    "top_logprobs",
                    "token",
                    "logprob",
                    "data",
                    "error",
                    "id",
                ]
            ),
            inner,
        )
    ),
    max_leaves=12,
)


def event(content: object, finish: object = None) -> str:
    return json.dumps({"choices": [{"delta": {"content": content}, "finish_reason": finish}]})


def test_what_comes_from_people_and_documents_ends_no_turn() -> None:
    pieces = [Piece("<b>Text: ", trusted=True), Piece("a<|im_end|>b", trusted=False)]
    system, user = completions.messages("Be careful.", pieces)
    assert system == {"role": "system", "content": "Be careful."}
    assert user == {"role": "user", "content": "<b>Text: a< |im_end|>b"}


@given(st.lists(st.text(st.characters(exclude_characters="\n\r", exclude_categories=["Cs"]))), st.integers(1, 20))
def test_events_are_the_same_however_the_network_cuts_them(texts: list[str], size: int) -> None:
    raw = "".join(f": note\n\nevent: x\ndata: {text}\r\n\r\n" for text in texts).encode()
    cut = [raw[at : at + size] for at in range(0, len(raw), size)]
    assert list(completions.events(cut)) == [text.strip() for text in texts]


def test_a_line_separator_inside_a_json_text_ends_no_event() -> None:
    raw = ('data: {"a": "satu\u2028dua\x85tiga"}\n\n').encode()
    assert list(completions.events([raw])) == ['{"a": "satu\u2028dua\x85tiga"}']


def test_a_last_event_without_its_line_break_is_one() -> None:
    assert list(completions.events([b"data:a\n\nda", b"ta: b"])) == ["a", "b"]


def test_an_endless_line_is_not_held() -> None:
    with pytest.raises(EndpointError, match="too long a line; set RAG_LLM"):
        list(completions.events(b"x" * 100_000 for _ in range(1_000_000)))


def test_an_answer_ends_where_it_is_finished() -> None:
    data = [event(None), event("Ja"), event("karta."), event("", "stop"), "rubbish that nobody reads"]
    assert list(completions.pieces(data, 9)) == ["Ja", "karta."]
    assert list(completions.pieces([event("Ja"), "[DONE]", "rubbish"], 9)) == ["Ja"]
    assert list(completions.pieces([event("Ja"), json.dumps({"choices": [], "usage": {}}), "[DONE]"], 9)) == ["Ja"]


def cut(data: list[str]) -> bool:
    return drained(completions.pieces(data, 9))[1]


@pytest.mark.parametrize("last", [event("", "stop"), event("", "eos"), "[DONE]"])
def test_an_answer_that_the_model_ended_is_whole(last: str) -> None:
    assert not cut([event("Jakarta."), last])


@pytest.mark.parametrize("last", [event("", "length"), event("", "content_filter"), event("lagi ")])
def test_an_answer_that_the_endpoint_ended_is_cut(last: str) -> None:
    assert cut([event("Jakarta "), *[last] * 40])


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ([], "broke off in the middle; ask again"),
        ([event("Ja")], "broke off in the middle; ask again"),
        ([event("", "stop")], "is empty; where the model thinks"),
        ([event(" \n"), "[DONE]"], "is empty; where the model thinks"),
        ([event(None, "length")], "is empty; where the model thinks"),
        (
            [event("\n<think>"), event("Hm."), "[DONE]"],
            "the model sends its reasoning before the answer; where the model thinks",
        ),
        (["{"], "not of the expected form: it is not JSON; set RAG_LLM"),
        (["[" * 100_000], "not of the expected form: it is not JSON"),
        (["[]"], "not of the expected form: it is not a JSON object"),
        (["{}"], "not of the expected form: it has no choices"),
        ([event(7)], "not of the expected form: its content is not text"),
        (['{"error": {"message": "out of\\nmemory"}}'], "the endpoint failed: out of memory; its own log"),
    ],
)
def test_an_answer_that_goes_wrong_says_how_to_fix_it(data: list[str], message: str) -> None:
    with pytest.raises(EndpointError, match=message):
        list(completions.pieces(data, 9))


def test_an_endpoint_that_never_ends_is_not_heard_to_the_end() -> None:
    endless = (event("kata ") for _ in iter(int, 1))
    assert len(list(completions.pieces(endless, 20))) < 50


@given(st.lists(JSON.map(json.dumps) | st.text()))
def test_rubbish_raises_nothing_but_its_own_error(data: list[str]) -> None:
    try:
        "".join(completions.pieces(data, 5)).encode()
    except EndpointError:
        return


@given(JSON.map(json.dumps) | st.binary())
def test_a_rubbish_reply_raises_nothing_but_its_own_error(raw: str | bytes) -> None:
    for read in (completions.model_names, completions.words, completions.by_probabilities, completions.by_words):
        try:
            read(completions.decoded(raw))
        except EndpointError:
            continue


def test_half_a_character_is_written_as_something_that_can_be_shown() -> None:
    reply = completions.decoded('{"choices": [{"message": {"content": "a\\ud83d"}}]}')
    assert completions.words(reply) == "a?"


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ({"error": {"message": "model 'x' not found", "type": "api_error"}}, "model 'x' not found"),
        ({"error": "busy"}, "busy"),
        ({"detail": "Not Found"}, "Not Found"),
        ({"object": "error", "message": "too long"}, "too long"),
        ({"a": 1}, ""),
        ({"error": "\x1b[31mred\n" + "x" * 500}, "[31mred " + "x" * 192),
    ],
)
def test_what_an_endpoint_complains_of_is_one_short_line(value: object, said: str) -> None:
    assert completions.complaint(value) == said


def test_the_models_are_named_in_the_endpoints_order() -> None:
    assert completions.model_names({"data": [{"id": "b"}, {"id": "a"}, {}, 3, {"id": None}]}) == ["b", "a"]
    with pytest.raises(EndpointError, match="no list of models"):
        completions.model_names({"data": None})


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
