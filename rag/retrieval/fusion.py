"""One score from two opinions: how near a chunk's meaning is to the question, and how much of its words it has. Pure.

The lexical side counts by *coverage*: BM25 divided by what the question's words say altogether (`LexicalIndex.information`),
where a word that no chunk has says most. A question in the documents' own language is covered to a half and more by the chunk
that answers it; one in another language hardly at all, save for its names and numbers. So how far words are trusted follows
from each question and chunk, and nothing has to know which languages are spoken.

Where documents of several languages lie together, only those in the question's could gain by words, and would push down the
others, however near. So a chunk gains by what it covers beyond what is usual for near chunks of its own language.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

# What a covered question weighs, in spreads of cosines between chunks. On the development sets 2 to 4 are alike: idkmrc is best
# from 2 to 3, belebele from 4 to 6, and from 4 on some sets fall below what meaning alone does (`benchmarks/RESULTS.md`).
WEIGHT = 3.0
# The near chunks of a language whose mean coverage is usual there. Questions against four languages at once, all counting:
# dense .539, hybrid .507 with nothing usual, .572 with 10, .595 with 5. Within one language it makes no difference.
_NEAR = 5
# With fewer pairs of chunks their spread says nothing, and the default embedder's is taken (0.019 to 0.027 on seven corpora).
_LEAST_PAIRS = 300
_USUAL_SPREAD = 0.024
# Chunks that are compared with one another for it.
_COMPARED = 512

# Of each chunk: names, or numbers that stand for them.
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
    """A score for each candidate, to rank by: its cosine, raised or lowered by what it covers of the question's words.

    `dense` are cosines, `lexical` BM25 scores and `languages` those of the documents, of the same chunks; `information` is what
    the question's words say. `spread` is that of the index, by the function of this name.
    """
    if information <= 0:
        return dense
    coverage = lexical / np.float32(information)
    return dense + np.float32(weight * spread) * (coverage - _usual(coverage, dense, languages))


def spread(vectors: NDArray[np.float32], languages: Languages) -> float:
    """The standard deviation of the cosines between chunks of one language: what a difference of cosines is measured in.

    `vectors` are those of chunks drawn at random, `languages` those of their documents. Embedders differ in it.
    The spread of each question's own cosines does no better, and that of several languages together is half as much again.
    """
    step = max(1, len(vectors) // _COMPARED)
    vectors, spoken = vectors[::step], np.asarray(languages)[::step]
    same = np.triu(spoken[:, None] == spoken[None, :], 1)
    return float((vectors @ vectors.T)[same].std()) if same.sum() >= _LEAST_PAIRS else _USUAL_SPREAD


def _usual(coverage: NDArray[np.float32], dense: NDArray[np.float32], languages: Languages) -> NDArray[np.float32]:
    """For each candidate the mean coverage of the candidates of its language that are nearest in meaning."""
    spoken = np.asarray(languages)
    usual = np.zeros_like(coverage)
    for language in np.unique(spoken):
        rows = np.flatnonzero(spoken == language)
        nearest = rows[np.argsort(-dense[rows], kind="stable")[:_NEAR]]
        usual[rows] = coverage[nearest].mean()
    return usual
