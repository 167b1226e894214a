import pytest

from rag.judging import wording

INDONESIAN = "Menteri Pertahanan mengatakan bahwa harga beras naik dan pemerintah akan mengirim bantuan ke daerah."
ENGLISH = "The minister of defence said that the price of rice rises and that the government will send help."


def test_shared_words_are_a_share_of_the_claims() -> None:
    assert wording.shared_words("Harga beras, harga!", "HARGA naik", "id") == pytest.approx(2 / 3)
    assert wording.shared_words("…", "harga", "id") == 0


def test_shared_numbers_are_compared_as_they_are_written() -> None:
    assert wording.shared_numbers("Pada 2024 ada 1.500 orang", "Tahun 2024: 1500 orang") == 0.5
    assert wording.shared_numbers("tanpa angka", "2024") == 1
    assert wording.shared_numbers("pada 2024", "") == 0


def test_words_are_compared_in_one_language_only() -> None:
    assert wording.language_of_both("Harga beras naik", INDONESIAN) == "id"
    assert wording.language_of_both("The price of rice has been rising for many months", ENGLISH) == "en"
    assert wording.language_of_both("The price of rice has been rising for many months", INDONESIAN) is None
