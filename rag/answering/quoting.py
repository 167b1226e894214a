"""What the judge marked and the language model did not say, in the document's own words."""

from collections.abc import Iterator, Sequence

from rag import text as texts
from rag.answering import citing, evidence
from rag.answering.choosing import Choice
from rag.answering.tools import Tools
from rag.types import Passage, Sentence, Span

# Characters of a quoted sentence, beyond which (a table may be one) only the marked words are quoted.
_LONGEST = 400


def quotes(question: str, language: str, choice: Choice, sentences: Sequence[Sentence], tools: Tools) -> Iterator[Sentence]:
    """A sentence for each passage whose marked words no supported sentence repeats.

    Where the judge and the language model read a passage differently both are shown, and the quote cannot be wrong. In another
    language than the passage's nothing can be repeated, and half an answer need not be: there quotes stand only for an answer
    that nothing supports.
    """
    said = [sentence.text for sentence in sentences if sentence.supported]
    for verdict in choice.chosen:
        passage, marked = verdict.passage, verdict.judgement.span
        other = choice.halves or passage.language != language
        if marked is None or (said and (other or _repeats(said, passage, marked, question))):
            continue
        if quote := _quote(passage, marked, tools):
            yield quote


def _repeats(said: Sequence[str], passage: Passage, marked: Span, question: str) -> bool:
    words = frozenset(texts.words(passage.text[marked.start : marked.end], passage.language))
    # What the question names is in every answer.
    asked = frozenset(texts.words(question, passage.language))
    return evidence.repeats(texts.words(" ".join(said), passage.language), words - asked or words)


def _quote(passage: Passage, marked: Span, tools: Tools) -> Sentence | None:
    """The sentences around the marked words, which cite themselves; None where that does not verify."""
    around = [s for s in texts.sentences(passage.text, passage.language) if s.start < marked.end and marked.start < s.end]
    place = Span(around[0].start, around[-1].end) if around else marked
    place = place if place.end - place.start <= _LONGEST else marked
    cited = citing.cite([(passage, place)], tools)
    return Sentence(f"“{texts.normalise(passage.text[place.start : place.end])}”", cited, 1.0) if cited else None
