import pytest

from rag.answering.needs import asks_for_all, joins, pairs

KERINCI = "Gunung Kerinci berada di Sumatra. Ketinggiannya 3.805 meter."
RINJANI = "Gunung Rinjani berada di Lombok, setinggi 3.726 meter."
RICE = "Harga beras naik 12 persen."


@pytest.mark.parametrize(
    ("question", "language"),
    [
        ("Perusahaan apa saja yang membuat sepeda di Malang?", "id"),
        ("Sebutkan menteri yang hadir.", "id"),
        ("Which companies are in Malang?", "en"),
        ("List the ministers.", "en"),
        ("Quelles sont les villes ?", "fr"),
    ],
)
def test_a_question_for_a_list_is_known_by_its_words(question: str, language: str) -> None:
    assert asks_for_all(question, language)


@pytest.mark.parametrize(
    ("question", "language"),
    [
        ("Siapa Menteri Pertahanan?", "id"),
        ("Apa saja", "xx"),
        ("Who is the minister?", "en"),
        ("Is the listing right?", "en"),
    ],
)
def test_other_questions_are_for_one_thing(question: str, language: str) -> None:
    assert not asks_for_all(question, language)


def test_two_things_are_joined_by_a_word_of_the_language() -> None:
    assert joins("Mana yang lebih tinggi, Kerinci atau Rinjani?", "id")
    assert joins("Is Kerinci higher than Rinjani?", "en")
    assert not joins("Is Kerinci higher than Rinjani?", "id")
    assert not joins("Di mana Gunung Kerinci?", "id")
    assert not joins("Kerinci atau Rinjani?", "xx")


def test_a_pair_has_each_a_name_that_the_other_lacks() -> None:
    question = "mana yang lebih tinggi, kerinci atau rinjani?"
    assert list(pairs(question, [RICE, KERINCI, RINJANI, KERINCI])) == [(1, 2), (2, 3)]


def test_what_both_passages_name_makes_no_pair() -> None:
    assert list(pairs("Kerinci atau Rinjani?", [f"{KERINCI} {RINJANI}", RINJANI])) == []
    assert list(pairs("di mana gunung itu dan apa harga beras?", [KERINCI, "harga beras naik"])) == []
