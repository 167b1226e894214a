"""The mixture: how many examples come from each public data set."""

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from training import claims, open_questions, questions
from training.examples import Asked, Claimed


@dataclass(frozen=True, slots=True)
class Questions:
    """At most `most` questions of a data set; negatives are mined among the passages of its `pool`.

    `negatives` and `edits` are shares of the answerable questions: those that also get a mined negative, and those that are
    repeated with an edit that makes them unanswerable.
    """

    folder: str
    read: Callable[[Path], Iterator[Asked]]
    pool: str
    most: int
    negatives: float = 0.6
    edits: float = 0.0


@dataclass(frozen=True, slots=True)
class Claims:
    """At most `most` claims of a data set."""

    folder: str
    read: Callable[[Path], Iterator[Claimed]]
    most: int


def _across(asking: str, reading: str) -> Callable[[Path], Iterator[Asked]]:
    return lambda folder: questions.parallel(folder, [(asking, reading)])


def _open(language: str, read: Callable[[Path], Iterator[Asked]]) -> Callable[[Path], Iterator[Asked]]:
    """A reader of open questions, made from the passages of another reader."""

    def made(folder: Path) -> Iterator[Asked]:
        passages = dict.fromkeys(asked.passage for asked in read(folder))
        return open_questions.made([(language, passage) for passage in passages], random.Random(0))

    return made


# Nearly half is Indonesian, the language of most questions. The rest is sized so that one pass has about 8 million tokens,
# which take about 100 minutes on two cores with bfloat16.
QUESTIONS = (
    Questions("idkmrc", questions.idkmrc, "id", 20_000, negatives=0.5, edits=0.25),
    Questions("idkmrc", _open("id", questions.idkmrc), "id", 1300, edits=0.2),
    Questions("xling_squad", _open("id", _across("ind", "ind")), "id", 500, edits=0.2),
    Questions("xling_squad", _across("ind", "ind"), "id", 5000, negatives=0.2),
    Questions("xling_squad", _across("en", "ind"), "id", 900),
    Questions("xling_squad", _across("zh", "ind"), "id", 400),
    Questions("tydiqa", questions.squad, "en", 1500, edits=0.3),
    Questions("squad2_train_10articles", questions.squad, "en", 1200, edits=0.2),
    Questions("squad2_dev_half", questions.squad, "en", 1600, negatives=0.2),
    Questions("qed", questions.qed, "en", 700),
    Questions("afriqa", questions.afriqa, "en", 700),
    Questions("tydiqa", _open("en", questions.squad), "en", 800, edits=0.2),
    Questions("squad2_dev_half", _open("en", questions.squad), "en", 400, edits=0.2),
    Questions("squad2_train_10articles", _open("en", questions.squad), "en", 400, edits=0.2),
    Questions("xling_squad", _across("ind", "en"), "en", 3700),
    Questions("xling_squad", _across("zh", "en"), "en", 900),
    Questions("xling_squad", _across("es", "en"), "en", 300),
    Questions("xling_squad", _across("en", "zh"), "zh", 500),
    Questions("xling_squad", _across("ind", "zh"), "zh", 900),
    Questions("expmrc_cmrc", questions.squad, "zh", 1200),
    Questions("drcd", questions.squad, "zh", 500),
    Questions("iapp", questions.iapp, "th", 1500),
    Questions("onestopqa", questions.onestop, "open", 1440, edits=0.2),
    Questions("fairytaleqa", questions.fairytale, "open", 1500, negatives=0.5, edits=0.1),
    Questions("boolq", questions.boolq, "open", 1000),
    Questions("quoref", questions.quoref, "open", 500, negatives=0.3),
    Questions("selqa", questions.selqa, "open", 700, edits=0.1),
    Questions("dureader_checklist", questions.squad, "zh-open", 1000, negatives=0.4),
    Questions("dureader_robust", questions.squad, "zh-open", 800, negatives=0.5),
    Questions("jaquad", questions.squad, "ja", 400),
    Questions("arcd", questions.squad, "ar", 300),
)
CLAIMS = (
    Claims("indonli", claims.indonli, 4000),
    Claims("attributionbench", claims.attributionbench, 1100),
    Claims("fever_rte", claims.fever, 2500),
    Claims("fever_symmetric", claims.fever_symmetric, 708),
    Claims("factcheck_gpt", claims.factcheck, 1300),
    Claims("wice", claims.wice, 723),
    Claims("begin", claims.begin, 600),
    Claims("faithdial_audit", claims.faithdial, 300),
    Claims("expertqa", claims.expertqa, 763),
    Claims("fool_me_twice", claims.fool_me_twice, 1169),
    Claims("summedits", claims.summedits, 307),
)
