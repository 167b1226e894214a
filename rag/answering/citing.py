"""From the text that the model wrote to sentences with verified citations.

Each sentence is a claim. `sentences` finds the passage sentences that support it and checks it: its names, numbers and
addresses must be in what was read, and the judge must not deny it. A citation is kept only if exactly its words are at the
cited place of the stored document. `compose` numbers the citations; `quotes` adds, in the document's own words, what the judge
marked and the model did not say.
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

# Below this probability of support a sentence is unsupported.
_LEAST_SUPPORT = 0.1
# Shown after a sentence that nothing supports, if such sentences are shown.
UNSUPPORTED = "⚠"
# Shown after a sentence that was cut before its end.
_CUT = "…"
# In an answer, `[n]` refers to its nth citation.
MARKER = re.compile(r"\[(\d+)\]")


def without_markers(text: str) -> str:
    """The text without the markers of citations, and without the white space before each."""
    return re.sub(rf"\s*{MARKER.pattern}", "", text)


def claims(written: str, language: str) -> list[str]:
    """The sentences that say something, without markers.

    Only the program sets markers, and a note `[33]` that the model copied from a document looks like one.
    """
    plain = without_markers(written)
    spans = texts.sentences(plain, language)
    said = [texts.normalise(plain[span.start : span.end]) for span in spans]
    return [claim for claim in said if texts.words(claim, language)]


def finished(claimed: Sequence[str]) -> list[str]:
    """The claims of an answer that was cut, without an unfinished last one. If it is the only one, it stays and ends in `…`."""
    *before, last = claimed or [""]
    if not last or texts.is_ended(last):
        return list(claimed)
    return before or [last + _CUT]


def sentences(
    claimed: Sequence[str], language: str, phrases: Phrases, passages: Sequence[Passage], tools: Tools
) -> list[Sentence]:
    """The answer's sentences, each with the passage sentences that support it, verified against the stored original."""
    found_in = [texts.sentences(passage.text, passage.language) for passage in passages]
    places = [(passage, span) for passage, spans in zip(passages, found_in, strict=True) for span in spans]
    if not claimed or not places:
        return []
    said = [passage.text[span.start : span.end] for passage, span in places]
    # Both sides as queries: e5 compares texts of one kind under one prefix.
    vectors = tools.embedder.embed_queries([*claimed, *said])
    words = [texts.words(sentence, passage.language) for sentence, (passage, _) in zip(said, places, strict=True)]
    sources = [number for number, spans in enumerate(found_in) for _ in spans]
    read = "\n".join(passage.text for passage in passages)
    across = any(passage.language != language for passage in passages)
    found: list[Sentence] = []
    for number, (claim, support) in enumerate(zip(claimed, _support(claimed, read, tools), strict=True)):
        chosen = select(texts.words(claim, language), vectors[number], words, vectors[len(claimed) :], sources)
        named = across or names_occur(claim, read, phrases)
        numbered = numbers_occur(claim, read)
        addressed = not writing.foreign(claim, read)
        supported = named and numbered and addressed and (support is None or support >= _LEAST_SUPPORT)
        found.append(Sentence(claim, cite([places[i] for i in chosen], tools) if supported else (), support))
    return found


def _support(claimed: Sequence[str], read: str, tools: Tools) -> Sequence[float | None]:
    """For each claim the probability that what was read supports it; None if the judge cannot check claims."""
    if tools.support is None:
        return [None] * len(claimed)
    return tools.support.supports([(claim, read) for claim in claimed])


def compose(blank: Answer, written: Sequence[Sentence], phrases: Phrases, *, flagging: bool) -> Answer:
    """The answer of these sentences, of which at least one is supported. Citations are numbered, each once.

    Unsupported sentences are left out or, with `flagging`, shown with a mark; `note` says so.
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


# Citations


def cite(places: Sequence[tuple[Passage, Span]], tools: Tools) -> tuple[Citation, ...]:
    """The citations of these ranges of passages, without those that do not verify."""
    documents = {name: tools.original(name) for name in {passage.document_id for passage, _ in places}}
    return tuple(made for passage, span in places if (made := _cited(passage, span, documents[passage.document_id])))


def _cited(passage: Passage, span: Span, document: Document | None) -> Citation | None:
    if document is None:
        return None
    made = citation_of(document, Span(passage.start + span.start, passage.start + span.end))
    same = made.text == passage.text[span.start : span.end]
    return made if same and verifies(made, document) else None


def citation_of(document: Document, span: Span) -> Citation:
    """The citation of a range of the document's original text."""
    text = document.text[span.start : span.end]
    return Citation(document.id, document.path, document.sha256, span.start, span.end, text, document.page(span.start))


