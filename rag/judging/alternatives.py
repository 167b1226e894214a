"""The language model's own yes or no as a judge: a second a passage, and no weights but the reader's.

A second opinion: where a quick judge finds no answer, a slow one reads the passage that came nearest to one.

A cross-encoder as a judge: of a hub or a folder, by name (`BAAI/bge-reranker-v2-m3`, say), on sentence-transformers.
"""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from rag.embedding import embedder
from rag.judging.scoring import logistic
from rag.text import normalise
from rag.types import Calibration, Judge, Judgement, Reader


class LlmJudge:
    """A `Judge` that asks the reader about each passage."""

    # Log-odds of about 2.5 with the default model, where on idkmrc the median passage that answers has 2.3.
    certain = 0.75

    def __init__(self, reader: Reader, calibration: Calibration) -> None:
        self._reader, self._calibration = reader, calibration

    def judge(self, question: str, passages: Sequence[str]) -> Iterator[Judgement]:
        """Whether each passage answers, in order, one read at a time."""
        for passage in passages:
            log_odds = self._reader.judge(question, passage)
            yield Judgement(logistic((log_odds - self._calibration.centre) / self._calibration.scale), None)


class SecondOpinion:
    """A `Judge`: the first one's judgements and, where none is at least `found`, the second one's on the best of them.

    `second` is called when it is needed. Below `found` it changes nothing. On idkmrc's development half, by 220 of the 431
    questions (of 760) of which ours is not sure (.04 to .85), the two refuse .099 of the answered questions and .740 of their
    one-word edits at .6; at .5 .082 and .651. Ours alone refuses .158 and .842 at .6, and .103 and .689 at .35. No weighting of
    both did better (AUROC .825 among these, and of ours alone .826): the second one is there for open questions, of which the
    data have few.
    """

    def __init__(self, first: Judge, second: Callable[[], Judge], found: float) -> None:
        self.certain = first.certain
        self._first, self._second, self._found = first, second, found

    def judge(self, question: str, passages: Sequence[str]) -> Iterator[Judgement]:
        """Whether each passage answers, in order; those that nobody asks for are not read once one was found to."""
        judgements = self._first.judge(question, passages)
        read: list[Judgement] = []
        for judgement in judgements:
            read.append(judgement)
            if judgement.confidence >= self._found:
                yield from read
                yield from judgements
                return
        if read:
            best = max(range(len(read)), key=lambda i: read[i].confidence)
            read[best] = self._again(question, passages[best], read[best])
        yield from read

    def _again(self, question: str, passage: str, before: Judgement) -> Judgement:
        """The second one's confidence, where it finds an answer, and the words that the first one marked."""
        confidence = next(self._second().judge(question, [passage])).confidence
        return Judgement(confidence, before.span) if confidence >= self._found else before


# Passages that are read together, as in `small.py`.
_AT_ONCE = 4


class HubJudge:
    """A `Judge` whose confidence is the model's score as the logistic function of it: it is not calibrated."""

    certain = 0.95

    def __init__(self, score: Callable[[Sequence[tuple[str, str]]], list[float]]) -> None:
        self._score = score

    def judge(self, question: str, passages: Sequence[str]) -> Iterator[Judgement]:
        """Whether each passage answers, in order; those that nobody asks for are not read."""
        asked = normalise(question)
        for at in range(0, len(passages), _AT_ONCE):
            pairs = [(asked, normalise(passage)) for passage in passages[at : at + _AT_ONCE]]
            yield from (Judgement(score, None) for score in self._score(pairs))


def open_named(name: str) -> HubJudge:
    """The cross-encoder of this name: a folder's, or of a hub, which is then asked. Raises WeightsError or WeightsMissing."""
    return HubJudge(embedder.open_cross_encoder(name, local=Path(name).is_dir()))
