"""From a question and its passages to an answer that can be believed: judge each, mark, answer from the best, cite, verify."""

import re
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from rag import text as texts
from rag.answering import citations, evidence
from rag.answering.prompt import Phrases
from rag.judging import ranking
from rag.types import (
    Answer,
    Citation,
    Document,
    Embedder,
    Event,
    Found,
    Judge,
    Judgement,
    Marked,
    Passage,
    Reader,
    Receipt,
    Sentence,
    Span,
    SupportCheck,
    Token,
)

# Below this probability of support a sentence is not shown.
_LEAST_SUPPORT = 0.1
_MARKER = re.compile(r"\s*\[\d+\]")
_AROUND = re.compile(r"^\W+|\W+$")


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
    receipt: Receipt,
) -> Iterator[Event]:
    """What was found, the words that answer, the answer piece by piece, then the `Answer`, which is always the last event."""
    clock = _Clock(receipt)
    yield Found(tuple(passages))
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
    for piece in _without_refusal(tools.reader().answer(question, best.passage.text, phrases.instruction), phrases.none):
        if not written:
            clock.lap("first_token")
        written += piece
        yield Token(piece)
    clock.lap("write")
    sentences = _supported(_claims(written, language, phrases.none), language, best.passage, tools)
    clock.lap("cite")
    value = replace(_compose(blank, sentences), marked=marked) if any(s.supported for s in sentences) else blank
    yield replace(value, dropped=tuple(s.text for s in sentences if not s.supported), receipt=clock.receipt)


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
    return next(iter(_cite(best.passage, [span], tools)), None) if span else None


def _without_refusal(pieces: Iterator[str], none: str) -> Iterator[str]:
    """The pieces, or nothing at all where the model writes what it was told to write when the text does not answer."""
    held = ""
    for piece in pieces:
        held += piece
        if not _may_be_refusal(held, none):
            yield held
            break
    else:
        if held and not _is_refusal(held, none):
            yield held
        return
    yield from pieces


def _plain(text: str) -> str:
    return _AROUND.sub("", text).casefold()


def _may_be_refusal(text: str, none: str) -> bool:
    """Whether the text so far is the refusal or the beginning of it."""
    return _plain(none).startswith(_plain(text)) or _is_refusal(text, none)


def _is_refusal(text: str, none: str) -> bool:
    return _plain(text) == _plain(none)


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


def _claims(written: str, language: str, none: str) -> list[str]:
    """The sentences that say something, without markers: those are the program's, and a document's `[33]` looks like one."""
    plain = _MARKER.sub("", written)
    spans = texts.sentences(plain, language)
    claims = [texts.normalise(plain[span.start : span.end]) for span in spans]
    return [claim for claim in claims if texts.words(claim, language) and not _is_refusal(claim, none)]


def _supported(claims: Sequence[str], language: str, passage: Passage, tools: Tools) -> list[Sentence]:
    """The answer's sentences, each with the passage's sentences that support it, verified against the stored original."""
    spans = texts.sentences(passage.text, passage.language)
    if not claims or not spans:
        return []
    sentences = [passage.text[span.start : span.end] for span in spans]
    # Both sides as queries: e5 compares like with like under one prefix.
    vectors = tools.embedder.embed_queries([*claims, *sentences])
    words = [texts.words(sentence, passage.language) for sentence in sentences]
    found: list[Sentence] = []
    for number, (claim, support) in enumerate(zip(claims, _support(claims, passage, tools), strict=True)):
        chosen = evidence.select(texts.words(claim, language), vectors[number], words, vectors[len(claims) :])
        named = language != passage.language or evidence.names_occur(claim, passage.text, language)
        numbered = evidence.numbers_occur(claim, passage.text)
        supported = named and numbered and (support is None or support >= _LEAST_SUPPORT)
        found.append(Sentence(claim, _cite(passage, [spans[i] for i in chosen], tools) if supported else (), support))
    return found


def _support(claims: Sequence[str], passage: Passage, tools: Tools) -> Sequence[float | None]:
    """For each claim the probability that the passage supports it; None where nobody can say."""
    if tools.support is None:
        return [None] * len(claims)
    return tools.support.supports([(claim, passage.text) for claim in claims])


def _cite(passage: Passage, spans: Sequence[Span], tools: Tools) -> tuple[Citation, ...]:
    """The citations of these ranges of the passage. One that does not verify is not made."""
    document = tools.original(passage.document_id)
    if document is None:
        return ()
    places = [Span(passage.start + span.start, passage.start + span.end) for span in spans]
    made = [citations.cite(document, place) for place in places]
    inside = [passage.text[span.start : span.end] for span in spans]
    return tuple(c for c, text in zip(made, inside, strict=True) if c.text == text and citations.verifies(c, document))


def _compose(blank: Answer, sentences: Sequence[Sentence]) -> Answer:
    """The answered `Answer`: its supported sentences with their markers, and the citations they number, each once."""
    sentences = [sentence for sentence in sentences if sentence.supported]
    cited = tuple(dict.fromkeys(citation for sentence in sentences for citation in sentence.citations))
    number = {citation: n for n, citation in enumerate(cited, 1)}
    marked = [" ".join((s.text, *(f"[{number[c]}]" for c in s.citations))) for s in sentences]
    return replace(blank, answered=True, text=" ".join(marked), sentences=tuple(sentences), citations=cited)
