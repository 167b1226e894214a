"""Which sentences of a passage a sentence of the answer rests on. Pure: vectors come in, ranges go out."""

import re
from collections.abc import Sequence
from collections.abc import Set as AbstractSet

import numpy as np
from numpy.typing import NDArray

from rag.judging import wording

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
    return wording.shared_numbers(claim, evidence) == 1


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
