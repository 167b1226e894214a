"""A judge with predictable verdicts, an engine that has it, and a plain way with scripted replies."""

import re
from collections.abc import Generator, Iterator, Sequence

from rag.answering.prompt import Phrases
from rag.types import Judgement, Span
from tests.conftest import FakeEngine, FakeModels

_WORD = re.compile(r"\w+")


class OverlapJudge:
    """Its confidence is the share of the question's words in the passage, and so is support. It marks the first number."""

    name, digest = "overlap", "overlap-1"

    certain = 1.0

    def __init__(self, *, marking: bool = True) -> None:
        self.marking = marking
        self.judged: list[tuple[str, tuple[str, ...]]] = []

    def judge(self, question: str, passages: Sequence[str]) -> Iterator[Judgement]:
        self.judged.append((question, tuple(passages)))
        for passage in passages:
            number = re.search(r"\d+", passage) if self.marking else None
            yield Judgement(_share(question, passage), Span(*number.span()) if number else None)

    def supports(self, claims: Sequence[tuple[str, str]]) -> list[float]:
        return [_share(*pair) for pair in claims]


def _share(first: str, second: str) -> float:
    words = set(_WORD.findall(first.casefold()))
    return len(words & set(_WORD.findall(second.casefold()))) / len(words)


class JudgingModels(FakeModels):
    """The fake models with that judge."""

    small_judge = OverlapJudge()  # type: ignore[assignment]


class JudgingEngine(FakeEngine):
    """The engine with these models."""

    made = JudgingModels


class ScriptedChat:
    """Gives one reply, which may be cut off, and records the passages that it was shown."""

    def __init__(self, *pieces: str, cut: bool = False) -> None:
        self.pieces, self.cut, self.shown = pieces, cut, list[tuple[str, ...]]()

    def reply(self, question: str, passages: Sequence[str], phrases: Phrases) -> Generator[str, None, bool]:
        self.shown.append(tuple(passages))
        yield from self.pieces
        return self.cut

    def understood(self, reply: str, phrases: Phrases) -> tuple[str | None, list[int]]:
        said, *labels = reply.split("|")
        return said or None, [int(label) for label in labels]
