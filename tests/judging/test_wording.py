import pytest

from rag.judging import wording

INDONESIAN = "Menteri Pertahanan mengatakan bahwa harga beras naik dan pemerintah akan mengirim bantuan ke daerah."
ENGLISH = "The minister of defence said that the price of rice rises and that the government will send help."


def test_shared_words_are_a_share_of_the_claims() -> None:
    assert wording.shared_words("Harga beras, harga!", "HARGA naik", "id") == pytest.approx(2 / 3)
    assert wording.shared_words("…", "harga", "id") == 0
    assert wording.shared_words("desa nomor 7", "Desa nomor 07", "id") == 1


def test_shared_numbers_are_compared_as_they_are_written() -> None:
    assert wording.shared_numbers("Pada 2024 ada 1.500 orang", "Tahun 2024: 1500 orang") == 0.5
    assert wording.shared_numbers("tanpa angka", "2024") == 1
    assert wording.shared_numbers("pada 2024", "") == 0


@pytest.mark.parametrize(
    ("claim", "evidence", "share"),
    [
        ("desa nomor 7", "Desa No. 07", 1),
        ("desa nomor 07", "Desa No. 7", 1),
        ("agen 007", "agen 7", 1),
        ("pukul 7.05", "pukul 07.05", 1),
        ("nomor 7", "nomor 70", 0),
        ("3.7 persen", "3.07 persen", 0),
        ("0,5 persen", "5 persen", 0),
        ("0 orang", "00 orang", 1),
        ("0 orang", "10 orang", 0),
    ],
)
def test_a_number_is_the_same_with_zeros_before_it(claim: str, evidence: str, share: float) -> None:
    assert wording.shared_numbers(claim, evidence) == share


def test_words_are_compared_in_one_language_only() -> None:
    assert wording.language_of_both("Harga beras naik", INDONESIAN) == "id"
    assert wording.language_of_both("The price of rice has been rising for many months", ENGLISH) == "en"
    assert wording.language_of_both("The price of rice has been rising for many months", INDONESIAN) is None
