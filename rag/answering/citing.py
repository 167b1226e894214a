"""A citation is a claim about bytes: these words stand there. Pure.

Which sentences of a passage a sentence of the answer rests on. Pure: vectors come in, ranges go out.

From what was written to sentences that each stand on words of the passage: chosen, checked, verified, numbered.

What the judge marked and the language model did not say, in the document's own words.
"""

import re
from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from rag import text as texts
from rag.answering import writing
from rag.answering.choosing import Choice, Tools
from rag.answering.prompt import Phrases
from rag.judging import scoring
from rag.types import Answer, Citation, Document, Passage, Sentence, Span


def citation_of(document: Document, span: Span) -> Citation:
    """The citation of a range of the document's original text."""
    text = document.text[span.start : span.end]
    return Citation(document.id, document.path, document.sha256, span.start, span.end, text, document.page(span.start))


def verifies(citation: Citation, document: Document | None) -> bool:
    """Whether the cited words stand, word for word, at the cited place of the very document that is stored."""
    if document is None or not citation.text.strip():
        return False
    same = citation.document_id == document.id and citation.path == document.path and citation.sha256 == document.sha256
    inside = 0 <= citation.start < citation.end <= len(document.text)
    return same and inside and document.text[citation.start : citation.end] == citation.text


# Added to the cosine for the share of the claim's words that a sentence has: names and numbers count where meanings tie.
_WORDS_WEIGHT = 0.3
# Languages that write every noun with a capital letter: there a capital does not make a name.
_NOUNS_HAVE_CAPITALS = frozenset({"de", "lb"})
# Letters at its end in which a name may differ: `Venezuelan`, `Jakartas`, `Moskwy`; so many must be left.
_ENDING, _LEAST_STEM = 3, 4
# A model writes out what the text abbreviates: so many of a claim's names may be its own.
_LEAST_NAMES = 0.5
# A further sentence is cited where it has at least this share of the claim's words that the ones before it lack.
_ADDS = 0.25
_MOST = 2
# And so many words at least; also of each passage, where the answer was taken from several.
_LEAST_SHARED = 2
# The share of the marked words that an answer has that repeats them.
_REPEATED = 0.8
_WORD = re.compile(r"[^\W\d_]+")


def select(
    claim_words: Sequence[str],
    claim_vector: NDArray[np.float32],
    sentence_words: Sequence[Sequence[str]],
    sentence_vectors: NDArray[np.float32],
    sources: Sequence[int] | None = None,
) -> list[int]:
    """Indexes of the sentences that support the claim best, ascending: one, or two where both have words of it.

    Vectors are unit vectors, (dimension,) and (sentences, dimension). Where the sentences come from several `sources`, a number
    for each, the best of every source that shares words with the claim is among them: a comparison rests on both sides.
    """
    claim = frozenset(claim_words)
    having = [claim & frozenset(words) for words in sentence_words]
    cosines = sentence_vectors @ claim_vector
    shares = np.array([len(words) / max(1, len(claim)) for words in having])
    order = np.argsort(-(cosines + _WORDS_WEIGHT * shares), kind="stable").tolist()
    if sources and len(set(sources)) > 1:
        best = {source: next(index for index in order if sources[index] == source) for source in set(sources)}
        return sorted({order[0]} | {index for index in best.values() if len(having[index]) >= _LEAST_SHARED})
    return _adding(order, having, max(_LEAST_SHARED, _ADDS * len(claim)))


def _adding(order: Sequence[int], having: Sequence[AbstractSet[str]], least: float) -> list[int]:
    """The first, and the next one that has at least `least` words which it lacks."""
    chosen, covered = [order[0]], having[order[0]]
    for index in order[1:]:
        if len(chosen) == _MOST:
            break
        if len(having[index] - covered) >= least:
            chosen.append(index)
            covered |= having[index]
    return sorted(chosen)


def repeats(said: Sequence[str], marked: AbstractSet[str]) -> bool:
    """Whether nearly all of the marked words are said."""
    return len(marked & frozenset(said)) >= _REPEATED * len(marked)


def numbers_occur(claim: str, evidence: str) -> bool:
    """Whether every number of the claim stands in the evidence: the one kind of error that is cheap to be sure of."""
    return scoring.shared_numbers(claim, evidence) == 1


def names_occur(claim: str, evidence: str, language: str) -> bool:
    """Whether at least half of the claim's names stand in the evidence, but for their endings. Both are in the same `language`.

    A name is a word with a capital letter that does not begin the claim.
    """
    if language in _NOUNS_HAVE_CAPITALS:
        return True
    words = _WORD.findall(claim)
    names = [word.casefold() for word in words[1:] if word[0].isupper()]
    there = {word.casefold() for word in _WORD.findall(evidence)}
    found = sum(any(_same_name(name, word) for word in there) for name in names)
    return found >= _LEAST_NAMES * len(names)


def _same_name(one: str, other: str) -> bool:
    """Whether the two are the same but for their endings."""
    shorter = min(len(one), len(other))
    if shorter <= _LEAST_STEM:
        return one == other
    stem = max(_LEAST_STEM, shorter - _ENDING)
    return one[:stem] == other[:stem]


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
        chosen = select(texts.words(claim, language), vectors[number], words, vectors[len(claimed) :], sources)
        named = across or names_occur(claim, read, language)
        numbered = numbers_occur(claim, read)
        addressed = not writing.foreign(claim, read)
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
    made = citation_of(document, Span(passage.start + span.start, passage.start + span.end))
    same = made.text == passage.text[span.start : span.end]
    return made if same and verifies(made, document) else None


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
    return repeats(texts.words(" ".join(said), passage.language), words - asked or words)


def _quote(passage: Passage, marked: Span, tools: Tools) -> Sentence | None:
    """The sentences around the marked words, which cite themselves; None where that does not verify."""
    around = [s for s in texts.sentences(passage.text, passage.language) if s.start < marked.end and marked.start < s.end]
    place = Span(around[0].start, around[-1].end) if around else marked
    place = place if place.end - place.start <= _LONGEST else marked
    cited = cite([(passage, place)], tools)
    return Sentence(f"“{texts.normalise(passage.text[place.start : place.end])}”", cited, 1.0) if cited else None
