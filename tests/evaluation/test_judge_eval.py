"""A judge is measured over passages and verdicts that are known."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace

import pytest

from rag.evaluation import measures
from rag.evaluation.dataset import Claim, CorpusPassage, Dataset, JudgeData, JudgedQuestion
from rag.evaluation.judge_eval import FoundPassage, evaluate
from rag.types import Judgement
from tests.evaluation.fakes import OverlapJudge

PASSAGES = (
    CorpusPassage("rice", "Beras\n\nharga beras naik 2020"),
    CorpusPassage("sugar", "harga gula turun 1999"),
    CorpusPassage("boat", "kapal selam 5 orang"),
    CorpusPassage("bike", "old bicycles of 1817"),
)
ANSWERABLE = (
    JudgedQuestion("1", "kapan harga beras naik", "id", ("rice", "sugar"), ("2020",)),
    JudgedQuestion("2", "berapa orang", "id", ("boat",), ("lima orang",)),
    JudgedQuestion("3", "how old bicycles", "en", ("bike",), ("1818", "of 1817")),
)
UNANSWERABLE = (
    JudgedQuestion("4", "kapan harga beras turun", "id", (), paired=("rice",), pool=("boat",)),
    JudgedQuestion("5", "siapa", "id", (), pool=("boat", "sugar")),
    JudgedQuestion("6", "who", "en", ()),
)
CLAIMS = (
    Claim("1", "id", "beras naik", ("rice",), True),
    Claim("1", "id", "gula naik", ("rice", "sugar"), True),
    Claim("2", "id", "beras naik", ("boat",), False),
)
DATA = JudgeData(Dataset(PASSAGES, ANSWERABLE, 3), UNANSWERABLE, CLAIMS, uncited=7)


class FixedFinder:
    """Finds all passages, in an order that is wrong for two of three questions. A chunk is the end of its passage."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, int]] = []

    def find(self, question: str, count: int) -> Sequence[FoundPassage]:
        self.asked.append((question, count))
        order = ["boat", "rice", "sugar", "bike"]
        texts = {passage.id: passage.text.split("\n\n")[-1] for passage in PASSAGES}
        return [FoundPassage(one, texts[one], -0.1 * place) for place, one in enumerate(order)]


class SilentJudge:
    """Equally confident of every passage."""

    certain = 1.0

    def judge(self, question: str, passages: Sequence[str]) -> Iterator[Judgement]:
        return (Judgement(0.5, None) for _ in passages)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measures, "_RESAMPLES", 50)


def measured(data: JudgeData = DATA, judge=None, check=None):
    judge = judge or OverlapJudge()
    finder = FixedFinder() if data.retrieval.questions else None
    return evaluate(data, judge, check, finder, name="fake")


def test_labelled_pairs_are_judged_as_whole_passages() -> None:
    judge = OverlapJudge()
    found = measured(judge=judge).answers
    assert judge.judged[3:] == [
        ("kapan harga beras naik", ("Beras\n\nharga beras naik 2020",)),
        ("berapa orang", ("kapal selam 5 orang",)),
        ("how old bicycles", ("old bicycles of 1817",)),
        ("kapan harga beras turun", ("Beras\n\nharga beras naik 2020",)),
        ("siapa", ("kapal selam 5 orang", "harga gula turun 1999")),
    ]
    assert found.negatives == ("paired", "pool")
    assert [(one.language, one.pairs, one.positives) for one in found.groups] == [("all", 6, 3), ("en", 1, 1), ("id", 5, 2)]
    # Positive: 3/4, 1/2, 2/3. Negative: 1/2 (an edited question), 0, 0.
    everyone, english, _ = found.groups
    assert everyone.auroc
    assert everyone.auroc.value == pytest.approx(8.5 / 9)
    assert everyone.average_precision
    assert everyone.average_precision.value == pytest.approx((1 + 1 + 3 / 4) / 3)
    assert english.auroc is None
    assert english.calibration_error.value == pytest.approx(1 / 3)


def test_without_negatives_the_best_found_passage_is_used() -> None:
    data = replace(DATA, unanswerable=UNANSWERABLE[2:])
    judge = OverlapJudge()
    found = measured(data, judge=judge).answers
    assert found.negatives == ("retrieved",)
    assert [passages[1] for _, passages in judge.judged[3:]] == [
        "kapal selam 5 orang",
        "Beras\n\nharga beras naik 2020",
        "kapal selam 5 orang",
    ]
    assert (found.groups[0].pairs, found.groups[0].positives) == (6, 3)


