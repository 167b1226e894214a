"""Data sets are read: what is used, what is left out, and errors with their line."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from rag.errors import QuestionError
from rag.evaluation.dataset import Claim, CorpusPassage, JudgedQuestion, read, read_for_judge, read_to_ask, write_seeds

CORPUS = [
    {"id": "a", "title": "", "text": "Kapal selam.", "lang": "id"},
    {"id": "b", "title": "Beras", "text": "Harga naik.\nLagi.", "lang": "id"},
]
QUESTIONS: list[dict[str, Any]] = [
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
        JudgedQuestion("q1", "Harga apa?", "id", ("b",)),
        JudgedQuestion("q3", "What?", "en", ("a", "b")),
    )
    assert data.left_out == 2


@pytest.mark.parametrize(
    ("which", "row", "problem"),
    [
        ("corpus", "{", "line 3: not valid JSON"),
        ("corpus", "[]", "line 3: not a JSON object"),
        ("corpus", {"text": "x"}, "line 3: `id` is not a string, or is empty"),
        ("corpus", {"id": "c"}, "line 3: `text` is not a string, or is empty"),
        ("corpus", {"id": "c", "text": " "}, "line 3: `text` is not a string, or is empty"),
        ("corpus", {"id": "c", "title": 1, "text": "x"}, "line 3: `title` is not a string, or is empty"),
        ("corpus", {"id": "a", "text": "x"}, "line 3: duplicate id a"),
        ("questions", {"id": "q5", "question": "?", "lang": "id"}, "line 5: `relevant` is not a list of ids"),
        ("questions", {"id": "q5", "question": "?", "lang": "id", "relevant": [1]}, "line 5: `relevant` is not a list of ids"),
        ("questions", {"id": "q5", "question": "?", "lang": "id", "relevant": ["z"]}, "line 5: the corpus has no passage z"),
        ("questions", {"id": "q5", "question": "?", "relevant": ["a"]}, "line 5: `lang` is not a string, or is empty"),
        (
            "questions",
            {"id": "q5", "question": "?", "lang": "id", "relevant": [], "pool": ["z"]},
            "line 5: the corpus has no passage z",
        ),
        (
            "questions",
            {"id": "q5", "question": "?", "lang": "id", "relevant": [], "paired": "a"},
            "line 5: `paired` is not a list of ids",
        ),
        (
            "questions",
            {"id": "q5", "question": "?", "lang": "id", "relevant": [], "answers": [1]},
            "line 5: `answers` is not a list of strings",
        ),
        ("questions", {"id": "q2", "question": "?", "lang": "id", "relevant": ["a"]}, "line 5: duplicate id q2"),
        ("questions", {"id": "q1", "question": "?", "lang": "id", "relevant": ["a"]}, "line 5: duplicate id q1"),
    ],
)
def test_an_invalid_line_is_named(tmp_path: Path, which: str, row: object, problem: str) -> None:
    given: dict[str, list[object]] = {"corpus": [*CORPUS], "questions": [*QUESTIONS]}
    given[which].append(row)
    with pytest.raises(QuestionError) as caught:
        read(*files(tmp_path, given["corpus"], given["questions"]))
    assert f"{which}.jsonl {problem}" in str(caught.value)
    assert "\n" not in str(caught.value)


CLAIMS: list[dict[str, object]] = [
    {"question_id": "q1", "question": "Harga apa?", "claim": "Beras.", "cited": ["b", "a"], "attributable": True},
    {"question_id": "q4", "claim": "Kapal.", "cited": ["a"], "attributable": False},
    {"question_id": "q3", "claim": "Nothing.", "cited": [], "attributable": False},
]


def claims_file(folder: Path, *rows: object) -> Path:
    path = folder / "claims.jsonl"
    path.write_text("\n".join(json.dumps(row) for row in rows), "utf-8")
    return path


def test_a_judges_data_are_read(tmp_path: Path) -> None:
    questions: list[object] = [*QUESTIONS]
    questions[0] = {**QUESTIONS[0], "answers": ["beras", "Beras"]}
    questions[1] = {**QUESTIONS[1], "paired": ["b"], "pool": ["b", "a"]}
    data = read_for_judge(*files(tmp_path, questions=questions), claims_file(tmp_path, *CLAIMS))
    assert data.retrieval == read(*files(tmp_path, questions=questions))
    assert data.retrieval.questions[0].answers == ("beras", "Beras")
    assert data.unanswerable == (
        JudgedQuestion("q2", "Siapa?", "id", (), paired=("b",), pool=("b", "a")),
        JudgedQuestion("q4", "Apa?", "id", ("a",)),
    )
    assert data.claims == (
        Claim("q1", "id", "Beras.", ("b", "a"), attributable=True),
        Claim("q4", "id", "Kapal.", ("a",), attributable=False),
    )
    assert data.uncited == 1
    assert read_for_judge(*files(tmp_path), None).claims is None


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"question_id": "q9"}, "line 4: there is no question q9, so the language is unknown"),
        ({"question_id": None}, "line 4: `question_id` is not a string, or is empty"),
        ({"claim": ""}, "line 4: `claim` is not a string, or is empty"),
        ({"cited": ["z"]}, "line 4: the corpus has no passage z"),
        ({"cited": "a"}, "line 4: `cited` is not a list of ids"),
        ({"attributable": "yes"}, "line 4: `attributable` is neither true nor false"),
    ],
)
def test_a_wrong_claim_is_named(tmp_path: Path, change: dict[str, object], problem: str) -> None:
    with pytest.raises(QuestionError) as caught:
        read_for_judge(*files(tmp_path), claims_file(tmp_path, *CLAIMS, {**CLAIMS[0], **change}))
    assert f"claims.jsonl {problem}" in str(caught.value)


def test_a_claims_question_may_be_unknown_where_all_speak_one_language(tmp_path: Path) -> None:
    data = read_for_judge(*files(tmp_path, questions=QUESTIONS[:2]), claims_file(tmp_path, {**CLAIMS[0], "question_id": "q9"}))
    assert data.claims == (Claim("q9", "id", "Beras.", ("b", "a"), attributable=True),)


def test_data_without_claims_or_pairs_are_refused(tmp_path: Path) -> None:
    with pytest.raises(QuestionError, match="no claim that cites a passage"):
        read_for_judge(*files(tmp_path), claims_file(tmp_path, CLAIMS[2]))
    with pytest.raises(QuestionError, match="contains no question with a passage to judge"):
        read_for_judge(*files(tmp_path, questions=[QUESTIONS[1], QUESTIONS[3]]), None)
    alone = {**QUESTIONS[1], "pool": ["a"]}
    assert read_for_judge(*files(tmp_path, questions=[alone]), None).retrieval.questions == ()


def test_missing_and_empty_files_are_refused(tmp_path: Path) -> None:
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


def test_the_questions_that_can_be_asked_are_read(tmp_path: Path) -> None:
    rows = [
        {**QUESTIONS[0], "answers": ["Beras"], "evidence": ["Harga naik."], "standalone": True},
        QUESTIONS[3],
        {**QUESTIONS[2], "standalone": False},
    ]
    data = read_to_ask(*files(tmp_path, questions=rows))
    assert data.answerable == (JudgedQuestion("q1", "Harga apa?", "id", ("b",), ("Beras",), evidence=("Harga naik.",)),)
    assert data.unanswerable == (JudgedQuestion("q4", "Apa?", "id", ("a",)),)
    assert (len(data.passages), data.left_out) == (2, 1)
    with pytest.raises(QuestionError, match="no question that can be asked"):
        read_to_ask(*files(tmp_path, questions=rows[2:]))
    with pytest.raises(QuestionError, match="`evidence` is not a list of strings"):
        read_to_ask(*files(tmp_path, questions=[{**QUESTIONS[0], "evidence": "b"}]))


def test_seeds_of_something_else_stay_as_they_are(tmp_path: Path) -> None:
    (tmp_path / "0000000.txt").write_text("lama")
    (tmp_path / "catatan.txt").write_text("milik orang")
    with pytest.raises(QuestionError, match=r"has other documents, such as catatan\.txt; choose another folder"):
        write_seeds([CorpusPassage("a", "baru")], tmp_path)
    assert (tmp_path / "0000000.txt").read_text() == "lama"


def test_passages_become_seeds_in_order(tmp_path: Path) -> None:
    names = write_seeds([CorpusPassage("z/1", "satu\r\ndua"), CorpusPassage("a", "tiga")], tmp_path / "seeds")
    assert list(names.values()) == ["z/1", "a"]
    assert sorted(names) == list(names)
    assert [(tmp_path / "seeds" / name).read_bytes() for name in names] == [b"satu\r\ndua", b"tiga"]
