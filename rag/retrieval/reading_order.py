"""Arranges ranked chunks for reading, and chooses the sentence of a passage to look at first. Pure.

Near-duplicates are left out, and neighbouring chunks are joined.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from rag import text as texts
from rag.types import Span

# Length of the word sequences (shingles) that are compared, and the share of a text's that makes it a duplicate of a better
# one. An agency's report reprinted with another first line shares nearly all, two reports of one event far less than half.
_SHINGLE = 3
_SAME = 0.9


def stems(text: str, language: str) -> frozenset[str]:
    """The stems of a text's words, by which words are compared."""
    return frozenset(texts.stems(texts.words(texts.normalise(text), language), language))


def best_sentence(asked: AbstractSet[str], passage: str, language: str) -> Span | None:
    """The sentence of `passage` with most of the `asked` stems; None if no sentence has any.

    A stem counts less the more sentences have it. Rough but immediate (`benchmarks/best_sentence.py`); a judge that marks the
    answer is better. A question in another language shares only names and numbers with a passage.
    """
    spans = texts.sentences(passage, language)
    having = [stems(passage[span.start : span.end], language) & asked for span in spans]
    common = Counter(stem for found in having for stem in found)
    worth = [sum(1 / common[stem] for stem in found) for found in having]
    return spans[worth.index(max(worth))] if common else None


@dataclass(frozen=True, slots=True)
class Candidate:
    """A found chunk: its number (neighbours in a document have consecutive ones), its document's number, and its words."""

    number: int
    document: int
    words: Sequence[str]


def arrange(ranked: Iterable[Candidate], count: int, most_joined: int) -> list[list[Candidate]]:
    """At most `count` groups of up to `most_joined` neighbours, ranked by their best chunk, which comes first in its group.

    A near-duplicate of a better chunk is left out. A chunk beside a chosen one joins its group. The first that would need a
    group too many ends it: `ranked` is read no further.
    """
    groups: list[list[Candidate]] = []
    seen: list[frozenset[tuple[str, ...]]] = []
    for candidate in ranked:
        shingles = _shingles(candidate.words)
        if any(_said_by(other, shingles) for other in seen):
            continue
        beside = next((group for group in groups if len(group) < most_joined and _beside(group, candidate)), None)
        if beside is not None:
            beside.append(candidate)
        elif len(groups) < count:
            groups.append([candidate])
        else:
            break
        seen.append(shingles)
    return groups


def _shingles(words: Sequence[str]) -> frozenset[tuple[str, ...]]:
    return frozenset(tuple(words[i : i + _SHINGLE]) for i in range(max(1, len(words) - _SHINGLE + 1))) if words else frozenset()


def _said_by(better: frozenset[tuple[str, ...]], candidate: frozenset[tuple[str, ...]]) -> bool:
    """Whether nearly all of the candidate is in a better one. Not the reverse: a title that ranks first hides no text."""
    return bool(candidate) and len(candidate & better) >= _SAME * len(candidate)


def _beside(group: Sequence[Candidate], candidate: Candidate) -> bool:
    numbers = [member.number for member in group]
    return group[0].document == candidate.document and candidate.number in {min(numbers) - 1, max(numbers) + 1}
