"""Whether words are the answer that people gave, as SQuAD compares them, and whether they hold it. Pure.

Compared are copies without case, punctuation and doubled white space; articles stay, for they are of one language. A token is a
word of `rag.text`, or a character in scripts that put no spaces between words, as MLQA has it for Chinese: where such a word
ends is opinion.

Does a passage answer the question, and with which words: a judge against people's verdicts, on whole passages.

A question's passages are one that answers it, or those that people found not to. Where a data set has none of the latter, the
best passage of retrieval that is not known to answer stands for them: it may answer all the same.
"""

import re
import string
import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from rag import text as texts
from rag.evaluation.dataset import CorpusPassage, JudgeData, JudgedQuestion
from rag.evaluation.measures import Estimate, Verdicts, by_language, estimate, verdicts
from rag.types import Judgement

# Thai, Lao, Myanmar, Khmer, kana, and Han with its extensions.
_UNSPACED = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]"
)


def exact(marked: str, answers: Sequence[str]) -> float:
    """1 where the marked words are one of the answers, else 0."""
    return float(any(normalised(marked) == normalised(answer) for answer in answers))


def f1(marked: str, answers: Sequence[str], language: str) -> float:
    """The harmonic mean of the shares of tokens that marked words and answer have in common, with the best of the answers."""
    return max(_f1(tokens(marked, language), tokens(answer, language)) for answer in answers)


def contains(text: str, answers: Sequence[str]) -> bool:
    """Whether one of the answers stands in the text, in whole words: 5 does not stand in 1945, but in 5-6 it does."""
    return any(folded(answer).strip() and folded(answer) in folded(text) for answer in answers)


def folded(text: str) -> str:
    """The text's words with a space around each, without case; punctuation divides, as do characters written without spaces."""
    divided = "".join(" " if _is_punctuation(character) else character for character in texts.normalise(text).casefold())
    return " ".join(["", *_UNSPACED.sub(r" \g<0> ", divided).split(), ""])


def has_unspaced(text: str) -> bool:
    """Whether some of the text is written without spaces between words."""
    return bool(_UNSPACED.search(text))


def normalised(text: str) -> str:
    """The text as it is compared."""
    kept = (character for character in texts.normalise(text).casefold() if not _is_punctuation(character))
    return " ".join("".join(kept).split())


def tokens(text: str, language: str) -> list[str]:
    """The text's tokens, in no order that means something."""
    plain = normalised(text)
    return _UNSPACED.findall(plain) + texts.words(_UNSPACED.sub(" ", plain), language)


def _is_punctuation(character: str) -> bool:
    """By Unicode, and what SQuAD takes for it: `$` and `+` are symbols to Unicode."""
    return character in string.punctuation or unicodedata.category(character).startswith("P")


def _f1(marked: Sequence[str], answer: Sequence[str]) -> float:
    if not marked or not answer:
        return float(not marked and not answer)
    return 2 * (Counter(marked) & Counter(answer)).total() / (len(marked) + len(answer))


Negatives = Literal["paired", "pool", "retrieved"]


@dataclass(frozen=True, slots=True)
class Asked:
    """A question with passages to judge, of which the first answers where `answerable`, and no other does."""

    question: JudgedQuestion
    passages: tuple[CorpusPassage, ...]
    answerable: bool


@dataclass(frozen=True, slots=True)
class Answerability:
    """Confidences against labels, over all and by language; `negatives` says where the passages that do not answer are from."""

    negatives: tuple[Negatives, ...]
    groups: tuple[Verdicts, ...]


@dataclass(frozen=True, slots=True)
class SpanMatch:
    """Marked words against people's answers, over the questions of a language whose answer stands in their passage."""

    language: str
    questions: int
    exact_match: Estimate
    f1: Estimate


def asked(data: JudgeData, found: Sequence[Sequence[str]]) -> tuple[list[Asked], tuple[Negatives, ...]]:
    """What is judged, and where the negatives are from. `found` has ids for each answerable question, best first."""
    passages = {passage.id: passage for passage in data.retrieval.passages}
    rejected = [(question, question.paired or question.pool) for question in data.unanswerable]
    refused = [Asked(question, tuple(passages[one] for one in ids), answerable=False) for question, ids in rejected if ids]
    kinds: list[Negatives] = sorted({"paired" if one.question.paired else "pool" for one in refused})
    answerable = []
    for question, ids in zip(data.retrieval.questions, found, strict=True):
        best = [one for one in ids if one not in question.relevant][:1] if not refused else []
        answerable.append(Asked(question, tuple(passages[one] for one in (question.relevant[0], *best)), answerable=True))
    return [*answerable, *refused], tuple(kinds) or ("retrieved",)


def measure(asked: Sequence[Asked], judgements: Sequence[Sequence[Judgement]]) -> tuple[Verdicts, ...]:
    """How well and how truly confidences say which passages answer. `judgements` has those of each question's passages."""
    labels = np.array([one.answerable and not place for one in asked for place in range(len(one.passages))])
    confidences = np.array([judgement.confidence for judged in judgements for judgement in judged])
    questions = [one.question for one in asked for _ in one.passages]
    return tuple(
        verdicts(language, labels[rows], confidences[rows], [questions[row].id for row in rows])
        for language, rows in by_language([question.language for question in questions])
    )


def marks(judgements: Sequence[Sequence[Judgement]]) -> bool:
    """Whether the judge marks words at all."""
    return any(judgement.span for judged in judgements for judgement in judged)


def measure_spans(asked: Sequence[Asked], judgements: Sequence[Sequence[Judgement]]) -> tuple[SpanMatch, ...]:
    """How well the marked words match, on the questions whose answer stands in their passage; empty where there are none."""
    verbatim = [(one, judged[0]) for one, judged in zip(asked, judgements, strict=True) if _stands(one)]
    if not verbatim:
        return ()
    values = {"exact": np.zeros(len(verbatim)), "f1": np.zeros(len(verbatim))}
    for row, (one, judgement) in enumerate(verbatim):
        span, question = judgement.span, one.question
        marked = one.passages[0].text[span.start : span.end] if span else ""
        values["exact"][row] = exact(marked, question.answers)
        values["f1"][row] = f1(marked, question.answers, question.language)
    groups = by_language([one.question.language for one, _ in verbatim])
    return tuple(_span_match(language, rows, values) for language, rows in groups)


def _stands(one: Asked) -> bool:
    """Whether an answer stands, word for word, in the passage that answers."""
    return one.answerable and any(answer.strip() and answer in one.passages[0].text for answer in one.question.answers)


def _span_match(language: str, rows: NDArray[np.intp], values: Mapping[str, NDArray[np.float64]]) -> SpanMatch:
    return SpanMatch(language, len(rows), estimate(values["exact"][rows]), estimate(values["f1"][rows]))
