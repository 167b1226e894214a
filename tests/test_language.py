import py3langid
import pytest

from rag import language
from rag.language import UNKNOWN, detect, of_question


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Kepala Staf Angkatan Bersenjata Iran mengatakan bahwa negaranya siap mengekspor peralatan.", "id"),
        ("The chief of staff of the armed forces said that the country is ready.", "en"),
        ("ใครเป็นเสนาธิการกองทัพอิหร่าน", "th"),
        ("谁是伊朗武装部队参谋长？", "zh"),
        ("Der Generalstabschef erklärte, das Land sei bereit.", "de"),
    ],
)
def test_names_the_language(text, expected):
    assert detect(text) == expected


def test_a_short_indonesian_question_that_looks_malay_leans_to_the_documents():
    assert detect("Apa ibu kota negara itu?") == "ms"
    assert detect("Apa ibu kota negara itu?", ("id",)) == "id"


@pytest.mark.parametrize(
    ("question", "expected"),
    [("Who is the chief of staff?", "en"), ("ใครเป็นเสนาธิการกองทัพอิหร่าน", "th"), ("谁是伊朗武装部队参谋长？", "zh")],
)
def test_leaning_does_not_bend_a_clear_case(question, expected):
    assert detect(question, ("id",)) == expected


@pytest.mark.parametrize("text", ["", "   \n", "12345 !? 😀", "१२३"])
def test_a_text_without_letters_has_no_language(text):
    assert detect(text) == detect(text, ("id",)) == UNKNOWN == "und"


def test_a_chinese_language_is_called_chinese():
    assert detect("佢哋喺度做緊乜嘢呀？我哋唔知道。") == "zh"


def test_only_the_beginning_counts():
    beginning = "The chief of staff of the armed forces said that the country is ready. " * 60
    assert detect(beginning + "谁是伊朗武装部队参谋长？" * 1000) == "en"


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("When were Ari Sudrajat and Bima Wicaksana born?", "en"),
        ("Siapa yang lebih tua, Ari Sudrajat atau Bima Wicaksana?", "id"),
        ("谁是伊朗武装部队参谋长？", "zh"),
        ("Siapa Jokowi?", "id"),
        ("2024?", UNKNOWN),
    ],
)
def test_the_language_of_a_question_is_not_that_of_its_names(question, expected):
    assert of_question(question, ("id", "ms")) == expected
    if expected == "en":
        assert detect(question, ("id", "ms")) != expected


@pytest.mark.parametrize("text", ["Menteri itu berkata apa?", "Wo ist der Bahnhof?", "何が起きましたか", "x", ""])
def test_the_model_unpacked_here_scores_as_the_library_does(text: str) -> None:
    assert language._DETECTOR.identifier.rank(text) == py3langid.rank(text)
