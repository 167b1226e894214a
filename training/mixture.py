"""How much of each set is read, and the examples that come of it: sampled, cut, with mined negatives, in one file."""

import json
import random
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

from rag.engine import Engine
from rag.indexing.build import Observer
from rag.types import Span
from training import claims, open_questions, questions
from training.contamination import Measured
from training.edits import edited
from training.examples import Asked, Claimed, Example
from training.mining import Miner
from training.rows import lines


@dataclass(frozen=True, slots=True)
class Questions:
    """One set of questions: `most` of them, searched among the passages of its `pool`.

    `negatives` and `edits` are shares of the answered ones: those to which a mined passage that does not answer is added, and
    those that are asked again with a change that the passage does not answer.
    """

    folder: str
    read: Callable[[Path], Iterator[Asked]]
    pool: str
    most: int
    negatives: float = 0.6
    edits: float = 0.0


@dataclass(frozen=True, slots=True)
class Claims:
    """One set of claims, `most` of them."""

    folder: str
    read: Callable[[Path], Iterator[Claimed]]
    most: int


def _across(asking: str, reading: str) -> Callable[[Path], Iterator[Asked]]:
    return lambda folder: questions.parallel(folder, [(asking, reading)])


def _open(language: str, read: Callable[[Path], Iterator[Asked]]) -> Callable[[Path], Iterator[Asked]]:
    """Open questions made of the passages that another reader reads."""

    def made(folder: Path) -> Iterator[Asked]:
        passages = dict.fromkeys(asked.passage for asked in read(folder))
        return open_questions.made([(language, passage) for passage in passages], random.Random(0))

    return made


_T = TypeVar("_T")

# Nearly half of all is Indonesian: it is what the judge is asked most. The rest was sized so that one pass is about 8 million
# tokens, which two cores with bfloat16 read in about 100 minutes.
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
# The share of a pool's answered questions that become a claim, "question answer", once with its own answer and once with
# one of another question.
_QUESTIONS_AS_CLAIMS = 0.04


@dataclass(frozen=True, slots=True)
class Workshop:
    """Where examples are made: the folders of the sets and for what is made of them, and the engine whose retrieval mines."""

    data: Path
    work: Path
    engine: Engine
    observer: Observer


def prepare(shop: Workshop, measured: Measured, seed: int) -> list[Path]:
    """Write the examples, a file for each pool and one of claims, once; nothing of what is `measured` on is among them."""
    folder = shop.work / f"examples-{seed}"
    folder.mkdir(parents=True, exist_ok=True)
    pools = list(dict.fromkeys(source.pool for source in QUESTIONS))
    for name in pools:
        _write(folder / f"{name}.jsonl", partial(_of_pool, name, shop, measured, random.Random(f"{seed} {name}")))
    _write(folder / "claims.jsonl", partial(_of_claims, shop, measured, random.Random(f"{seed} claims")))
    return [folder / f"{name}.jsonl" for name in (*pools, "claims")]


def _write(path: Path, examples: Callable[[], Iterable[Example]]) -> None:
    if not path.exists():
        unfinished = path.with_suffix(".partial")
        unfinished.write_text("".join(json.dumps(_record(e), ensure_ascii=False) + "\n" for e in examples()), "utf-8")
        unfinished.rename(path)


def load(paths: Iterable[Path]) -> list[Example]:
    """The examples of files that `prepare` wrote."""
    return [_example(row) for path in paths for row in lines(path)]


def _of_pool(name: str, shop: Workshop, measured: Measured, rng: random.Random) -> Iterator[Example]:
    members: list[tuple[Questions, Asked]] = []
    for source in QUESTIONS:
        if source.pool == name:
            read = source.read(shop.data / source.folder)
            found = [asked for asked in read if not measured.has(asked.question, asked.passage)]
            members += [(source, asked) for asked in _sample(found, source.most, rng)]
    miner = Miner(shop.engine, [asked.passage for _, asked in members], shop.work / "pools" / name, shop.observer)
    others = [asked.question for _, asked in members]
    for source, asked in members:
        positive, *negative = miner.examples(asked, rng)
        yield positive
        if rng.random() < source.negatives:
            yield from negative
        if positive.answers and rng.random() < source.edits and (edit := edited(positive, others, rng)):
            yield edit
    answered = [asked for _, asked in members if asked.answers]
    yield from _as_claims(_sample(answered, int(_QUESTIONS_AS_CLAIMS * len(members)), rng), rng)


def _of_claims(shop: Workshop, measured: Measured, rng: random.Random) -> Iterator[Claimed]:
    for source in CLAIMS:
        read = source.read(shop.data / source.folder)
        found = [claimed for claimed in read if not measured.has(claimed.claim, claimed.evidence)]
        yield from _sample(found, source.most, rng)


def _as_claims(asked: Sequence[Asked], rng: random.Random) -> Iterator[Claimed]:
    """In every language there is: a right answer is supported, that of another question of the same source is not."""
    by_source: dict[str, list[Asked]] = defaultdict(list)
    for one in asked:
        by_source[one.source].append(one)
    for one in asked:
        other = rng.choice(by_source[one.source])
        span, theirs = _first(one), _first(other)
        answer = one.passage[span.start : span.end]
        foreign = other.passage[theirs.start : theirs.end]
        beginning = max(0, span.start - 350)
        evidence = one.passage[beginning : span.end + 350]
        yield Claimed("question", f"{one.question} {answer}", evidence, supported=True)
        if foreign.casefold() not in one.passage.casefold():
            yield Claimed("question", f"{one.question} {foreign}", evidence, supported=False)


def _first(asked: Asked) -> Span:
    assert asked.answers  # only answered questions become claims
    return asked.answers[0]


def _sample(items: Sequence[_T], most: int, rng: random.Random) -> list[_T]:
    return list(items) if len(items) <= most else rng.sample(items, most)


def _record(example: Example) -> dict[str, object]:
    return {"kind": type(example).__name__, **asdict(example)}


def _example(record: dict[str, object]) -> Example:
    kind = record.pop("kind")
    if kind == "Claimed":
        return Claimed(**record)  # type: ignore[arg-type]  # written by _record
    answers = record.pop("answers")
    places = None if answers is None else tuple(Span(**answer) for answer in answers)  # type: ignore[attr-defined]
    return Asked(**record, answers=places)  # type: ignore[arg-type]
