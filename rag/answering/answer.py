"""From a question and its passages to an answer that can be believed: judge, mark, choose, answer, cite, verify, quote."""

import time
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import replace

from rag.answering import choosing, citing
from rag.answering.choosing import Choice, Tools
from rag.answering.prompt import Phrases
from rag.types import Answer, Citation, Event, Found, Marked, Passage, Receipt, Token


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
    choice = choosing.choose(question, language, passages, tools, least_confidence)
    clock.lap("judge")
    blank = _refusal(question, language, choice.order(passages), phrases, confidence=choice.confidence, receipt=receipt)
    if not choice.chosen:
        yield replace(blank, receipt=clock.receipt)
        return
    if marked := _marked(choice, tools):
        yield Marked(marked, choice.confidence)
    chosen = [verdict.passage for verdict in choice.chosen]
    pieces = tools.reader().answer(question, [passage.text for passage in chosen], phrases.instruction)
    written, cut = yield from _told(pieces, clock)
    clock.lap("write")
    claims = citing.claims(written, language)
    sentences = citing.sentences(citing.finished(claims) if cut else claims, language, chosen, tools)
    for quote in citing.quotes(question, language, choice, sentences, tools):
        sentences.append(quote)
        yield Token(f" {quote.text}")
    clock.lap("cite")
    if any(sentence.supported for sentence in sentences):
        value = replace(citing.compose(blank, sentences, phrases, flagging=flagging), marked=marked)
    else:
        value = replace(blank, dropped=tuple(sentence.text for sentence in sentences))
    if cut:
        value = replace(value, cut=True, note=f"{value.note} {phrases.cut}".strip())
    yield replace(value, receipt=clock.receipt)


class _Clock:
    """Adds the seconds of each stage to a receipt."""

    def __init__(self, receipt: Receipt) -> None:
        self.receipt, self._since = receipt, time.perf_counter()

    def lap(self, stage: str) -> None:
        now = time.perf_counter()
        self.receipt = replace(self.receipt, seconds={**self.receipt.seconds, stage: round(now - self._since, 4)})
        self._since = now


def _told(pieces: Generator[str, None, bool], clock: _Clock) -> Generator[Token, None, tuple[str, bool]]:
    """Tell the pieces as they come; returns all of them, and whether they were cut before their end."""
    written = ""
    with closing(pieces):
        while True:
            try:
                piece = next(pieces)
            except StopIteration as ended:
                return written, ended.value
            if not written:
                clock.lap("first_token")
            written += piece
            yield Token(piece)


def _marked(choice: Choice, tools: Tools) -> Citation | None:
    """The instant answer, where the judge marked one and its citation verifies."""
    best = choice.chosen[0]
    span = None if choice.halves else best.judgement.span
    return next(iter(citing.cite([(best.passage, span)], tools)), None) if span else None


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
