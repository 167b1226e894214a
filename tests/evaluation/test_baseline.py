"""The messages of the plain way, and how its reply is read."""

import pytest

from rag.answering.prompt import Phrases, load
from rag.evaluation.baseline import messages, understood
from tests.conftest import ROOT

INDONESIAN, ENGLISH, CHINESE = (load(ROOT).phrases(language) for language in ("id", "en", "zh"))
# Its last words refuse nothing.
LATE = "Harga beras naik pada 2020 di seluruh negeri, dan gula tidak ada."


def test_passages_are_numbered_and_their_own_marks_left_out() -> None:
    system, user = messages("Kapan  naik?", ["Satu [33].\nLagi.", "Dua."], INDONESIAN)
    assert (system["role"], user["role"]) == ("system", "user")
    assert system["content"].endswith("write only: tidak ada")
    assert user["content"] == ("Passages:\n[1] Satu. Lagi.\n[2] Dua.\n\nQuestion: Kapan naik?\nAnswer in bahasa Indonesia.")


@pytest.mark.parametrize(
    ("reply", "phrases", "said", "labels"),
    [
        ("Pada 2020 [2]. Juga di Jakarta [1] [9].", INDONESIAN, "Pada 2020. Juga di Jakarta.", [2, 1, 9]),
        ("Tidak ada.", INDONESIAN, None, []),
        ("Tidak ada [1]", INDONESIAN, None, [1]),
        ("Jawabannya tidak ada dalam teks.", INDONESIAN, None, []),
        (LATE, INDONESIAN, LATE, []),
        ("Pada 2020.", INDONESIAN, "Pada 2020.", []),
        ("", INDONESIAN, None, []),
        ("[3]", INDONESIAN, None, [3]),
        ("None of the passages says so.", ENGLISH, None, []),
        ("Nonetheless it rose in 2020. [1]", ENGLISH, "Nonetheless it rose in 2020.", [1]),
        ("无。", CHINESE, None, []),
        ("无线电 [1]。", CHINESE, "无线电。", [1]),
    ],
)
def test_a_reply_is_an_answer_with_labels_or_a_refusal(
    reply: str, phrases: Phrases, said: str | None, labels: list[int]
) -> None:
    assert understood(reply, phrases) == (said, labels)
