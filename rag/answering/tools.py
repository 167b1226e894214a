"""What answering works with: the models and the documents, as the engine has them."""

from collections.abc import Callable
from dataclasses import dataclass

from rag.types import Document, Embedder, Judge, Reader, SupportCheck


@dataclass(frozen=True, slots=True)
class Tools:
    """What answering works with.

    `reader` gives the language model, once it is loaded: the judge does not wait for it. `support` is None where the judge
    cannot check claims. `original` gives a stored document, from which every citation is verified.
    """

    judge: Judge
    support: SupportCheck | None
    reader: Callable[[], Reader]
    embedder: Embedder
    original: Callable[[str], Document | None]
