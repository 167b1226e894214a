"""What answering works with: the models and the documents, as the engine has them.

Whether a question needs several passages: it compares or joins what each tells a part of, or asks for all there is. Pure.

The words that show it are known for the languages below. In others a question is answered from one passage.

Which passages the answer is taken from: one where one suffices, two or three where the question needs them together.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

from rag import stopping
from rag.judging import scoring
from rag.judging.scoring import log_odds
from rag.types import Document, Embedder, Judge, Judgement, Passage, Reader, SupportCheck


@dataclass(frozen=True, slots=True)
class Tools:
    """What answering works with.

    `reader` gives the language model, once it is loaded: the judge does not wait for it. `support` is None where the judge
    cannot check claims. `original` gives a stored document, from which every citation is verified.
    """

    judge: Judge
    support: SupportCheck | None
    reader: Callable[[], Reader]
    embedder: Embedder
    original: Callable[[str], Document | None]


# Words that join or compare two things.
_JOINING = {
    "id": "dan atau dibanding dibandingkan bandingkan perbandingan daripada selisih beda perbedaan antara kedua keduanya",
    "en": "and or than versus vs compare compared comparison between both difference differ",
    "de": "und oder als verglichen vergleiche vergleich zwischen beide beiden unterschied",
    "es": "y e o u que comparado compara entre ambos ambas diferencia",
    "fr": "et ou que comparé comparez entre deux différence",
    "nl": "en of dan vergeleken vergelijk tussen beide verschil",
}
_JOINING["ms"] = _JOINING["id"]
# Words that ask for all there is.
_ALL = {
    "id": r"apa saja|siapa saja|mana saja|sebutkan|daftarkan|daftar",
    "en": r"list|name all|name the|which .+ are|what are the|who are the|what kinds|all of the",
    "de": r"welche .+ gibt es|nenne|zähle .+ auf|liste",
    "es": r"cuáles son|quiénes son|enumera|lista",
    "fr": r"quels sont|quelles sont|qui sont|énumère|liste",
    "nl": r"welke .+ zijn|noem|som .+ op|lijst",
}
_ALL["ms"] = _ALL["id"]
_WORD = re.compile(r"[^\W_]+")
_LEAST_NAME = 3


def asks_for_all(question: str, language: str) -> bool:
    """Whether it asks for a list, of which each passage may have a part."""
    pattern = _ALL.get(language)
    return bool(pattern and re.search(rf"\b(?:{pattern})\b", question.casefold()))


def joins(question: str, language: str) -> bool:
    """Whether it may join or compare two things, of which each passage may tell one."""
    return not _words(question).isdisjoint(_JOINING.get(language, "").split())


def pairs(question: str, passages: Sequence[str]) -> Iterator[tuple[int, int]]:
    """Passages that may answer together, in their order: each has a name of the question that the other lacks."""
    asked, words = _words(question), [_words(passage) for passage in passages]
    names = [_names(passage) & asked for passage in passages]
    for one, other in combinations(range(len(passages)), 2):
        if names[one] - words[other] and names[other] - words[one]:
            yield one, other


def _words(text: str) -> set[str]:
    return {word.casefold() for word in _WORD.findall(text)}


def _names(passage: str) -> set[str]:
    """Words with a capital letter or a digit: a question may be written without capitals, a document has them."""
    words = _WORD.findall(passage)
    return {word.casefold() for word in words if len(word) >= _LEAST_NAME and (word[0].isupper() or word[0].isdigit())}


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
    everything, joined = asks_for_all(question, language), joins(question, language)
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
    for pair in pairs(question, texts):
        (joint,) = tools.judge.judge(question, ["\n".join(texts[i] for i in pair)])
        if log_odds(joint.confidence) >= log_odds(surest) + _GAIN:
            return Choice(tuple(ranked), tuple(ranked[i] for i in pair), joint.confidence, halves=True)
    return None
