"""How much of each set is read, and the examples that come of it: sampled, cut, with mined negatives, in one file."""

import json
import random
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TypeVar

from rag.engine import Engine
from rag.indexing.build import Observer
from rag.types import Span
from training import readers
from training.examples import Asked, Claimed, Example
from training.mining import Miner


@dataclass(frozen=True, slots=True)
class Questions:
    """One set of questions: `most` of them, `negatives` mined for each that is answered, in the passages of its `pool`."""

    folder: str
    read: Callable[[Path], Iterator[Asked]]
    pool: str
    most: int
    negatives: float = 0.6
    times: int = 1


@dataclass(frozen=True, slots=True)
class Claims:
    """One set of claims, `most` of them."""

    folder: str
    read: Callable[[Path], Iterator[Claimed]]
    most: int


def _across(asking: str, reading: str) -> Callable[[Path], Iterator[Asked]]:
    return lambda folder: readers.parallel(folder, [(asking, reading)])


_T = TypeVar("_T")

# Half of all is Indonesian: it is what the judge is asked most. The rest was sized so that one pass is 7 million tokens, which
# two cores with bfloat16 read in about 90 minutes.
QUESTIONS = (
    Questions("idkmrc", readers.idkmrc, "id", 20_000, negatives=0.7, times=2),
    Questions("tydiqa", readers.squad, "en", 1500),
    Questions("squad2_train_10articles", readers.squad, "en", 700),
    Questions("squad2_dev_half", readers.squad, "en", 1600, negatives=0.3),
    Questions("qed", readers.qed, "en", 400),
    Questions("afriqa", readers.afriqa, "en", 500),
    Questions("xling_squad", _across("ind", "en"), "en", 2400),
    Questions("xling_squad", _across("zh", "en"), "en", 600),
    Questions("xling_squad", _across("es", "en"), "en", 200),
    Questions("xling_squad", _across("en", "ind"), "id", 500),
    Questions("xling_squad", _across("zh", "ind"), "id", 300),
    Questions("xling_squad", _across("en", "zh"), "zh", 300),
    Questions("xling_squad", _across("ind", "zh"), "zh", 400),
    Questions("expmrc_cmrc", readers.squad, "zh", 1000),
    Questions("drcd", readers.squad, "zh", 300),
    Questions("iapp", readers.iapp, "th", 1500),
    Questions("jaquad", readers.squad, "ja", 300),
    Questions("arcd", readers.squad, "ar", 200),
)
CLAIMS = (
    Claims("indonli", readers.indonli, 4000),
    Claims("attributionbench", readers.attributionbench, 1100),
    Claims("fever_rte", readers.fever, 2500),
    Claims("fever_symmetric", readers.fever_symmetric, 708),
    Claims("factcheck_gpt", readers.factcheck, 1300),
    Claims("wice", readers.wice, 723),
    Claims("begin", readers.begin, 600),
    Claims("faithdial_audit", readers.faithdial, 300),
)
# Answered questions that become a claim, "question answer", once with its own answer and once with one of another question.
_QUESTIONS_AS_CLAIMS = 1500


@dataclass(frozen=True, slots=True)
class Workshop:
    """Where examples are made: the folders of the sets and for what is made of them, and the engine whose retrieval mines."""

    data: Path
    work: Path
    engine: Engine
    observer: Observer


def prepare(shop: Workshop, forbidden: frozenset[str], seed: int) -> Path:
    """Write the examples of the mixture to a file, once; `forbidden` are questions that something is measured on."""
    path = shop.work / f"examples-{seed}.jsonl"
    if not path.exists():
        examples = list(_examples(shop, forbidden, random.Random(seed)))
        partial = path.with_suffix(".partial")
        partial.write_text("".join(json.dumps(_record(e), ensure_ascii=False) + "\n" for e in examples), "utf-8")
        partial.rename(path)
    return path


def load(path: Path) -> list[Example]:
    """The examples of a file that `prepare` wrote."""
    return [_example(row) for row in readers.lines(path)]


def plain(question: str) -> str:
    """The question as it is compared with forbidden ones."""
    return "".join(character for character in question.casefold() if character.isalnum())


def _examples(shop: Workshop, forbidden: frozenset[str], rng: random.Random) -> Iterator[Example]:
    pools: dict[str, list[tuple[Questions, Asked]]] = defaultdict(list)
    for source in QUESTIONS:
        found = [asked for asked in source.read(shop.data / source.folder) if plain(asked.question) not in forbidden]
        pools[source.pool] += [(source, asked) for asked in _sample(found, source.most, rng) for _ in range(source.times)]
    for pool, members in pools.items():
        miner = Miner(shop.engine, [asked.passage for _, asked in members], shop.work / "pools" / pool, shop.observer)
        for source, asked in members:
            positive, *negative = miner.examples(asked, rng)
            yield positive
            if rng.random() < source.negatives:
                yield from negative
    for claims in CLAIMS:
        found_claims = [one for one in claims.read(shop.data / claims.folder) if plain(one.claim) not in forbidden]
        yield from _sample(found_claims, claims.most, rng)
    answered = [asked for members in pools.values() for _, asked in members if asked.answers]
    yield from _as_claims(_sample(answered, _QUESTIONS_AS_CLAIMS, rng), rng)


def _as_claims(asked: Sequence[Asked], rng: random.Random) -> Iterator[Claimed]:
    """In every language there is: a right answer is supported, that of another question of the same source is not."""
    by_source: dict[str, list[Asked]] = defaultdict(list)
    for one in asked:
        by_source[one.source].append(one)
    for one in asked:
        span, other = one.answers[0], rng.choice(by_source[one.source])
        answer = one.passage[span.start : span.end]
        foreign = other.passage[other.answers[0].start : other.answers[0].end]
        beginning = max(0, span.start - 350)
        evidence = one.passage[beginning : span.end + 350]
        yield Claimed("question", f"{one.question} {answer}", evidence, supported=True)
        if foreign.casefold() not in one.passage.casefold():
            yield Claimed("question", f"{one.question} {foreign}", evidence, supported=False)


def _sample(items: Sequence[_T], most: int, rng: random.Random) -> list[_T]:
    return list(items) if len(items) <= most else rng.sample(items, most)


def _record(example: Example) -> dict[str, object]:
    return {"kind": type(example).__name__, **asdict(example)}


def _example(record: dict[str, object]) -> Example:
    kind = record.pop("kind")
    if kind == "Claimed":
        return Claimed(**record)  # type: ignore[arg-type]  # written by _record
    answers = record.pop("answers")
    return Asked(**record, answers=tuple(Span(**answer) for answer in answers))  # type: ignore[arg-type,attr-defined]


def questions_of(paths: Iterable[Path]) -> frozenset[str]:
    """The questions and claims of evaluation files, as `plain` has them."""
    rows = (row for path in paths for row in readers.lines(path))
    return frozenset(plain(row[key]) for row in rows for key in ("question", "claim") if key in row)
