from pathlib import Path

import pytest

from rag.answering import follow_up, prompt
from rag.types import Turn
from tests.fakes import ScriptedReader

PROMPTS = prompt.load(Path(__file__).parents[2])
TURNS = {
    "en": (Turn("Who is Iran's defence minister?", "Iran's defence minister is Mohammad Reza Ashtiani."),),
    "id": (Turn("Siapa Menteri Pertahanan Iran?", "Menteri Pertahanan Iran adalah Ashtiani."),),
    "zh": (Turn("伊朗国防部长是谁？", "伊朗国防部长是阿什蒂亚尼。"),),
}


@pytest.mark.parametrize(
    ("language", "question", "likely"),
    [
        ("en", "What did he say about Venezuela?", True),
        ("en", "And the president of the country?", True),
        ("en", "What about the armed forces of Iran?", True),
        ("en", "When?", True),
        ("en", "Who was the first president of Indonesia?", False),
        ("en", "Which country may buy Iranian equipment and arms?", False),
        ("id", "Apa yang dia katakan tentang Venezuela?", True),
        ("id", "Siapa saja yang pernah menjadi wakilnya selama ini?", True),
        ("id", "Bagaimana dengan Menteri Luar Negeri Iran?", True),
        ("id", "Lalu presiden negara itu siapa?", True),
        ("id", "Pada hari apa?", True),
        ("id", "Siapa presiden pertama Republik Indonesia?", False),
        ("zh", "他对委内瑞拉说了什么？", True),
        ("zh", "印度尼西亚共和国的第一任总统是谁？", False),
    ],
)
def test_a_question_that_points_back_goes_on_or_is_short_leans_on_the_turns_before(
    language: str, question: str, likely: bool
) -> None:
    assert follow_up.is_likely(question, TURNS[language], language, PROMPTS.phrases(language)) == likely
    assert not follow_up.is_likely(question, (), language, PROMPTS.phrases(language))


def alone(written: str, question: str, turns: tuple[Turn, ...] = TURNS["en"]) -> str:
    reader = ScriptedReader([written])
    return follow_up.alone(question, turns, "en", PROMPTS.phrases("en"), lambda: reader)


def test_what_the_model_writes_is_taken_where_it_is_a_question_of_what_was_said() -> None:
    written = "What did Mohammad Reza Ashtiani say about Venezuela?"
    assert alone(f'"{written}"\n', "What did he say about Venezuela?") == written


@pytest.mark.parametrize(
    "written",
    [
        "",
        "?",
        "What did he say about Venezuela?",
        "Ashtiani said that there are no limits.",
        "Who is Iran's defence minister?",
        "Which football team won the cup in Brazil last year?",
        "What did Ashtiani say about Venezuela? " * 20,
    ],
)
def test_else_the_question_is_asked_after_the_answer_before_it(written: str) -> None:
    joined = alone(written, "What did he say about Venezuela?")
    assert joined == "Iran's defence minister is Mohammad Reza Ashtiani. What did he say about Venezuela?"


def test_markers_of_citations_are_no_part_of_what_was_said() -> None:
    turns = (Turn("Who is the minister?", "The minister is Ashtiani. [1] [2]"),)
    assert alone("", "When did he speak?", turns) == "The minister is Ashtiani. When did he speak?"


def test_a_refusal_before_it_says_nothing_so_what_was_asked_does() -> None:
    turns = (Turn("Who is Iran's defence minister?", PROMPTS.phrases("en").refusal),)
    assert alone("", "When did he speak?", turns) == "Who is Iran's defence minister? When did he speak?"


def test_the_model_is_shown_the_last_turns_and_not_all_of_them() -> None:
    heard: list[str] = []

    class Listening(ScriptedReader):
        def rewrite(self, question: str, conversation: str, language: str) -> str:
            heard.append(conversation)
            return ""

    turns = tuple(Turn(f"Question {n} " + "x" * 1000, f"Answer {n} " + "y" * 10_000) for n in range(9))
    follow_up.alone("When?", turns, "en", PROMPTS.phrases("en"), Listening)
    assert "Question 6" in heard[0]
    assert "Question 5" not in heard[0]
    assert len(heard[0]) < 2000
