import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.answering.citing import claims, finished


@pytest.mark.parametrize(
    ("written", "left"),
    [
        ("Harga naik. Kucing ti", ["Harga naik."]),
        ("Harga naik. Kucing tidur.", ["Harga naik.", "Kucing tidur."]),
        ("Harga naik. Menurut Dr.", ["Harga naik."]),
        ("Harga nai", ["Harga nai…"]),
        ("Harga naik [3]", ["Harga naik…"]),
        ("- beras\n- gula\n- kop", ["- beras", "- gula"]),
        ("", []),
    ],
)
def test_of_an_answer_that_was_cut_what_has_an_end_is_left(written: str, left: list[str]) -> None:
    assert finished(claims(written, "id")) == left


@given(st.lists(st.text(min_size=1), max_size=4))
def test_something_is_left_of_what_was_said_and_nothing_comes_between(claimed: list[str]) -> None:
    left = finished(claimed)
    assert len(left) >= min(1, len(claimed))
    assert all(said.startswith(was) for was, said in zip(claimed, left, strict=False))
