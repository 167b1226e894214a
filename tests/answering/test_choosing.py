import pytest

from rag.answering.choosing import Choice, choose
from rag.answering.tools import Tools
from rag.types import Passage, Span
from tests.fakes import BagEmbedder, OverlapReader, ScriptedJudge

KERINCI = "Gunung Kerinci setinggi 3.805 meter."
RINJANI = "Gunung Rinjani setinggi 3.726 meter."
RICE = "Harga beras naik 12 persen."
COMPARISON = "Mana yang lebih tinggi, Kerinci atau Rinjani?"
TOGETHER = f"{KERINCI}\n{RINJANI}"


def passages(*texts: str) -> list[Passage]:
    """In the order of retrieval."""
    return [Passage(text[:12], "a.txt", "id", 0, len(text), text, 1 - n / 10) for n, text in enumerate(texts)]


def chosen(question: str, judge: ScriptedJudge, *texts: str) -> Choice:
    tools = Tools(judge, None, OverlapReader, BagEmbedder(), lambda _: None)
    return choose(question, "id", passages(*texts), tools, 0.45)


def texts_of(choice: Choice) -> list[str]:
    return [verdict.passage.text for verdict in choice.chosen]


def test_one_passage_suffices_where_it_answers() -> None:
    judge = ScriptedJudge({RICE: 0.2, KERINCI: 0.7, RINJANI: 0.6}, Span(0, 6))
    choice = chosen("Berapa tinggi Gunung Kerinci?", judge, RICE, KERINCI, RINJANI)
    assert (texts_of(choice), choice.confidence) == ([KERINCI], 0.7)
    assert [passage.confidence for passage in choice.order(passages(RICE, KERINCI, RINJANI, KERINCI))] == [0.2, 0.7, 0.6, None]


def test_no_passage_is_chosen_where_none_answers() -> None:
    choice = chosen("Berapa tinggi Gunung Kerinci?", ScriptedJudge({RICE: 0.2, RINJANI: 0.44}), RICE, RINJANI)
    assert (choice.chosen, choice.confidence) == ((), 0.44)


def test_two_that_answer_together_and_not_alone_are_read_together() -> None:
    judge = ScriptedJudge({KERINCI: 0.2, RICE: 0.1, RINJANI: 0.3, f"{RINJANI}\n{KERINCI}": 0.8, TOGETHER: 0.8}, Span(0, 6))
    choice = chosen(COMPARISON, judge, KERINCI, RICE, RINJANI)
    assert (sorted(texts_of(choice)), choice.confidence) == ([KERINCI, RINJANI], 0.8)
    assert choice.halves


@pytest.mark.parametrize("joint", [0.5, 0.89])
def test_two_that_answer_together_no_better_than_one_alone_are_not(joint: float) -> None:
    judge = ScriptedJudge({KERINCI: 0.8, RINJANI: 0.3, TOGETHER: joint})
    assert texts_of(chosen(COMPARISON, judge, KERINCI, RINJANI)) == [KERINCI]


def test_two_that_do_not_answer_even_together_are_refused() -> None:
    judge = ScriptedJudge({KERINCI: 0.05, RINJANI: 0.05, TOGETHER: 0.4})
    assert chosen(COMPARISON, judge, KERINCI, RINJANI).chosen == ()


def test_of_a_comparison_all_are_judged_though_one_is_certain() -> None:
    judge = ScriptedJudge({KERINCI: 0.9, RINJANI: 0.3, TOGETHER: 0.99})
    assert texts_of(chosen(COMPARISON, judge, KERINCI, RINJANI)) == [KERINCI, RINJANI]


def test_of_a_list_all_that_answer_are_read_three_at_most() -> None:
    names = ["satu", "dua", "tiga", "empat"]
    judge = ScriptedJudge({"satu": 0.9, "dua": 0.6, "tiga": 0.2, "empat": 0.5})
    assert texts_of(chosen("Apa saja?", judge, *names)) == ["satu", "dua", "empat"]
    assert len(chosen("Apa saja?", ScriptedJudge(0.9), *names).chosen) == 3
    assert texts_of(chosen("Apa?", judge, *names)) == ["satu"]
