import numpy as np

from rag.answering.evidence import numbers_occur, select
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
