"""The conversation before a question, as clients send it. Knows neither HTTP nor another protocol."""

from collections.abc import Sequence

from msgspec import Struct

from rag.engine import MOST_QUESTION_CHARACTERS
from rag.errors import QuestionError
from rag.types import Turn

# Turns of a conversation that a follow-up may come with, and the characters of an answer in it.
_MOST_TURNS, _MOST_ANSWER_CHARACTERS = 20, 10_000


class AskedBefore(Struct, frozen=True, forbid_unknown_fields=True):
    """A question of the conversation before this one, and what was answered."""

    question: str
    answer: str


def turns(history: Sequence[AskedBefore]) -> tuple[Turn, ...]:
    """The same for the engine. Raises QuestionError where it is longer than what is taken."""
    if len(history) > _MOST_TURNS:
        raise QuestionError(f"the history has {len(history)} turns", f"send the last {_MOST_TURNS}")
    for turn in history:
        if len(turn.question) > MOST_QUESTION_CHARACTERS or len(turn.answer) > _MOST_ANSWER_CHARACTERS:
            most = f"{MOST_QUESTION_CHARACTERS} characters of question and {_MOST_ANSWER_CHARACTERS} of answer"
            raise QuestionError("a turn of the history is too long", f"send at most {most}")
    return tuple(Turn(turn.question, turn.answer) for turn in history)
