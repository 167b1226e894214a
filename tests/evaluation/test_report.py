"""The tables of evaluations, built by hand: every line as it is printed."""

from dataclasses import replace

import pytest

from rag.evaluation import report
from rag.evaluation.answer_measures import MEASURES as ANSWER_MEASURES
from rag.evaluation.measures import MEASURES, Estimate
from tests.evaluation.evaluations import ANSWERS, HALF, JUDGE, PRODUCT, RETRIEVAL


def blocks(table: str) -> list[list[str]]:
    """The lines of each block; an empty line separates blocks."""
    return [block.split("\n") for block in table.split("\n\n")]


def test_a_cell_is_a_number_with_its_interval_or_a_dash() -> None:
    assert report.shown(HALF) == "0.500 [0.400, 0.600]"
    assert report.shown(Estimate(-0.05, -0.1, 0.0), signed=True) == "-0.050 [-0.100, +0.000]"
    assert report.shown(None) == report.shown(None, signed=True) == "-"


def test_a_row_is_aligned_and_has_no_trailing_spaces() -> None:
    assert report.row("id (2)", ["a", "b"]) == "id (2)".ljust(16) + "a".ljust(24) + "b"
    assert report.row("a name", [], 3) == "a name"


def test_the_table_of_retrieval_has_a_block_for_each_group() -> None:
    head, group, times = blocks(report.retrieval_table(RETRIEVAL))
    assert head == ["2 questions, 3 passages, 4 questions without an answering passage left out"]
    assert group[0].split() == ["all", "(2)", *MEASURES]
    assert [line[:16].strip() for line in group[1:]] == ["dense", "lexical", "hybrid", "hybrid - dense"]
    assert group[1][16:].split("    ") == ["0.500 [0.400, 0.600]"] * len(MEASURES)
    assert group[4] == "hybrid - dense  " + " ".join(["+0.400 [+0.300, +0.500]"] * len(MEASURES))
    assert times == ["milliseconds a question (median): dense 1.2, lexical 2.0, hybrid 3.0"]


def test_nothing_left_out_is_not_mentioned() -> None:
    assert report.retrieval_table(replace(RETRIEVAL, left_out=0)).startswith("2 questions, 3 passages\n")
    assert "left out" not in report.answers_table(replace(ANSWERS, left_out=0))
    assert "left out" not in report.judge_table(replace(JUDGE, uncited=0))


JUDGE_TABLE = """\
judge fake: 3 questions, 2 without an answering passage, 9 passages

answers: does the passage answer the question (negatives: passages that look as if they answered and passages that people \
found not to answer)
                AUROC                   average precision       calibration error       pairs that answer
all             0.900 [0.850, 0.950]    0.500 [0.400, 0.600]    0.100 [0.050, 0.150]    2 of 5
en              -                       -                       0.500 [0.400, 0.600]    1 of 1
  confidence      0.100  0.900
  answers         0.000  1.000
  pairs               3      2

span: the marked words against people's answers, where one stands in the passage
                exact match             token F1                questions
all             0.500 [0.400, 0.600]    0.900 [0.850, 0.950]    2

re-ranking: the first 10 of hybrid search, ordered anew
all (3)         recall@1                nDCG@10
retrieval       0.500 [0.400, 0.600]    0.500 [0.400, 0.600]
re-ranked       0.900 [0.850, 0.950]    0.900 [0.850, 0.950]
gain            +0.400 [+0.300, +0.500] +0.400 [+0.300, +0.500]

support: does the cited evidence support the claim (7 claims that cite nothing left out)
                AUROC                   average precision       calibration error       supported claims        \
AUROC of common words
all             0.900 [0.850, 0.950]    0.500 [0.400, 0.600]    0.100 [0.050, 0.150]    2 of 5                  \
0.500 [0.400, 0.600]
  confidence      0.100  0.900
  supported       0.000  1.000
  pairs               3      2

milliseconds (median): a passage 12.3, a question's 8 99.9"""


def test_the_table_of_a_judge_has_a_block_for_each_part() -> None:
    assert report.judge_table(JUDGE) == JUDGE_TABLE


def test_parts_left_out_have_no_block_but_a_reason() -> None:
    reasons = ("span: this judge marks no answers", "support: no --claims were given")
    table = report.judge_table(replace(JUDGE, spans=(), reranking=(), support=(), left_out=reasons))
    assert "exact match" not in table
    assert "re-ranking" not in table
    assert table.endswith("99.9\nleft out: span: this judge marks no answers\nleft out: support: no --claims were given")
    assert len(blocks(table)) == 3


def test_the_table_of_answers_has_every_measure_and_the_seconds() -> None:
    head, group, thresholds, comparison = blocks(report.answers_table(ANSWERS))
    assert head == [
        "2 answerable questions, 1 others, 4 passages, 5 questions that cannot stand alone left out",
        "llm llm, judge jjjjjjjjjjjj, refusing under 0.35",
    ]
    assert group[0] == "all (2 answerable, 1 others)"
    assert [line[:24].strip() for line in group[1:18]] == list(ANSWER_MEASURES)
    assert group[1] == "right outcome           0.900 [0.850, 0.950]"
    assert "evidence recall         -" in group
    assert group[18:] == [
        "seconds until           median                  middle 80 %             answers",
        "  found                 0.500 [0.400, 0.600]    0.25 to 0.75            3",
        "  whole                 0.900 [0.850, 0.950]    1.00 to 2.50            2",
    ]
    assert len(thresholds) == 1 + 11
    assert thresholds[0] == "refusing under          precision               recall                  answerable refused"
    assert thresholds[5] == "  0.4                   -                       0.400                   0.250"
    assert thresholds[6] == "  0.5                   0.750                   0.500                   0.250"
    assert comparison[0] == "all (2 + 1)             the plain way           rag on the same         rag - plain"


def test_the_comparison_leaves_out_what_the_plain_way_does_not_have() -> None:
    comparison = blocks(report.answers_table(ANSWERS))[-1]
    names = [line[:24].strip() for line in comparison[1:]]
    assert names == [
        *(name for name in ANSWER_MEASURES if name not in {"citations verified", "sentences dropped", "gold passage found"}),
        "seconds until token",
        "seconds until whole",
    ]
    assert comparison[1] == "right outcome           0.500 [0.400, 0.600]    0.900 [0.850, 0.950]    +0.400 [+0.300, +0.500]"
    # The product of these evaluations has no time for the first token.
    assert comparison[-2] == "seconds until token     0.900 [0.850, 0.950]    -"


@pytest.mark.parametrize("groups", [1, 3])
def test_each_language_has_a_block(groups: int) -> None:
    languages = [replace(PRODUCT, language=language) for language in ("all", "en", "id")[:groups]]
    table = report.answers_table(replace(ANSWERS, groups=tuple(languages), plain=()))
    assert [block[0] for block in blocks(table)[1:-1]] == [f"{one.language} (2 answerable, 1 others)" for one in languages]
    assert "the plain way" not in table
