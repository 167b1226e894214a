"""From what was written to sentences that each stand on words of the passage: chosen, checked, verified, numbered."""

import re
from collections.abc import Sequence
from dataclasses import replace

from rag import text as texts
from rag.answering import addresses, citations, evidence
from rag.answering.prompt import Phrases
from rag.answering.tools import Tools
from rag.types import Answer, Citation, Document, Passage, Sentence, Span

# Below this probability of support a sentence is unsupported.
_LEAST_SUPPORT = 0.1
_MARKER = re.compile(r"\s*\[\d+\]")
# Stands after a sentence that is shown though nothing supports it.
UNSUPPORTED = "⚠"
# Stands at the end of a sentence that has none.
_CUT = "…"


def claims(written: str, language: str) -> list[str]:
    """The sentences that say something, without markers: those are the program's, and a document's `[33]` looks like one."""
    plain = _MARKER.sub("", written)
    spans = texts.sentences(plain, language)
    said = [texts.normalise(plain[span.start : span.end]) for span in spans]
    return [claim for claim in said if texts.words(claim, language)]


def finished(claimed: Sequence[str]) -> list[str]:
    """The claims of an answer that was cut, without the last where that has no end. One alone stays, and is marked by `…`."""
    *before, last = claimed or [""]
    if not last or texts.is_ended(last):
        return list(claimed)
    return before or [last + _CUT]


def sentences(claimed: Sequence[str], language: str, passages: Sequence[Passage], tools: Tools) -> list[Sentence]:
    """The answer's sentences, each with the passages' sentences that support it, verified against the stored original."""
    found_in = [texts.sentences(passage.text, passage.language) for passage in passages]
    places = [(passage, span) for passage, spans in zip(passages, found_in, strict=True) for span in spans]
    if not claimed or not places:
        return []
    said = [passage.text[span.start : span.end] for passage, span in places]
    # Both sides as queries: e5 compares like with like under one prefix.
    vectors = tools.embedder.embed_queries([*claimed, *said])
    words = [texts.words(sentence, passage.language) for sentence, (passage, _) in zip(said, places, strict=True)]
    sources = [number for number, spans in enumerate(found_in) for _ in spans]
    read = "\n".join(passage.text for passage in passages)
    across = any(passage.language != language for passage in passages)
    found: list[Sentence] = []
    for number, (claim, support) in enumerate(zip(claimed, _support(claimed, read, tools), strict=True)):
        chosen = evidence.select(texts.words(claim, language), vectors[number], words, vectors[len(claimed) :], sources)
        named = across or evidence.names_occur(claim, read, language)
        numbered = evidence.numbers_occur(claim, read)
        addressed = not addresses.foreign(claim, read)
        supported = named and numbered and addressed and (support is None or support >= _LEAST_SUPPORT)
        found.append(Sentence(claim, cite([places[i] for i in chosen], tools) if supported else (), support))
    return found


def _support(claimed: Sequence[str], read: str, tools: Tools) -> Sequence[float | None]:
    """For each claim the probability that what was read supports it; None where nobody can say."""
    if tools.support is None:
        return [None] * len(claimed)
    return tools.support.supports([(claim, read) for claim in claimed])


def cite(places: Sequence[tuple[Passage, Span]], tools: Tools) -> tuple[Citation, ...]:
    """The citations of these ranges of passages. One that does not verify is not made."""
    documents = {name: tools.original(name) for name in {passage.document_id for passage, _ in places}}
    return tuple(made for passage, span in places if (made := _cited(passage, span, documents[passage.document_id])))


def _cited(passage: Passage, span: Span, document: Document | None) -> Citation | None:
    if document is None:
        return None
    made = citations.cite(document, Span(passage.start + span.start, passage.start + span.end))
    same = made.text == passage.text[span.start : span.end]
    return made if same and citations.verifies(made, document) else None


def compose(blank: Answer, written: Sequence[Sentence], phrases: Phrases, *, flagging: bool) -> Answer:
    """The answered `Answer` of sentences of which one at least is supported, with the citations they number, each once.

    The unsupported ones are left out or, where `flagging`, shown with a mark; `note` says so.
    """
    shown = [sentence for sentence in written if sentence.supported or flagging]
    cited = tuple(dict.fromkeys(citation for sentence in shown for citation in sentence.citations))
    number = {citation: n for n, citation in enumerate(cited, 1)}
    marked = [" ".join((s.text, *([f"[{number[c]}]" for c in s.citations] or [UNSUPPORTED]))) for s in shown]
    missing = [sentence.text for sentence in written if not sentence.supported]
    note = "" if not missing else phrases.flagged if flagging else phrases.dropped
    dropped = () if flagging else tuple(missing)
    whole = " ".join(marked)
    return replace(blank, answered=True, text=whole, sentences=tuple(shown), citations=cited, dropped=dropped, note=note)
