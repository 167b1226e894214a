"""Which passages the answer is taken from: one where one suffices, two or three where the question needs them together."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rag import stopping
from rag.answering import needs
from rag.answering.tools import Tools
from rag.judging import scoring
from rag.judging.odds import log_odds
from rag.types import Judgement, Passage

# Of a list, so many passages at most are read.
_MOST = 3
# Two passages answer together where, read as one, they are judged so much likelier to answer (in log-odds) than either alone.
# Of 6 made-up comparisons this finds 5; a passage together with an unrelated one gains .5 at most.
_GAIN = 1.0


@dataclass(frozen=True, slots=True)
class Verdict:
    """A passage and what the judge says of it."""

    passage: Passage
    judgement: Judgement

    @property
    def confidence(self) -> float:
        """The probability that the passage answers the question."""
        return self.judgement.confidence


@dataclass(frozen=True, slots=True)
class Choice:
    """What was judged, best first; those `chosen` answer, the best first, with this confidence. None are where nothing does.

    Of `halves` each tells a part, and the words that were marked in one do not answer.
    """

    ranked: tuple[Verdict, ...]
    chosen: tuple[Verdict, ...]
    confidence: float
    halves: bool = False

    def order(self, passages: Sequence[Passage]) -> list[Passage]:
        """All passages: those judged first, best first."""
        return [*(verdict.passage for verdict in self.ranked), *passages[len(self.ranked) :]]


def choose(question: str, language: str, passages: Sequence[Passage], tools: Tools, least_confidence: float) -> Choice:
    """Judge the passages, which stand in the order of retrieval, and choose."""
    everything, joined = needs.asks_for_all(question, language), needs.joins(question, language)
    ranked = _ranked(list(_judge(question, passages, tools, to_the_end=everything or joined)))
    surest = max((verdict.confidence for verdict in ranked), default=0.0)
    if joined and (together := _together(question, ranked, surest, tools)) and together.confidence >= least_confidence:
        return together
    answering = [verdict for verdict in ranked if verdict.confidence >= least_confidence]
    if not answering:
        return Choice(tuple(ranked), (), surest)
    return Choice(tuple(ranked), tuple(answering[: _MOST if everything else 1]), answering[0].confidence)


def _judge(question: str, passages: Sequence[Passage], tools: Tools, *, to_the_end: bool) -> Iterator[Verdict]:
    """Verdicts in the order of retrieval, no further than the first that is certain, unless `to_the_end`."""
    judgements = tools.judge.judge(question, [passage.text for passage in passages])
    for passage, judgement in zip(passages, judgements, strict=False):
        stopping.current().check()
        yield Verdict(scoring.judged(passage, judgement), judgement)
        if judgement.confidence >= tools.judge.certain and not to_the_end:
            return


def _ranked(verdicts: Sequence[Verdict]) -> list[Verdict]:
    """Best first, by the judge and by retrieval."""
    return [verdicts[i] for i in scoring.order([v.confidence for v in verdicts], [v.passage.score for v in verdicts])]


def _together(question: str, ranked: Sequence[Verdict], surest: float, tools: Tools) -> Choice | None:
    """The first two that answer far more surely together than any passage does alone."""
    texts = [verdict.passage.text for verdict in ranked]
    for pair in needs.pairs(question, texts):
        (joint,) = tools.judge.judge(question, ["\n".join(texts[i] for i in pair)])
        if log_odds(joint.confidence) >= log_odds(surest) + _GAIN:
            return Choice(tuple(ranked), tuple(ranked[i] for i in pair), joint.confidence, halves=True)
    return None
