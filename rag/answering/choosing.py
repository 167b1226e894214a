"""Chooses the passages that an answer is written from: one if one suffices, two or three if the question needs several."""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

from rag import stopping
from rag.answering.prompt import Phrases
from rag.judging import scoring
from rag.judging.scoring import log_odds
from rag.types import Document, Embedder, Judge, Judgement, Passage, Reader, SupportCheck

# The most passages that the answer to a question for a list is written from.
_MOST = 3
# Two passages are read together if the judge gives their joined text so much higher log-odds than the best passage alone.
# This finds 5 of 6 made-up comparisons; joining an unrelated passage gains .5 at most.
_GAIN = 1.0
_WORD = re.compile(r"[^\W_]+")
_LEAST_NAME = 3


@dataclass(frozen=True, slots=True)
class Tools:
    """The models and documents that answering works with.

    `reader` returns the language model once it is loaded: the judge does not wait for it. `support` is None if the judge
    cannot check claims. `original` returns a stored document, against which every citation is verified.
    """

    judge: Judge
    support: SupportCheck | None
    reader: Callable[[], Reader]
    embedder: Embedder
    original: Callable[[str], Document | None]


@dataclass(frozen=True, slots=True)
class Verdict:
    """A passage and the judge's judgement of it."""

    passage: Passage
    judgement: Judgement

    @property
    def confidence(self) -> float:
        """The probability that the passage answers the question."""
        return self.judgement.confidence


@dataclass(frozen=True, slots=True)
class Choice:
    """The judged passages and, of those, the `chosen` ones that answer with this confidence; both best first.

    `chosen` is empty if nothing answers. With `halves`, each chosen passage has a part of the answer, so the words that the
    judge marked in one of them are not the answer.
    """

    ranked: tuple[Verdict, ...]
    chosen: tuple[Verdict, ...]
    confidence: float
    halves: bool = False

    def order(self, passages: Sequence[Passage]) -> list[Passage]:
        """All passages: the judged ones first, best first."""
        return [*(verdict.passage for verdict in self.ranked), *passages[len(self.ranked) :]]


def choose(question: str, phrases: Phrases, passages: Sequence[Passage], tools: Tools, least_confidence: float) -> Choice:
    """Judge the passages, given in the order of retrieval, and choose those that answer with at least `least_confidence`."""
    everything, joined = asks_for_all(question, phrases), joins(question, phrases)
    ranked = _ranked(list(_judge(question, passages, tools, to_the_end=everything or joined)))
    surest = max((verdict.confidence for verdict in ranked), default=0.0)
    if joined and (together := _together(question, ranked, surest, tools)) and together.confidence >= least_confidence:
        return together
    answering = [verdict for verdict in ranked if verdict.confidence >= least_confidence]
    if not answering:
        return Choice(tuple(ranked), (), surest)
    return Choice(tuple(ranked), tuple(answering[: _MOST if everything else 1]), answering[0].confidence)


def _judge(question: str, passages: Sequence[Passage], tools: Tools, *, to_the_end: bool) -> Iterator[Verdict]:
    """Verdicts in the order of retrieval, up to the first passage that is certain to answer, unless `to_the_end`."""
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
    """The first pair that answers far more surely than any passage alone; `surest` is the best passage's confidence."""
    texts = [verdict.passage.text for verdict in ranked]
    for pair in pairs(question, texts):
        (joint,) = tools.judge.judge(question, ["\n".join(texts[i] for i in pair)])
        if log_odds(joint.confidence) >= log_odds(surest) + _GAIN:
            return Choice(tuple(ranked), tuple(ranked[i] for i in pair), joint.confidence, halves=True)
    return None


# Which questions need several passages. The words that show it are in the language's file (`Phrases`); a question in a language
# without them is answered from one passage.


def asks_for_all(question: str, phrases: Phrases) -> bool:
    """Whether the question asks for a list, of which each passage may have a part."""
    ways = [re.escape(way.strip()).replace("…", ".+") for way in phrases.listing.split(",") if way.strip()]
    return bool(ways and re.search(rf"\b(?:{'|'.join(ways)})\b", question.casefold()))


def joins(question: str, phrases: Phrases) -> bool:
    """Whether the question may join or compare two things, each in a passage of its own."""
    return not _words(question).isdisjoint(phrases.joining.split())


def pairs(question: str, passages: Sequence[str]) -> Iterator[tuple[int, int]]:
    """Indexes of passages that may answer together, in order: each has a name of the question that the other lacks."""
    asked, words = _words(question), [_words(passage) for passage in passages]
    names = [_names(passage) & asked for passage in passages]
    for one, other in combinations(range(len(passages)), 2):
        if names[one] - words[other] and names[other] - words[one]:
            yield one, other


def _words(text: str) -> set[str]:
    return {word.casefold() for word in _WORD.findall(text)}


def _names(passage: str) -> set[str]:
    """Words that begin with a capital letter or a digit. A question may be written without capitals; a document is not."""
    words = _WORD.findall(passage)
    return {word.casefold() for word in words if len(word) >= _LEAST_NAME and (word[0].isupper() or word[0].isdigit())}
