import pytest

from rag.engine import MOST_QUESTION_CHARACTERS
from rag.errors import QuestionError
from rag.types import Turn
from rag.web.history import AskedBefore, turns


def test_a_conversation_is_taken_in_its_order() -> None:
    assert turns([AskedBefore("Siapa?", "Ashtiani."), AskedBefore("Kapan?", "")]) == (
        Turn("Siapa?", "Ashtiani."),
        Turn("Kapan?", ""),
    )
    assert turns([]) == ()


@pytest.mark.parametrize(
    ("history", "mend"),
    [
        ([AskedBefore("Siapa?", "")] * 21, "send the last 20"),
        ([AskedBefore("x" * (MOST_QUESTION_CHARACTERS + 1), "")], "send at most 1000 characters of question"),
        ([AskedBefore("Siapa?", "x" * 10_001)], "send at most 1000 characters of question and 10000 of answer"),
    ],
)
def test_one_that_is_too_long_is_refused(history: list[AskedBefore], mend: str) -> None:
    with pytest.raises(QuestionError, match=mend):
        turns(history)
