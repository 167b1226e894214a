"""Hard negatives: passages that the product's own retrieval ranks high but that do not answer."""

import hashlib
import random
from collections.abc import Sequence
from pathlib import Path

from rag.engine import Engine
from rag.evaluation.dataset import CorpusPassage, Dataset
from rag.evaluation.retrieval_eval import IndexRanker
from rag.indexing.protocol import Progress
from rag.ingestion import chunking
from rag.language import detect
from rag.types import Document, Span
from training.examples import Asked

# A negative is drawn from this many of the first passages that do not answer.
_DEPTH = 6
# The probability that a short passage is used whole, and the length in characters of a short passage; else it is a chunk, as in
# the product.
_WHOLE, _SHORT = 0.35, 1100
# Shorter answers occur in too many passages by chance.
_LEAST_ANSWER = 3


class Miner:
    """The chunks of a pool of passages, searched with the product's retrieval. `home` keeps the index for the next run."""

    def __init__(self, engine: Engine, passages: Sequence[str], home: Path, progress: Progress) -> None:
        self._chunks = {passage: _cut(passage, engine) for passage in dict.fromkeys(passages)}
        self.texts = list(dict.fromkeys(p[s.start : s.end] for p, spans in self._chunks.items() for s in spans))
        corpus = tuple(CorpusPassage(str(i), text) for i, text in enumerate(self.texts))
        self._ranker = IndexRanker(engine, Dataset(corpus, (), 0), home, progress)

    def examples(self, asked: Asked, rng: random.Random) -> list[Asked]:
        """The question with its passage, cut as in the product, and with a hard negative."""
        spans = self._chunks[asked.passage]
        whole = len(asked.passage) <= _SHORT and rng.random() < _WHOLE
        if whole or len(spans) == 1:
            return [asked, *self._negative(asked, rng)]
        if not asked.answers:  # it is unknown which chunk the label is about
            return [_within(asked, rng.choice(spans))] if asked.answers == () else [asked, *self._negative(asked, rng)]
        holding = [s for s in spans if any(s.start <= a.start and a.end <= s.end for a in asked.answers)]
        return [*(_within(asked, s) for s in holding[:1]), *self._negative(asked, rng)]

    def _negative(self, asked: Asked, rng: random.Random) -> list[Asked]:
        if asked.answers == ():
            return []
        answers = {asked.passage[a.start : a.end].casefold() for a in asked.answers or ()}
        ranked = self._ranker.rank(asked.question, "hybrid", _DEPTH + 8)
        others = [text for text in (self.texts[int(i)] for i in ranked) if not _answers(text, answers, asked.passage)]
        # Higher ranks are more likely: half of the draws are from the first two.
        return [Asked(asked.source, asked.question, others[_near(rng, len(others))], ())] if others else []


def _near(rng: random.Random, count: int) -> int:
    return min(int(rng.expovariate(0.35)), min(count, _DEPTH) - 1)


def _answers(text: str, answers: set[str], gold: str) -> bool:
    """Whether the text may answer: it contains an answer, or is a part of the answering passage with an unknown answer."""
    low = text.casefold()
    if text in gold:
        return not answers or any(answer in low for answer in answers)
    return any(answer in low for answer in answers if len(answer) >= _LEAST_ANSWER)


def _within(asked: Asked, span: Span) -> Asked:
    inside = [a for a in asked.answers or () if span.start <= a.start and a.end <= span.end]
    moved = tuple(Span(a.start - span.start, a.end - span.start) for a in inside)
    return Asked(asked.source, asked.question, asked.passage[span.start : span.end], moved)


def _cut(passage: str, engine: Engine) -> list[Span]:
    """The ranges of the chunks into which the product cuts the passage."""
    name = hashlib.sha256(passage.encode()).hexdigest()
    document = Document(name, name, name, "text/plain", detect(passage), "", passage)
    cut = chunking.chunk(document, engine.models.embedder.token_starts(passage), engine.chunking)
    return [Span(chunk.start, chunk.end) for chunk in cut]
