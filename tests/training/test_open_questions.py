import random

from hypothesis import given
from hypothesis import strategies as st

from training import open_questions
from training.examples import Asked

NEWS = (
    "Vladimir Padrino adalah menteri pertahanan Venezuela sejak 2014. Pada hari Minggu hujan turun di Caracas. "
    "Vladimir Padrino, menteri itu, mengatakan bahwa tentara akan membela Republik Bolivarian. "
    "Sekolah dasar ditutup karena banjir merendam jalan utama."
)
ENGLISH = "Kevin Rudd was the prime minister of Australia for two years. Rudd said that the Kyoto Protocol would be signed."


def made(language: str, passage: str, seed: int) -> list[Asked]:
    return list(open_questions.made([(language, passage)], random.Random(seed)))


def marked(asked: Asked) -> str:
    assert asked.answers
    (span,) = asked.answers
    return asked.passage[span.start : span.end]


@given(st.integers(0, 2**32))
def test_what_is_who_said_what_and_why_become_questions_with_their_answers(seed: int) -> None:
    found = {asked.source: asked for asked in made("id", NEWS, seed)}
    assert set(found) == {"open-defined", "open-said", "open-why"}
    assert marked(found["open-defined"]) == "menteri pertahanan Venezuela sejak 2014."
    assert "Vladimir Padrino" in found["open-defined"].question
    assert marked(found["open-said"]) == "tentara akan membela Republik Bolivarian."
    assert "Republik Bolivarian" in found["open-said"].question
    assert marked(found["open-why"]) == "karena banjir merendam jalan utama."
    assert "ekolah dasar ditutup" in found["open-why"].question
    assert all(asked.passage == NEWS for asked in found.values())


def test_questions_are_asked_in_the_other_language_too() -> None:
    asked = [one.question for seed in range(40) for one in made("id", NEWS, seed) if one.source == "open-said"]
    assert any(question.startswith("Apa ") for question in asked)
    assert any("did" in question.split() for question in asked)


def test_english_passages_are_taken_apart_by_their_own_words() -> None:
    found = {asked.source: marked(asked) for asked in made("en", ENGLISH, 3)}
    assert found == {
        "open-defined": "the prime minister of Australia for two years.",
        "open-said": "the Kyoto Protocol would be signed.",
    }


@given(st.text(), st.sampled_from(["id", "en"]))
def test_any_text_is_read_and_every_answer_lies_in_it(passage: str, language: str) -> None:
    for asked in made(language, passage, 0):
        assert marked(asked)
