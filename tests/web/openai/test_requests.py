import pytest

from rag.errors import QuestionError
from rag.types import Turn
from rag.web.openai.requests import Message, TextPart, conversation


def test_the_last_message_is_the_question_and_those_before_are_turns() -> None:
    messages = [
        Message("system", "Be brief."),
        Message("assistant", "Hello!"),
        Message("user", "Siapa?"),
        Message("assistant", "Ashtiani. [1]\n\n[1] a.txt: “Ashtiani”"),
        Message("user", [TextPart("Dan"), TextPart("kapan?")]),
    ]
    assert conversation(messages) == ("Dan\nkapan?", (Turn("Siapa?", "Ashtiani. [1]"),))


def test_only_the_last_turns_are_kept_and_one_without_an_answer_is_one() -> None:
    messages = [Message("user", f"Question {n}?") for n in range(6)]
    assert conversation(messages) == ("Question 5?", tuple(Turn(f"Question {n}?", "") for n in (2, 3, 4)))


@pytest.mark.parametrize("messages", [[], [Message("system", "x")], [Message("user", "x"), Message("assistant", "y")]])
def test_without_a_question_there_is_nothing_to_answer(messages: list[Message]) -> None:
    with pytest.raises(QuestionError, match="end `messages` with"):
        conversation(messages)
