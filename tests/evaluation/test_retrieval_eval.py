"""The three modes are compared over a ranker with known rankings."""

import json
from collections.abc import Sequence
from dataclasses import asdict

import pytest

from rag.evaluation.dataset import CorpusPassage, Dataset, JudgedQuestion
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
    """Right in one mode, right in second place in another, empty in the third."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, Mode, int]] = []

    def rank(self, question: str, mode: Mode, count: int) -> Sequence[str]:
        self.asked.append((question, mode, count))
        right = {"satu": "a", "dua": "b", "three": "c"}[question]
        wrong = "b" if right == "a" else "a"
        return {"hybrid": [right], "dense": [wrong, right], "lexical": []}[mode]


@pytest.mark.slow("resamples many times")
def test_modes_are_compared_over_all_and_by_language() -> None:
    ranker, reported = FixedRanker(), []
    found = evaluate(DATASET, ranker, lambda done, total: reported.append((done, total)))
    assert ranker.asked[:3] == [("satu", "dense", DEPTH), ("satu", "lexical", DEPTH), ("satu", "hybrid", DEPTH)]
    assert reported == [(0, 3), (1, 3), (2, 3), (3, 3)]
    assert [(group.language, group.questions) for group in found.groups] == [("all", 3), ("en", 1), ("id", 2)]
    everyone = found.groups[0]
    assert {mode: everyone.modes[mode]["recall@1"].value for mode in everyone.modes} == {"dense": 0, "lexical": 0, "hybrid": 1}
    assert everyone.modes["dense"]["MRR@10"].value == 0.5
    assert everyone.gain["MRR@10"].value == pytest.approx(0.5)
    assert (found.passages, found.questions, found.left_out) == (3, 3, 4)


def test_one_language_is_reported_once() -> None:
    only = Dataset(DATASET.passages, DATASET.questions[:2], 0)
    assert [group.language for group in evaluate(only, FixedRanker()).groups] == ["all"]


def test_a_passage_ranks_by_its_best_chunk() -> None:
    chunks = [("a", 0.2), ("b", 0.5), ("a", 0.9), ("c", -1.0), ("b", 0.1)]
    assert best_first(chunks, 10) == ["a", "b", "c"]
    assert best_first(chunks, 2) == ["a", "b"]
    assert best_first([], 2) == []


@pytest.mark.slow("resamples many times")
def test_an_evaluation_is_json() -> None:
    value = json.loads(json.dumps(asdict(evaluate(DATASET, FixedRanker()))))
    assert value["groups"][0]["gain"]["MRR@10"]["value"] == pytest.approx(0.5)
