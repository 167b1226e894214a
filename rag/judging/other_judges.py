"""The judges besides our own (`small.py`).

`LlmJudge` asks the language model: a second a passage, without further weights. `SecondOpinion`, the default, asks a slow judge
about the best passage if a quick one finds no answer. `HubJudge` is a cross-encoder from a folder or a model hub, by name
(such as `BAAI/bge-reranker-v2-m3`), on sentence-transformers.
"""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from rag.embedding import sentence_embedder
from rag.judging.scoring import logistic
from rag.text import normalise
from rag.types import Calibration, Judge, Judgement, Reader


class LlmJudge:
    """A `Judge` that asks the language model about each passage."""

    # With the default model these are log-odds of about 2.5; on idkmrc the median passage that answers has 2.3.
    certain = 0.75

    def __init__(self, reader: Reader, calibration: Calibration) -> None:
        self._reader, self._calibration = reader, calibration

    def judge(self, question: str, passages: Sequence[str]) -> Iterator[Judgement]:
        """A judgement of each passage, in order; each is read when its judgement is asked for."""
        for passage in passages:
            log_odds = self._reader.judge(question, passage)
            yield Judgement(logistic((log_odds - self._calibration.centre) / self._calibration.scale), None)


class SecondOpinion:
    """A `Judge`: the first judge's judgements; if none is at least `found`, the second judge decides on the best passage.

    `second` returns the second judge, and is called only if it is needed. A second confidence below `found` changes nothing.

    Measured on idkmrc's development half, on 220 of the 431 questions (of 760) about which our judge is unsure (.04 to .85).
    Both judges refuse .099 of the answerable questions and .740 of their one-word edits at .6, and .082 and .651 at .5. Our
    judge alone refuses .158 and .842 at .6, and .103 and .689 at .35. No weighting of both was better (AUROC .825 on these,
    against .826 of ours alone): the second judge is there for open questions, of which the data have few.
    """

    def __init__(self, first: Judge, second: Callable[[], Judge], found: float) -> None:
        self.certain = first.certain
        self._first, self._second, self._found = first, second, found

    def judge(self, question: str, passages: Sequence[str]) -> Iterator[Judgement]:
        """A judgement of each passage, in order. Once a passage answers, further ones are read only on demand."""
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
        """The second judge's confidence with the words that the first marked; the first judgement if it finds no answer."""
        confidence = next(self._second().judge(question, [passage])).confidence
        return Judgement(confidence, before.span) if confidence >= self._found else before


# Passages per batch, as in `small.py`.
_AT_ONCE = 4


class HubJudge:
    """A `Judge` whose confidence is the cross-encoder's score through a logistic function, uncalibrated."""

    certain = 0.95

    def __init__(self, score: Callable[[Sequence[tuple[str, str]]], list[float]]) -> None:
        self._score = score

    def judge(self, question: str, passages: Sequence[str]) -> Iterator[Judgement]:
        """A judgement of each passage, in order. Batches are read on demand."""
        asked = normalise(question)
        for at in range(0, len(passages), _AT_ONCE):
            pairs = [(asked, normalise(passage)) for passage in passages[at : at + _AT_ONCE]]
            yield from (Judgement(score, None) for score in self._score(pairs))


def open_named(name: str) -> HubJudge:
    """The cross-encoder in this folder, or of this name on a model hub. Raises WeightsError or WeightsMissing."""
    return HubJudge(sentence_embedder.open_cross_encoder(name, local=Path(name).is_dir()))
