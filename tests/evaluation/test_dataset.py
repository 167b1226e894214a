"""Reading judged questions: what is taken, what is left out, and the line that is wrong."""

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from rag.errors import QuestionError
from rag.evaluation.dataset import CorpusPassage, JudgedQuestion, read, write_seeds

CORPUS = [
    {"id": "a", "title": "", "text": "Kapal selam.", "lang": "id"},
    {"id": "b", "title": "Beras", "text": "Harga naik.\nLagi.", "lang": "id"},
]
QUESTIONS = [
    {"id": "q1", "question": "Harga apa?", "lang": "id", "answers": [], "relevant": ["b"], "answerable": True},
    {"id": "q2", "question": "Siapa?", "lang": "id", "answers": [], "relevant": [], "answerable": False},
    {"id": "q3", "question": "What?", "lang": "en", "relevant": ["a", "b"]},
    {"id": "q4", "question": "Apa?", "lang": "id", "relevant": ["a"], "answerable": False},
]


def files(folder: Path, corpus: Sequence[object] = CORPUS, questions: Sequence[object] = QUESTIONS) -> tuple[Path, Path]:
    paths = folder / "corpus.jsonl", folder / "questions.jsonl"
    for path, rows in zip(paths, (corpus, questions), strict=True):
        path.write_text("\n".join(row if isinstance(row, str) else json.dumps(row) for row in rows) + "\n", "utf-8")
    return paths


def test_a_dataset_is_read(tmp_path: Path) -> None:
    data = read(*files(tmp_path))
    assert data.passages == (CorpusPassage("a", "Kapal selam."), CorpusPassage("b", "Beras\n\nHarga naik.\nLagi."))
    assert data.questions == (
        JudgedQuestion("q1", "Harga apa?", "id", frozenset("b")),
        JudgedQuestion("q3", "What?", "en", frozenset("ab")),
    )
    assert data.left_out == 2


@pytest.mark.parametrize(
    ("which", "row", "problem"),
    [
        ("corpus", "{", "line 3: this is no JSON"),
        ("corpus", "[]", "line 3: this is no JSON object"),
        ("corpus", {"text": "x"}, "line 3: `id` is not a text"),
        ("corpus", {"id": "c"}, "line 3: `text` is not a text"),
        ("corpus", {"id": "c", "text": " "}, "line 3: `text` is not a text"),
        ("corpus", {"id": "c", "title": 1, "text": "x"}, "line 3: `title` is not a text"),
        ("corpus", {"id": "a", "text": "x"}, "line 3: the id a was there before"),
        ("questions", {"id": "q5", "question": "?", "lang": "id"}, "line 5: `relevant` is not a list of ids"),
        ("questions", {"id": "q5", "question": "?", "lang": "id", "relevant": [1]}, "line 5: `relevant` is not a list of ids"),
        ("questions", {"id": "q5", "question": "?", "lang": "id", "relevant": ["z"]}, "line 5: the corpus has no passage z"),
        ("questions", {"id": "q5", "question": "?", "relevant": ["a"]}, "line 5: `lang` is not a text"),
        ("questions", {"id": "q1", "question": "?", "lang": "id", "relevant": ["a"]}, "line 5: the id q1 was there before"),
    ],
)
def test_a_wrong_line_is_named(tmp_path: Path, which: str, row: object, problem: str) -> None:
    given: dict[str, list[object]] = {"corpus": [*CORPUS], "questions": [*QUESTIONS]}
    given[which].append(row)
    with pytest.raises(QuestionError) as caught:
        read(*files(tmp_path, given["corpus"], given["questions"]))
    assert f"{which}.jsonl {problem}" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_files_that_are_not_there_or_empty_are_told(tmp_path: Path) -> None:
    corpus, questions = files(tmp_path)
    with pytest.raises(QuestionError, match=r"nowhere.*cannot be read"):
        read(tmp_path / "nowhere", questions)
    questions.write_bytes(b"\xff\xfe{}")
    with pytest.raises(QuestionError, match="cannot be read"):
        read(corpus, questions)
    questions.write_text("\n")
    with pytest.raises(QuestionError, match="no question that a passage answers"):
        read(corpus, questions)
    corpus.write_text("")
    with pytest.raises(QuestionError, match="no passages"):
        read(corpus, questions)


def test_passages_become_seeds_in_order(tmp_path: Path) -> None:
    names = write_seeds([CorpusPassage("z/1", "satu\r\ndua"), CorpusPassage("a", "tiga")], tmp_path / "seeds")
    assert list(names.values()) == ["z/1", "a"]
    assert sorted(names) == list(names)
    assert [(tmp_path / "seeds" / name).read_bytes() for name in names] == [b"satu\r\ndua", b"tiga"]
