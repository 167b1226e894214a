from pathlib import Path

import pytest

from rag.answering import prompt
from rag.answering.choosing import Choice, Tools, asks_for_all, choose, joins, pairs
from rag.types import Passage, Span
from tests.fakes import BagEmbedder, OverlapReader, ScriptedJudge

PROMPTS = prompt.load(Path(__file__).parents[2])
KERINCI = "Gunung Kerinci berada di Sumatra. Ketinggiannya 3.805 meter."
RINJANI = "Gunung Rinjani berada di Lombok, setinggi 3.726 meter."
RICE = "Harga beras naik 12 persen."


@pytest.mark.parametrize(
    ("question", "language"),
    [
        ("Perusahaan apa saja yang membuat sepeda di Malang?", "id"),
        ("Sebutkan menteri yang hadir.", "id"),
        ("Which companies are in Malang?", "en"),
        ("List the ministers.", "en"),
        ("Quelles sont les villes ?", "fr"),
    ],
)
def test_a_question_for_a_list_is_known_by_its_words(question: str, language: str) -> None:
    assert asks_for_all(question, PROMPTS.phrases(language))


@pytest.mark.parametrize(
    ("question", "language"),
    [
        ("Siapa Menteri Pertahanan?", "id"),
        ("Apa saja", "xx"),
        ("Who is the minister?", "en"),
        ("Is the listing right?", "en"),
    ],
)
def test_other_questions_are_for_one_thing(question: str, language: str) -> None:
    assert not asks_for_all(question, PROMPTS.phrases(language))


def test_two_things_are_joined_by_a_word_of_the_language() -> None:
    assert joins("Mana yang lebih tinggi, Kerinci atau Rinjani?", PROMPTS.phrases("id"))
    assert joins("Is Kerinci higher than Rinjani?", PROMPTS.phrases("en"))
    assert not joins("Is Kerinci higher than Rinjani?", PROMPTS.phrases("id"))
    assert not joins("Di mana Gunung Kerinci?", PROMPTS.phrases("id"))
    assert not joins("Kerinci atau Rinjani?", PROMPTS.phrases("xx"))


def test_a_pair_has_each_a_name_that_the_other_lacks() -> None:
    question = "mana yang lebih tinggi, kerinci atau rinjani?"
    assert list(pairs(question, [RICE, KERINCI, RINJANI, KERINCI])) == [(1, 2), (2, 3)]


def test_what_both_passages_name_makes_no_pair() -> None:
    assert list(pairs("Kerinci atau Rinjani?", [f"{KERINCI} {RINJANI}", RINJANI])) == []
    assert list(pairs("di mana gunung itu dan apa harga beras?", [KERINCI, "harga beras naik"])) == []


KERINCI_PASSAGE = "Gunung Kerinci setinggi 3.805 meter."
RINJANI_PASSAGE = "Gunung Rinjani setinggi 3.726 meter."
COMPARISON = "Mana yang lebih tinggi, Kerinci atau Rinjani?"
TOGETHER = f"{KERINCI_PASSAGE}\n{RINJANI_PASSAGE}"


def passages(*texts: str) -> list[Passage]:
    """In the order of retrieval."""
    return [Passage(text[:12], "a.txt", "id", 0, len(text), text, 1 - n / 10) for n, text in enumerate(texts)]


def chosen(question: str, judge: ScriptedJudge, *texts: str) -> Choice:
    tools = Tools(judge, None, OverlapReader, BagEmbedder(), lambda _: None)
    return choose(question, PROMPTS.phrases("id"), passages(*texts), tools, 0.45)


def texts_of(choice: Choice) -> list[str]:
    return [verdict.passage.text for verdict in choice.chosen]


def test_one_passage_suffices_where_it_answers() -> None:
    judge = ScriptedJudge({RICE: 0.2, KERINCI_PASSAGE: 0.7, RINJANI_PASSAGE: 0.6}, Span(0, 6))
    choice = chosen("Berapa tinggi Gunung Kerinci?", judge, RICE, KERINCI_PASSAGE, RINJANI_PASSAGE)
    assert (texts_of(choice), choice.confidence) == ([KERINCI_PASSAGE], 0.7)
    assert [
        passage.confidence for passage in choice.order(passages(RICE, KERINCI_PASSAGE, RINJANI_PASSAGE, KERINCI_PASSAGE))
    ] == [0.2, 0.7, 0.6, None]


def test_no_passage_is_chosen_where_none_answers() -> None:
    choice = chosen("Berapa tinggi Gunung Kerinci?", ScriptedJudge({RICE: 0.2, RINJANI_PASSAGE: 0.44}), RICE, RINJANI_PASSAGE)
    assert (choice.chosen, choice.confidence) == ((), 0.44)


def test_two_that_answer_together_and_not_alone_are_read_together() -> None:
    judge = ScriptedJudge(
        {KERINCI_PASSAGE: 0.2, RICE: 0.1, RINJANI_PASSAGE: 0.3, f"{RINJANI_PASSAGE}\n{KERINCI_PASSAGE}": 0.8, TOGETHER: 0.8},
        Span(0, 6),
    )
    choice = chosen(COMPARISON, judge, KERINCI_PASSAGE, RICE, RINJANI_PASSAGE)
    assert (sorted(texts_of(choice)), choice.confidence) == ([KERINCI_PASSAGE, RINJANI_PASSAGE], 0.8)
    assert choice.halves


@pytest.mark.parametrize("joint", [0.5, 0.89])
def test_two_that_answer_together_no_better_than_one_alone_are_not(joint: float) -> None:
    judge = ScriptedJudge({KERINCI_PASSAGE: 0.8, RINJANI_PASSAGE: 0.3, TOGETHER: joint})
    assert texts_of(chosen(COMPARISON, judge, KERINCI_PASSAGE, RINJANI_PASSAGE)) == [KERINCI_PASSAGE]


def test_two_that_do_not_answer_even_together_are_refused() -> None:
    judge = ScriptedJudge({KERINCI_PASSAGE: 0.05, RINJANI_PASSAGE: 0.05, TOGETHER: 0.4})
    assert chosen(COMPARISON, judge, KERINCI_PASSAGE, RINJANI_PASSAGE).chosen == ()


def test_of_a_comparison_all_are_judged_though_one_is_certain() -> None:
    judge = ScriptedJudge({KERINCI_PASSAGE: 0.9, RINJANI_PASSAGE: 0.3, TOGETHER: 0.99})
    assert texts_of(chosen(COMPARISON, judge, KERINCI_PASSAGE, RINJANI_PASSAGE)) == [KERINCI_PASSAGE, RINJANI_PASSAGE]


def test_of_a_list_all_that_answer_are_read_three_at_most() -> None:
    names = ["satu", "dua", "tiga", "empat"]
    judge = ScriptedJudge({"satu": 0.9, "dua": 0.6, "tiga": 0.2, "empat": 0.5})
    assert texts_of(chosen("Apa saja?", judge, *names)) == ["satu", "dua", "empat"]
    assert len(chosen("Apa saja?", ScriptedJudge(0.9), *names).chosen) == 3
    assert texts_of(chosen("Apa?", judge, *names)) == ["satu"]
