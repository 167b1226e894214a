"""From a question and its passages to a verified answer: judge, choose, mark, write, cite, verify, quote."""

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
    """Yields `Found`, then `Marked` if the judge marked an answer, `Token`s as it is written, and last the `Answer`.

    `language` is the question's, and `phrases` are of that language. Passages are in the order of retrieval. If none has
    `least_confidence`, the answer is a refusal. With `flagging`, unsupported sentences are shown with a mark. `receipt` gets
    the seconds of each stage.
    """
    yield Found(tuple(passages))
    # The clock starts here: the caller that got the passages may have waited for the model before it went on.
    clock = _Clock(receipt)
    choice = choosing.choose(question, phrases, passages, tools, least_confidence)
    clock.lap("judge")
    blank = _refusal(question, language, choice.order(passages), phrases, confidence=choice.confidence, receipt=receipt)
    if not choice.chosen:
        yield replace(blank, receipt=clock.receipt)
        return
    if marked := _marked(choice, tools):
        yield Marked(marked, choice.confidence)
    chosen = [verdict.passage for verdict in choice.chosen]
    pieces = tools.reader().answer(question, [passage.text for passage in chosen], phrases.instruction)
    written, cut = yield from _tokens(pieces, clock)
    clock.lap("write")
    claims = citing.claims(written, language)
    sentences = citing.sentences(citing.finished(claims) if cut else claims, language, phrases, chosen, tools)
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
    """A receipt to which the seconds of each stage are added."""

    def __init__(self, receipt: Receipt) -> None:
        self.receipt, self._since = receipt, time.perf_counter()

    def lap(self, stage: str) -> None:
        now = time.perf_counter()
        self.receipt = replace(self.receipt, seconds={**self.receipt.seconds, stage: round(now - self._since, 4)})
        self._since = now


def _tokens(pieces: Generator[str, None, bool], clock: _Clock) -> Generator[Token, None, tuple[str, bool]]:
    """Yields the pieces as they come. Returns the whole text, and whether it was cut."""
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
    """The citation of the words that the judge marked in the best passage; None if there are none or it does not verify."""
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
