"""From the mixture to examples: read, sampled, cut into chunks, with mined and edited negatives, in files of JSON lines."""

import json
import random
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

from rag.engine import Engine
from rag.files import write_atomically
from rag.indexing.protocol import Progress
from rag.types import Span
from training.contamination import Measured
from training.edits import edited
from training.examples import Asked, Claimed, Example
from training.mining import Miner
from training.mixture import CLAIMS, QUESTIONS, Questions
from training.rows import lines

# The share of a pool's questions that also become claims, "question answer": once with the own answer, and once with that of
# another question.
_QUESTIONS_AS_CLAIMS = 0.04

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Workshop:
    """What preparing needs: the folder of the data sets, the folder for results, and the engine that mines negatives."""

    data: Path
    work: Path
    engine: Engine
    progress: Progress


def prepare(workshop: Workshop, measured: Measured, seed: int) -> list[Path]:
    """Write the examples, unless they exist: a file for each pool, and one of claims, all without the `measured` data."""
    folder = workshop.work / f"examples-{seed}"
    folder.mkdir(parents=True, exist_ok=True)
    pools = list(dict.fromkeys(source.pool for source in QUESTIONS))
    for name in pools:
        _write(folder / f"{name}.jsonl", partial(_of_pool, name, workshop, measured, random.Random(f"{seed} {name}")))
    _write(folder / "claims.jsonl", partial(_of_claims, workshop, measured, random.Random(f"{seed} claims")))
    return [folder / f"{name}.jsonl" for name in (*pools, "claims")]


def _write(path: Path, examples: Callable[[], Iterable[Example]]) -> None:
    if not path.exists():
        write_atomically(path, "".join(json.dumps(_record(e), ensure_ascii=False) + "\n" for e in examples()))


def load(paths: Iterable[Path]) -> list[Example]:
    """Load the examples from files of `prepare`."""
    return [_example(row) for path in paths for row in lines(path)]


def _of_pool(name: str, workshop: Workshop, measured: Measured, rng: random.Random) -> Iterator[Example]:
    members: list[tuple[Questions, Asked]] = []
    for source in QUESTIONS:
        if source.pool == name:
            read = source.read(workshop.data / source.folder)
            found = [asked for asked in read if not measured.has(asked.question, asked.passage)]
            members += [(source, asked) for asked in _sample(found, source.most, rng)]
    miner = Miner(workshop.engine, [asked.passage for _, asked in members], workshop.work / "pools" / name, workshop.progress)
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


def _of_claims(workshop: Workshop, measured: Measured, rng: random.Random) -> Iterator[Claimed]:
    for source in CLAIMS:
        read = source.read(workshop.data / source.folder)
        found = [claimed for claimed in read if not measured.has(claimed.claim, claimed.evidence)]
        yield from _sample(found, source.most, rng)


def _as_claims(asked: Sequence[Asked], rng: random.Random) -> Iterator[Claimed]:
    """Claims in all languages: the right answer is supported, that of another question of the same source is not."""
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
