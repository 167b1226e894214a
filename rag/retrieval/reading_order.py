"""Which sentence of a passage a person looks at first: the one with most of the question's words. Pure.

From ranked chunks to what is read: near-duplicates count once, neighbours are read as one. Pure.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from rag import text as texts
from rag.types import Span


def stems(text: str, language: str) -> frozenset[str]:
    """The words of a text as they are compared: without their endings."""
    return frozenset(texts.stems(texts.words(texts.normalise(text), language), language))


def best_sentence(asked: AbstractSet[str], passage: str, language: str) -> Span | None:
    """The sentence with most of the `asked` stems, each worth less the more have it; None if none does.

    Rough, but there at once (`benchmarks/best_sentence.py`): a judge that marks the answer knows better. A question in another
    language shares only names and numbers with a passage.
    """
    spans = texts.sentences(passage, language)
    having = [stems(passage[span.start : span.end], language) & asked for span in spans]
    common = Counter(stem for found in having for stem in found)
    worth = [sum(1 / common[stem] for stem in found) for found in having]
    return spans[worth.index(max(worth))] if common else None


# Words in a row whose sets are compared, and the share of a text's that make it a duplicate of a better one: an agency's report
# reprinted with another first line shares nearly all, two reports of one event far less than half.
_SHINGLE = 3
_SAME = 0.9


@dataclass(frozen=True, slots=True)
class Candidate:
    """A found chunk: its number (neighbours in a document have consecutive ones), its document's, and its words."""

    number: int
    document: int
    words: Sequence[str]


def arrange(ranked: Iterable[Candidate], count: int, most_joined: int) -> list[list[Candidate]]:
    """At most `count` groups of up to `most_joined` neighbours, ranked by their best chunk, which comes first in its group.

    A chunk beside one that is already taken joins it; one that says what a better one says is left out; the first that would
    need another place ends it. `ranked` is read no further.
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
    """Whether nearly all of the candidate stands in a better one. A title that ranks first does not hide what follows it."""
    return bool(candidate) and len(candidate & better) >= _SAME * len(candidate)


def _beside(group: Sequence[Candidate], candidate: Candidate) -> bool:
    numbers = [member.number for member in group]
    return group[0].document == candidate.document and candidate.number in {min(numbers) - 1, max(numbers) + 1}
