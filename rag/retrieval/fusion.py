"""One score from two opinions: how near a chunk's meaning is to the question, and how much of its words it has. Pure.

The lexical side counts by *coverage*: BM25 divided by what the question's words say altogether (`LexicalIndex.information`),
where a word that no chunk has says most. A question in the documents' own language is covered to a half and more by the chunk
that answers it; one in another language hardly at all, save for its names and numbers. So how far words are trusted follows
from each question and chunk, and nothing has to know which languages are spoken.
"""

import numpy as np
from numpy.typing import NDArray

_WEIGHT = 8.0
_SHARPNESS = 1.5


def fuse(dense: NDArray[np.float32], lexical: NDArray[np.float32], *, information: float, spread: float) -> NDArray[np.float32]:
    """A score for each candidate, to rank by: its cosine, raised by what it covers of the question's words.

    `dense` are cosines and `lexical` BM25 scores of the same chunks; `information` is what the question's words say. `spread`
    is the standard deviation of the question's cosine over chunks at large: what differences in `dense` are measured in.
    """
    if information <= 0:
        return dense
    return dense + np.float32(_WEIGHT * spread) * (lexical / np.float32(information)) ** np.float32(_SHARPNESS)
