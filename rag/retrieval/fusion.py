"""Fuses the cosine similarity and the BM25 score of a chunk into one score to rank by. Pure.

The lexical side counts as *coverage*: BM25 divided by `Candidates.information`, to which a word that no chunk has contributes
most. A chunk that answers a question in its own language covers half of it or more; a question in another language is hardly
covered, apart from names and numbers. So the weight of words follows from each question and chunk, and no language needs to be
known.

Among documents of several languages, only those in the question's language could gain by words, and would push down the others,
however near. So only coverage above the typical value for nearby chunks of its own language raises a chunk's score.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

# The weight of full coverage, in spreads of cosines between chunks. On the development sets 2 to 4 are alike: idkmrc is best
# from 2 to 3, belebele from 4 to 6, and above 4 some sets fall below what meaning alone does (`benchmarks/RESULTS.md`).
WEIGHT = 4.0
# The nearest chunks of a language, whose mean coverage is the usual one there. Questions against four languages at once, all
# counting: dense .539, hybrid .507 with nothing usual, .572 with 10, .595 with 5. Within one language it makes no difference.
_NEAR = 5
# With fewer pairs of chunks the spread is not reliable; the default embedder's is used (0.019 to 0.027 on seven corpora).
_LEAST_PAIRS = 300
_USUAL_SPREAD = 0.024
# Chunks compared with one another to measure the spread.
_COMPARED = 512

# The language of each chunk: its name, or a number for it.
Languages = Sequence[str] | NDArray[np.int64]


def fuse(
    dense: NDArray[np.float32],
    lexical: NDArray[np.float32],
    languages: Languages,
    *,
    information: float,
    spread: float,
    weight: float = WEIGHT,
) -> NDArray[np.float32]:
    """A score for each candidate, to rank by: its cosine, raised or lowered by its coverage of the question's words.

    `dense` (cosines) and `lexical` (BM25 scores) have the shape (found,), as has the result; `languages` and `information` are
    those of `Candidates`. `spread` is that of the index, from the function of this name.
    """
    if information <= 0:
        return dense
    coverage = lexical / np.float32(information)
    return dense + np.float32(weight * spread) * (coverage - _usual(coverage, dense, languages))


def spread(vectors: NDArray[np.float32], languages: Languages) -> float:
    """The standard deviation of the cosines between chunks of one language: the unit for differences of cosines.

    `vectors`, of shape (chunks, dimension), are those of chunks drawn at random, `languages` those of their documents.
    Embedders differ in it. The spread of each question's own cosines does no better; across languages it is half as much again.
    """
    step = max(1, len(vectors) // _COMPARED)
    vectors, spoken = vectors[::step], np.asarray(languages)[::step]
    same = np.triu(spoken[:, None] == spoken[None, :], 1)
    return float((vectors @ vectors.T)[same].std()) if same.sum() >= _LEAST_PAIRS else _USUAL_SPREAD


def _usual(coverage: NDArray[np.float32], dense: NDArray[np.float32], languages: Languages) -> NDArray[np.float32]:
    """For each candidate, the mean coverage of the nearest candidates of its language, shape (found,)."""
    spoken = np.asarray(languages)
    usual = np.zeros_like(coverage)
    for language in np.unique(spoken):
        rows = np.flatnonzero(spoken == language)
        nearest = rows[np.argsort(-dense[rows], kind="stable")[:_NEAR]]
        usual[rows] = coverage[nearest].mean()
    return usual
