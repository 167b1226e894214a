"""Does a passage answer a question, and with which words: a judge's verdicts and marks against those of people. Pure.

Answers are compared as in SQuAD: without case, punctuation and repeated white space. Articles stay, because they depend on the
language. A token is a word of `rag.text`; in scripts without spaces between words it is a character, as in MLQA for Chinese,
because the ends of words are disputable there.

The passages of a question are one that answers it, or those that people judged not to answer. A data set may have none of the
latter: then the best retrieved passage that is not known to answer stands in, although it may answer too.
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
    """1 if the marked words equal one of the answers, else 0."""
    return float(any(normalised(marked) == normalised(answer) for answer in answers))


def f1(marked: str, answers: Sequence[str], language: str) -> float:
    """Token F1 (the harmonic mean of precision and recall) of the marked words with the best of the answers."""
    return max(_f1(tokens(marked, language), tokens(answer, language)) for answer in answers)


def contains(text: str, answers: Sequence[str]) -> bool:
    """Whether the text contains one of the answers as whole words: 1945 does not contain 5, but 5-6 does."""
    return any(folded(answer).strip() and folded(answer) in folded(text) for answer in answers)


def folded(text: str) -> str:
    """The case-folded words with a space around each. Punctuation separates words; unspaced characters are words."""
    divided = "".join(" " if _is_punctuation(character) else character for character in texts.normalise(text).casefold())
    return " ".join(["", *_UNSPACED.sub(r" \g<0> ", divided).split(), ""])


def has_unspaced(text: str) -> bool:
    """Whether a part of the text is in a script without spaces between words."""
    return bool(_UNSPACED.search(text))


def normalised(text: str) -> str:
    """The text in the form in which it is compared."""
    kept = (character for character in texts.normalise(text).casefold() if not _is_punctuation(character))
    return " ".join("".join(kept).split())


def tokens(text: str, language: str) -> list[str]:
    """The tokens of the text, in no particular order."""
    plain = normalised(text)
    return _UNSPACED.findall(plain) + texts.words(_UNSPACED.sub(" ", plain), language)


def _is_punctuation(character: str) -> bool:
    """Punctuation by Unicode or by SQuAD, which includes symbols such as `$` and `+`."""
    return character in string.punctuation or unicodedata.category(character).startswith("P")


def _f1(marked: Sequence[str], answer: Sequence[str]) -> float:
    if not marked or not answer:
        return float(not marked and not answer)
    return 2 * (Counter(marked) & Counter(answer)).total() / (len(marked) + len(answer))


Negatives = Literal["paired", "pool", "retrieved"]


@dataclass(frozen=True, slots=True)
class Asked:
    """A question with passages to judge. If it is `answerable`, the first passage answers it; the others do not."""

    question: JudgedQuestion
    passages: tuple[CorpusPassage, ...]
    answerable: bool


@dataclass(frozen=True, slots=True)
class Answerability:
    """Confidences against labels, over all and by language. `negatives` are the sources of passages that do not answer."""

    negatives: tuple[Negatives, ...]
    groups: tuple[Verdicts, ...]


@dataclass(frozen=True, slots=True)
class SpanMatch:
    """Marked words against the answers of people, for the questions of a language whose passage contains an answer."""

    language: str
    questions: int
    exact_match: Estimate
    f1: Estimate


def asked(data: JudgeData, found: Sequence[Sequence[str]]) -> tuple[list[Asked], tuple[Negatives, ...]]:
    """The questions to judge, and the sources of negatives. `found` has ids for each answerable question, best first."""
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
    """How well confidences separate passages that answer, and how well calibrated they are, over all and by language."""
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
    """How well the marked words match, for the questions whose passage contains an answer; empty if there are none."""
    verbatim = [(one, judged[0]) for one, judged in zip(asked, judgements, strict=True) if _has_answer(one)]
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


def _has_answer(one: Asked) -> bool:
    """Whether the answering passage contains an answer word for word."""
    return one.answerable and any(answer.strip() and answer in one.passages[0].text for answer in one.question.answers)


def _span_match(language: str, rows: NDArray[np.intp], values: Mapping[str, NDArray[np.float64]]) -> SpanMatch:
    return SpanMatch(language, len(rows), estimate(values["exact"][rows]), estimate(values["f1"][rows]))
