import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.ingestion.dates import first_day, front_matter_day


@pytest.mark.parametrize(
    "stated",
    [
        "2024-05-06",
        "2024-05-06T23:59:59+07:00",
        "2024/05/06 10:00",
        "20240506",
        "D:20240506070809+07'00'",
        "Mon, 06 May 2024 07:08:09 +0700",
        "6 May 2024 07:08",
    ],
)
def test_a_day_in_any_usual_writing(stated):
    assert first_day([stated]) == "2024-05-06"


@pytest.mark.parametrize(
    "stated",
    [
        "",
        "kemarin",
        "2024",
        "2024-13-01",
        "2024-02-30",
        "D:2024",
        "0000-00-00",
        "1970-01-01",
        "1601-01-01T00:00:00Z",
        None,
        7,
        "12-2024",
    ],
)
def test_what_is_no_day_or_a_clocks_zero(stated):
    assert first_day([stated]) == ""


def test_the_first_valid_one_stands():
    assert first_day([None, "besok", "2024-05-06", "2020-01-01"]) == "2024-05-06"


@given(st.text(max_size=60))
def test_any_text_is_a_day_or_none(stated):
    assert len(first_day([stated])) in {0, 10}


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("---\ntitle: x\ndate: 2024-05-06\n---\nisi", "2024-05-06"),
        ('---\r\nDate: "2024-05-06T10:00"\r\n---\r\nisi', "2024-05-06"),
        ("---\ntitle: x\n---\ndate: 2024-05-06", ""),
        ("isi\n---\ndate: 2024-05-06\n---\n", ""),
        ("---\ndate: 2024-05-06\ntanpa akhir", ""),
        ("---\ndate:\n---\n", ""),
    ],
)
def test_the_day_of_front_matter(text, day):
    assert front_matter_day(text) == day
