import json
from pathlib import Path

import pytest

from training.contamination import Measured, measured

PASSAGE = (
    "Gunung Krakatau meletus pada tahun 1883 dan suaranya terdengar sampai ke Pulau Rodrigues, ribuan kilometer jauhnya. " * 2
)
UNUSED = "Candi Borobudur dibangun oleh wangsa Syailendra di Magelang, dan dipugar dengan bantuan UNESCO pada abad ke-20. " * 2


@pytest.fixture
def found(tmp_path: Path) -> Measured:
    def write(name: str, rows: list[dict[str, object]]) -> None:
        (tmp_path / name).write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")

    write("a.questions.jsonl", [{"question": "Kapan Krakatau meletus?", "relevant": ["1"]}])
    write("a.corpus.jsonl", [{"id": "1", "text": PASSAGE}, {"id": "2", "text": UNUSED}])
    write("b.claims.jsonl", [{"claim": "Krakatau meletus.", "question": "Meletus kapan?", "cited": []}])
    write("b.corpus.jsonl", [])
    return measured(tmp_path)


def test_a_question_is_the_same_whatever_its_case_and_signs(found: Measured) -> None:
    assert found.has("kapan krakatau  MELETUS", "lain")
    assert found.has("Krakatau meletus!", "lain")
    assert found.has("meletus, kapan", "lain")
    assert not found.has("Kapan Merapi meletus?", "lain")


def test_a_passage_is_known_by_its_stretches(found: Measured) -> None:
    assert found.has("lain", f"Sebuah kalimat lain di depannya. {PASSAGE.upper()}")
    assert not found.has("lain", "Suaranya terdengar sampai ke Pulau Rodrigues. " + "Kalimat lain yang panjang sekali. " * 9)


def test_passages_that_no_question_is_about_may_be_learnt_from(found: Measured) -> None:
    assert not found.has("lain", UNUSED)