def verifies(citation: Citation, document: Document | None) -> bool:
    """Whether exactly the cited words are at the cited place of this stored document, and it is the document cited."""
    if document is None or not citation.text.strip():
        return False
    same = citation.document_id == document.id and citation.path == document.path and citation.sha256 == document.sha256
    inside = 0 <= citation.start < citation.end <= len(document.text)
    return same and inside and document.text[citation.start : citation.end] == citation.text


# Which sentences a claim rests on

# Weight of the share of the claim's words that a sentence has, added to the cosine: names and numbers decide between sentences
# of like meaning.
_WORDS_WEIGHT = 0.3
# A second sentence is cited if it has at least so many of the claim's words that the first lacks: this share, and this number.
# Of several passages, each that shares this number of words with the claim is cited.
_ADDS, _LEAST_SHARED = 0.25, 2
_MOST = 2


def select(
    claim_words: Sequence[str],
    claim_vector: NDArray[np.float32],
    sentence_words: Sequence[Sequence[str]],
    sentence_vectors: NDArray[np.float32],
    sources: Sequence[int] | None = None,
) -> list[int]:
    """Indexes of the sentences that support the claim best, ascending: one, or two if both add words of it.

    Vectors are unit vectors, of shape (dimension,) and (sentences, dimension). `sources` has the number of each sentence's
    passage. If there are several, the best sentence of each passage that shares words with the claim is included: a comparison
    rests on both sides.
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
    """The first sentence, and the next one with at least `least` words that the first lacks."""
    chosen, covered = [order[0]], having[order[0]]
    for index in order[1:]:
        if len(chosen) == _MOST:
            break
        if len(having[index] - covered) >= least:
            chosen.append(index)
            covered |= having[index]
    return sorted(chosen)


# Checks of a claim

# Names may differ in so many letters at the end, as in `Venezuelan`, `Jakartas`, `Moskwy`; at least so many must be equal.
_ENDING, _LEAST_STEM = 3, 4
# The share of a claim's names that must occur: a model spells out what the text abbreviates.
_LEAST_NAMES = 0.5
_WORD = re.compile(r"[^\W\d_]+")


def numbers_occur(claim: str, evidence: str) -> bool:
    """Whether every number of the claim is in the evidence. A wrong number is the one error that is cheap to be sure of."""
    return scoring.shared_numbers(claim, evidence) == 1


def names_occur(claim: str, evidence: str, phrases: Phrases) -> bool:
    """Whether at least half of the claim's names are in the evidence, apart from their endings.

    Both are in the language of `phrases`. A name is a word with a capital letter that does not begin the claim.
    """
    if phrases.nouns_capitalised:
        return True
    words = _WORD.findall(claim)
    names = [word.casefold() for word in words[1:] if word[0].isupper()]
    there = {word.casefold() for word in _WORD.findall(evidence)}
    found = sum(any(_same_name(name, word) for word in there) for name in names)
    return found >= _LEAST_NAMES * len(names)


def _same_name(one: str, other: str) -> bool:
    """Whether the two are equal apart from their endings."""
    shorter = min(len(one), len(other))
    if shorter <= _LEAST_STEM:
        return one == other
    stem = max(_LEAST_STEM, shorter - _ENDING)
    return one[:stem] == other[:stem]


# Quotes

# The longest sentence that is quoted, in characters. Of a longer one (a table may be one) only the marked words are quoted.
_LONGEST = 400
# An answer repeats the marked words if it has this share of them.
_REPEATED = 0.8


def quotes(question: str, language: str, choice: Choice, sentences: Sequence[Sentence], tools: Tools) -> Iterator[Sentence]:
    """A quote from each chosen passage whose marked words no supported sentence repeats.

    If the judge and the language model read a passage differently, both readings are shown, and a quote cannot be wrong.
    Sentences cannot repeat words of another language, and half an answer need not be repeated: then a quote is made only if no
    sentence is supported.
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
    """Whether the sentences have nearly all of the marked words that the question does not have."""
    words = frozenset(texts.words(passage.text[marked.start : marked.end], passage.language))
    # The question's own words are in every answer.
    words = words - frozenset(texts.words(question, passage.language)) or words
    return len(words & frozenset(texts.words(" ".join(said), passage.language))) >= _REPEATED * len(words)


def _quote(passage: Passage, marked: Span, tools: Tools) -> Sentence | None:
    """The sentences around the marked words, citing themselves; None if the citation does not verify."""
    around = [s for s in texts.sentences(passage.text, passage.language) if s.start < marked.end and marked.start < s.end]
    place = Span(around[0].start, around[-1].end) if around else marked
    place = place if place.end - place.start <= _LONGEST else marked
    cited = cite([(passage, place)], tools)
    return Sentence(f"“{texts.normalise(passage.text[place.start : place.end])}”", cited, 1.0) if cited else None
