"""From a question and its passages to an answer that can be believed: judge each, mark, answer from the best, cite, verify."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from rag.answering import citing
from rag.answering.prompt import Phrases
from rag.answering.refusing import without_refusal
from rag.answering.tools import Tools
from rag.judging import ranking
from rag.types import Answer, Citation, Event, Found, Judgement, Marked, Passage, Receipt, Token


@dataclass(frozen=True, slots=True)
class Verdict:
    """A passage and what the judge says of it."""

    passage: Passage
    judgement: Judgement

    @property
    def confidence(self) -> float:
        """The probability that the passage answers the question."""
        return self.judgement.confidence


def answer(
    question: str,
    language: str,
    passages: Sequence[Passage],
    *,
    tools: Tools,
    phrases: Phrases,
    least_confidence: float,
    flagging: bool,
    receipt: Receipt,
) -> Iterator[Event]:
    """What was found, the words that answer, the answer piece by piece, then the `Answer`, which is always the last event."""
    yield Found(tuple(passages))
    # Whoever was told of the passages may have waited for a turn of the model.
    clock = _Clock(receipt)
    verdicts = _ranked(list(_judge(question, passages, tools)))
    best = next((verdict for verdict in verdicts if verdict.confidence >= least_confidence), None)
    passages = [*(verdict.passage for verdict in verdicts), *passages[len(verdicts) :]]
    clock.lap("judge")
    surest = max((verdict.confidence for verdict in verdicts), default=0.0)
    blank = _refusal(question, language, passages, phrases, confidence=best.confidence if best else surest, receipt=receipt)
    if best is None:
        yield replace(blank, receipt=clock.receipt)
        return
    if marked := _marked(best, tools):
        yield Marked(marked, best.confidence)
    written = ""
    for piece in without_refusal(tools.reader().answer(question, best.passage.text, phrases.instruction), phrases.none):
        if not written:
            clock.lap("first_token")
        written += piece
        yield Token(piece)
    clock.lap("write")
    sentences = citing.sentences(citing.claims(written, language, phrases.none), language, best.passage, tools)
    clock.lap("cite")
    if any(sentence.supported for sentence in sentences):
        value = replace(citing.compose(blank, sentences, phrases, flagging=flagging), marked=marked)
    else:
        value = replace(blank, dropped=tuple(sentence.text for sentence in sentences))
    yield replace(value, receipt=clock.receipt)


class _Clock:
    """Adds the seconds of each stage to a receipt."""

    def __init__(self, receipt: Receipt) -> None:
        self.receipt, self._since = receipt, time.perf_counter()

    def lap(self, stage: str) -> None:
        now = time.perf_counter()
        self.receipt = replace(self.receipt, seconds={**self.receipt.seconds, stage: round(now - self._since, 4)})
        self._since = now


def _judge(question: str, passages: Sequence[Passage], tools: Tools) -> Iterator[Verdict]:
    """Verdicts in the order of retrieval, no further than the first that is certain."""
    judgements = tools.judge.judge(question, [passage.text for passage in passages])
    for passage, judgement in zip(passages, judgements, strict=False):
        yield Verdict(ranking.judged(passage, judgement), judgement)
        if judgement.confidence >= tools.judge.certain:
            return


def _ranked(verdicts: Sequence[Verdict]) -> list[Verdict]:
    """Best first, by the judge and by retrieval."""
    return [verdicts[i] for i in ranking.order([v.confidence for v in verdicts], [v.passage.score for v in verdicts])]


def _marked(best: Verdict, tools: Tools) -> Citation | None:
    """The instant answer, where the judge marked one and its citation verifies."""
    span = best.judgement.span
    return next(iter(citing.cite(best.passage, [span], tools)), None) if span else None


def _refusal(
    question: str, language: str, passages: Sequence[Passage], phrases: Phrases, *, confidence: float, receipt: Receipt
) -> Answer:
    return Answer(
        question=question,
        language=language,
        answered=False,
        text=phrases.refusal,
        sentences=(),
        citations=(),
        confidence=confidence,
        passages=tuple(passages),
        receipt=receipt,
    )
