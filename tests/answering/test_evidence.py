import numpy as np
import pytest

from rag.answering.evidence import names_occur, numbers_occur, select
from rag.text import words
from tests.fakes import BagEmbedder

SENTENCES = [
    "Rapat itu berlangsung di Jakarta pada hari Senin.",
    "Menteri Budi mengatakan harga beras naik.",
    "Ia menambahkan bahwa harga itu naik 12,5 persen sejak Januari.",
]


def chosen(claim: str) -> list[int]:
    vectors = BagEmbedder().embed_queries([claim, *SENTENCES])
    return select(words(claim, "id"), vectors[0], [words(s, "id") for s in SENTENCES], vectors[1:])


def test_the_sentence_that_says_it_is_chosen() -> None:
    assert chosen("Rapat berlangsung di Jakarta.") == [0]
    assert chosen("Harga beras naik menurut Menteri Budi.") == [1]


def test_a_claim_from_two_sentences_cites_both_in_order() -> None:
    assert chosen("Menteri Budi mengatakan harga beras naik 12,5 persen sejak Januari.") == [1, 2]


def test_meaning_decides_where_no_word_is_shared() -> None:
    vectors = np.eye(3, dtype=np.float32)
    assert select(["price"], vectors[2], [["a"], ["b"], ["c"]], vectors) == [2]


def test_every_number_must_occur() -> None:
    assert numbers_occur("Naik 12,5 persen pada 2024.", "Pada 2024 harga naik 12,5 persen.")
    assert not numbers_occur("Naik 13 persen.", SENTENCES[2])
    assert not numbers_occur("Naik 2 persen.", "Naik 12 persen.")
    assert numbers_occur("Naik tajam.", "")


@pytest.mark.parametrize(
    ("claim", "evidence", "language"),
    [
        ("Menteri Budi mengatakan harga naik.", "Menurut menteri budi, harga naik.", "id"),
        ("The Venezuelan minister spoke.", "Venezuela's minister spoke.", "en"),
        ("Presiden Donald Trump pergi.", "Trump pergi.", "id"),
        ("Menteri itu pergi.", "Ia pergi.", "id"),
        ("Der Minister sprach vom Wetter.", "Er sprach.", "de"),
        ("", "", "id"),
        ("กรุงเทพ", "", "th"),
    ],
)
def test_names_may_differ_in_case_and_ending_and_half_may_be_the_models(claim: str, evidence: str, language: str) -> None:
    assert names_occur(claim, evidence, language)


@pytest.mark.parametrize("claim", ["Menurut Marco Rubio harga naik.", "Kata Presiden Joko Widodo, harga beras naik."])
def test_a_claim_of_somebody_who_is_not_there_is_found_out(claim: str) -> None:
    assert not names_occur(claim, SENTENCES[1], "id")


def test_of_several_sources_each_is_cited_that_shares_words_with_the_claim() -> None:
    claim, sentences = (
        ["kerinci", "lebih", "tinggi", "dari", "rinjani"],
        [["gunung", "kerinci", "tinggi"], ["taman"], ["rinjani", "tinggi"]],
    )
    vectors = np.array([[1, 0], [0, 1], [0.6, 0.8]], dtype=np.float32)
    assert select(claim, vectors[0], sentences, vectors, [0, 0, 1]) == [0, 2]
    assert select(claim, vectors[0], [*sentences[:2], ["beras"]], vectors, [0, 0, 1]) == [0]