def test_spans_are_measured_if_the_passage_contains_an_answer() -> None:
    everyone, english, indonesian = measured().spans
    assert (everyone.questions, english.questions, indonesian.questions) == (2, 1, 1)
    assert (indonesian.exact_match.value, indonesian.f1.value) == (1, 1)
    assert (english.exact_match.value, english.f1.value) == (0, pytest.approx(2 / 3))


def test_chunks_are_judged_and_reordered() -> None:
    judge = OverlapJudge()
    found = measured(judge=judge)
    everyone = found.reranking[0]
    assert judge.judged[0][1] == (
        "kapal selam 5 orang",
        "harga beras naik 2020",
        "harga gula turun 1999",
        "old bicycles of 1817",
    )
    assert [group.language for group in found.reranking] == ["all", "en", "id"]
    assert everyone.retrieval["recall@1"].value == pytest.approx(1 / 3)
    # The first has two answering passages, so one of them at the top is half.
    assert everyone.retrieval["nDCG@10"].value < everyone.reranked["nDCG@10"].value == pytest.approx(1)
    assert everyone.reranked["recall@1"].value == pytest.approx(2.5 / 3)
    assert everyone.gain["recall@1"].value == pytest.approx(1.5 / 3)
    assert found.reranking[1].gain["recall@1"].value == 1
    assert found.milliseconds.passages == 4


def test_claims_are_checked_and_compared_with_the_baseline() -> None:
    found = measured(check=OverlapJudge())
    (only,) = found.support
    assert (only.verdicts.pairs, only.verdicts.positives, found.uncited) == (3, 2, 7)
    assert only.verdicts.auroc
    assert only.verdicts.auroc.value == only.overlap_auroc.value == 1
    assert only.verdicts.calibration_error.value == 0
    assert "support" not in " ".join(found.left_out)


def test_evidence_is_what_is_cited_joined_by_a_blank_line() -> None:
    seen: list[tuple[str, str]] = []

    class Listening(OverlapJudge):
        def supports(self, claims: Sequence[tuple[str, str]]) -> list[float]:
            seen.extend(claims)
            return super().supports(claims)

    measured(check=Listening())
    assert seen[1] == ("gula naik", "Beras\n\nharga beras naik 2020\n\nharga gula turun 1999")


def test_parts_that_a_judge_cannot_do_are_left_out_with_the_reason() -> None:
    found = measured(judge=SilentJudge())
    assert (found.spans, found.support) == ((), ())
    assert found.left_out == ("span: this judge marks no answers", "support: this judge does not check claims")
    assert found.reranking[0].gain["nDCG@10"].value == 0
    unmatched = replace(DATA, retrieval=Dataset(PASSAGES, ANSWERABLE[1:2], 3), claims=None)
    assert measured(unmatched, check=OverlapJudge()).left_out == (
        "span: no question's answer stands word for word in its passage",
        "support: no --claims were given",
    )


def test_a_set_without_answers_measures_confidence_alone() -> None:
    found = measured(replace(DATA, retrieval=Dataset(PASSAGES, (), 3), claims=None))
    assert (found.reranking, found.answers.groups[0].auroc, found.answers.groups[0].pairs) == ((), None, 3)
    assert "re-ranking: no question has an answering passage" in found.left_out
    assert found.milliseconds.passages == 2


def test_progress_is_reported_to_the_end() -> None:
    reported: list[tuple[int, int]] = []
    evaluate(
        DATA, OverlapJudge(), OverlapJudge(), FixedFinder(), name="fake", progress=lambda *numbers: reported.append(numbers)
    )
    assert [numbers for numbers in reported if numbers[0] == numbers[1]] == [(3, 3), (3, 3), (5, 5), (3, 3)]


def test_an_evaluation_is_json() -> None:
    value = json.loads(json.dumps(asdict(measured(check=OverlapJudge()))))
    assert value["answers"]["groups"][0]["auroc"]["value"] == pytest.approx(8.5 / 9)
    assert sum(one["count"] for one in value["answers"]["groups"][0]["curve"]) == 6
