"""Three modes side by side over a ranker that a test controls, and the table of it."""

import json
from collections.abc import Sequence
from dataclasses import asdict

import pytest

from rag.evaluation import report
from rag.evaluation.dataset import CorpusPassage, Dataset, JudgedQuestion
from rag.evaluation.measures import MEASURES
from rag.evaluation.retrieval_eval import DEPTH, Mode, best_first, evaluate

DATASET = Dataset(
    tuple(CorpusPassage(id_, id_) for id_ in "abc"),
    (
        JudgedQuestion("1", "satu", "id", ("a",)),
        JudgedQuestion("2", "dua", "id", ("b",)),
        JudgedQuestion("3", "three", "en", ("c",)),
    ),
    left_out=4,
)


class FixedRanker:
    """Knows the answers by heart in one mode, half of them in another, none in the third."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, Mode, int]] = []

    def rank(self, question: str, mode: Mode, count: int) -> Sequence[str]:
        self.asked.append((question, mode, count))
        right = {"satu": "a", "dua": "b", "three": "c"}[question]
        wrong = "b" if right == "a" else "a"
        return {"hybrid": [right], "dense": [wrong, right], "lexical": []}[mode]


def test_modes_are_measured_side_by_side_and_by_language() -> None:
    ranker, told = FixedRanker(), []
    found = evaluate(DATASET, ranker, lambda done, total: told.append((done, total)))
    assert ranker.asked[:3] == [("satu", "dense", DEPTH), ("satu", "lexical", DEPTH), ("satu", "hybrid", DEPTH)]
    assert told == [(0, 3), (1, 3), (2, 3), (3, 3)]
    assert [(group.language, group.questions) for group in found.groups] == [("all", 3), ("en", 1), ("id", 2)]
    everyone = found.groups[0]
    assert {mode: everyone.modes[mode]["recall@1"].value for mode in everyone.modes} == {"dense": 0, "lexical": 0, "hybrid": 1}
    assert everyone.modes["dense"]["MRR@10"].value == 0.5
    assert everyone.gain["MRR@10"].value == pytest.approx(0.5)
    assert (found.passages, found.questions, found.left_out) == (3, 3, 4)


def test_one_language_is_told_once() -> None:
    only = Dataset(DATASET.passages, DATASET.questions[:2], 0)
    assert [group.language for group in evaluate(only, FixedRanker()).groups] == ["all"]


def test_a_passage_ranks_by_its_best_chunk() -> None:
    chunks = [("a", 0.2), ("b", 0.5), ("a", 0.9), ("c", -1.0), ("b", 0.1)]
    assert best_first(chunks, 10) == ["a", "b", "c"]
    assert best_first(chunks, 2) == ["a", "b"]
    assert best_first([], 2) == []


def test_the_table_has_every_number_that_the_json_has() -> None:
    found = evaluate(DATASET, FixedRanker())
    shown = report.retrieval_table(found)
    assert shown.startswith("3 questions, 3 passages, 4 questions without an answering passage left out\n")
    assert all(name in shown for name in MEASURES)
    assert "hybrid - dense  +0.369 [+0.369, +0.369] +0.500" in shown
    assert "dense           0.631 [0.631, 0.631]" in shown
    assert "id (2)" in shown
    assert max(len(line) for line in shown.splitlines()) < 170
    assert json.loads(json.dumps(asdict(found)))["groups"][0]["gain"]["MRR@10"]["value"] == pytest.approx(0.5)
