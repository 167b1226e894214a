"""Marked words against answers: what the comparison overlooks, and what it does not."""

import pytest

from rag.evaluation.matching import exact, f1, normalised, tokens


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("  Joko   WIDODO. ", "joko widodo"),
        ("U.S.$ 5", "us 5"),
        ("“Straße”\n(2)", "strasse 2"),
        ("de\u00adpan\u200b", "depan"),
        ("e\u0301", "é"),
        ("…?!", ""),
        ("กรุงเทพฯ。", "กรุงเทพฯ"),
        ("the cat", "the cat"),
    ],
)
def test_case_punctuation_and_spaces_do_not_count(text: str, plain: str) -> None:
    assert normalised(text) == plain
    assert normalised(plain) == plain


def test_an_exact_match_is_with_any_of_the_answers() -> None:
    assert exact("Joko Widodo,", ["Jokowi", "joko widodo"]) == 1
    assert exact("Joko", ["Jokowi", "joko widodo"]) == 0
    assert exact("", ["Jokowi"]) == 0


def test_f1_counts_words_that_are_common() -> None:
    # Two of three words marked, two of two words of the answer: precision 2/3, recall 1.
    assert f1("presiden Joko Widodo", ["Joko Widodo"], "id") == pytest.approx(4 / 5)
    assert f1("presiden Joko Widodo", ["x", "Joko Widodo"], "id") == pytest.approx(4 / 5)
    assert f1("dua dua", ["dua"], "id") == pytest.approx(2 / 3)
    assert f1("Prabowo", ["Joko Widodo"], "id") == 0
    assert (f1("", ["Jokowi"], "id"), f1("", ["…"], "id"), f1("x", ["…"], "id")) == (0, 1, 0)


@pytest.mark.parametrize(
    ("marked", "answer", "language", "expected"),
    [("北京大学", "北京", "zh", 2 / 3), ("東京タワー", "タワー", "ja", 3 / 4), ("ไทยแลนด์", "ไทย", "th", 6 / 11)],
)
def test_characters_are_tokens_where_no_spaces_are_written(marked: str, answer: str, language: str, expected: float) -> None:
    assert f1(marked, [answer], language) == pytest.approx(expected)


def test_mixed_scripts_have_characters_and_words() -> None:
    assert sorted(tokens("iPhone 15的价格", "zh")) == sorted(["iphone", "15", "的", "价", "格"])
