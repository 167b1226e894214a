"""Which sentence of a passage a person looks at first: the one with most of the question's words. Pure."""

from collections import Counter
from collections.abc import Set as AbstractSet

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
