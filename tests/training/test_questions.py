import json
from pathlib import Path

import pytest

from training import claims, questions
from training.examples import Asked


def words(asked: Asked) -> list[str]:
    return [asked.passage[span.start : span.end] for span in asked.answers or ()]


def test_onestop_gives_each_question_what_its_mark_holds_at_each_level(tmp_path: Path) -> None:
    text = (
        "# Title\nA bottle\n# Paragraph\n\nAdv: <A1> Angela found it <D1>in 2014</D1>.</A1> It was old. <A2>It lay there</A2>"
        "\n\nEle: <A1>Angela found it.</A1>\n\nQ: Who found it?\na: Angela\nQ2: Where was it?\nQ: Why?\n"
    )
    (tmp_path / "bottle.txt").write_text(text, "utf-8")
    found = list(questions.onestop(tmp_path))
    assert [(asked.question, words(asked)) for asked in found] == [
        ("Who found it?", ["Angela found it in 2014."]),
        ("Where was it?", ["It lay there"]),
        ("Who found it?", ["Angela found it."]),
    ]
    assert found[0].passage == " Angela found it in 2014. It was old. It lay there"


def test_squads_form_with_its_impossible_questions_and_wrong_offsets(tmp_path: Path) -> None:
    asked = [
        {"question": "Siapa?", "answers": [{"text": "Ali", "answer_start": -1}]},
        {"question": "Di mana?", "is_impossible": True, "answers": [{"text": "", "answer_start": -1}]},
        {"question": "Lain?", "answers": [{"text": "tidak ada", "answer_start": 0}]},
    ]
    data = {"data": [{"paragraphs": [{"context": "Kata Ali.", "qas": asked}]}]}
    (tmp_path / "a.json").write_text(json.dumps(data), "utf-8")
    assert [(one.question, words(one)) for one in questions.squad(tmp_path)] == [("Siapa?", ["Ali"]), ("Di mana?", [])]


def test_selqa_marks_the_sentences_that_answer(tmp_path: Path) -> None:
    row = {"question": "Kapan? ", "candidates": ["Satu.", "Dua tiga.", "Empat."], "answers": [1, 2]}
    (tmp_path / "selqa-ass-dev.json").write_text(json.dumps([row, {**row, "answers": []}]), "utf-8")
    (asked,) = questions.selqa(tmp_path)
    assert words(asked) == ["Dua tiga.", "Empat."]


@pytest.mark.parametrize(("answer", "place"), [("the  Fairy.", ["The fairy"]), ("a prince", None), ("went", None)])
def test_an_answer_in_a_tale_has_a_place_where_it_stands_once(tmp_path: Path, answer: str, place: list[str] | None) -> None:
    where = tmp_path / "data-by-train-split"
    for part in ("questions", "section-stories"):
        (where / part / "train").mkdir(parents=True)
    header = "question,answer1,cor_section,local-or-sum\n"
    (where / "questions/train/a-questions.csv").write_text(f"{header}Who?,{answer},1,local\nAll?,x,1,summary\n", "utf-8")
    (where / "section-stories/train/a-story.csv").write_text("section,text\n1,The fairy\nwent and went.\n", "utf-8")
    (where / "section-stories/train/a-story.csv").write_text('section,text\n1,"The fairy\nwent and went."\n', "utf-8")
    (asked,) = questions.fairytale(tmp_path)
    assert asked.passage == "The fairy went and went."
    assert (words(asked) or None) == place
    assert (asked.answers is None) == (place is None)


def test_expertqa_leaves_out_hidden_questions_and_evidence_that_was_not_read(tmp_path: Path) -> None:
    def row(question: str, *judged: tuple[str, str, str]) -> str:
        made = [{"claim_string": said, "support": support, "evidence": [text]} for said, support, text in judged]
        return json.dumps({"question": question, "answers": {"model": {"claims": made}}}) + "\n"

    long = "Kucing " * 20
    complete, hidden = ("Kucing [1].", "Complete", f"[1] https://a.b/c {long}"), ("x", "Complete", long)
    rows = [row("Q", complete, ("Anjing.", "Missing", long), ("Ikan.", "Complete", "https://a.b"), ("Ayam.", "N/A", long))]
    (tmp_path / "rand_val.jsonl").write_text("".join([*rows, row("Hidden", hidden)]), "utf-8")
    (tmp_path / "domain_val.jsonl").write_text("", "utf-8")
    (tmp_path / "rand_test.jsonl").write_text(row("Hidden", hidden), "utf-8")
    (tmp_path / "domain_test.jsonl").write_text("", "utf-8")
    found = [(claim.claim, claim.evidence, claim.supported) for claim in claims.expertqa(tmp_path)]
    assert found == [("Kucing.", long.strip(), True), ("Anjing.", long.strip(), False)]
