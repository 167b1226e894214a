"""Passages that the project's own retrieval ranks high and that do not answer: what a judge must tell from those that do."""

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

# A negative is drawn from the first so many passages that do not answer.
_DEPTH = 6
# Chance that a passage that is short enough is read whole, and not as the product would cut it.
_WHOLE, _SHORT = 0.35, 1100
# Shorter answers stand in too many passages by chance to say that one answers.
_LEAST_ANSWER = 3


class Miner:
    """The chunks of one source's passages, searched as the product searches them. `home` keeps the index for the next run."""

    def __init__(self, engine: Engine, passages: Sequence[str], home: Path, progress: Progress) -> None:
        self._chunks = {passage: _cut(passage, engine) for passage in dict.fromkeys(passages)}
        self.texts = list(dict.fromkeys(p[s.start : s.end] for p, spans in self._chunks.items() for s in spans))
        corpus = tuple(CorpusPassage(str(i), text) for i, text in enumerate(self.texts))
        self._ranker = IndexRanker(engine, Dataset(corpus, (), 0), home, progress)

    def examples(self, asked: Asked, rng: random.Random) -> list[Asked]:
        """The question with its passage as a reader would get it, and with one that ranks high and does not answer."""
        spans = self._chunks[asked.passage]
        whole = len(asked.passage) <= _SHORT and rng.random() < _WHOLE
        if whole or len(spans) == 1:
            return [asked, *self._negative(asked, rng)]
        if not asked.answers:  # nobody knows which chunk was meant, to answer or not to
            return [_within(asked, rng.choice(spans))] if asked.answers == () else [asked, *self._negative(asked, rng)]
        holding = [s for s in spans if any(s.start <= a.start and a.end <= s.end for a in asked.answers)]
        return [*(_within(asked, s) for s in holding[:1]), *self._negative(asked, rng)]

    def _negative(self, asked: Asked, rng: random.Random) -> list[Asked]:
        if asked.answers == ():
            return []
        answers = {asked.passage[a.start : a.end].casefold() for a in asked.answers or ()}
        ranked = self._ranker.rank(asked.question, "hybrid", _DEPTH + 8)
        others = [text for text in (self.texts[int(i)] for i in ranked) if not _answers(text, answers, asked.passage)]
        # The nearer the more often: half of the draws are of the first two.
        return [Asked(asked.source, asked.question, others[_near(rng, len(others))], ())] if others else []


def _near(rng: random.Random, count: int) -> int:
    return min(int(rng.expovariate(0.35)), min(count, _DEPTH) - 1)


def _answers(text: str, answers: set[str], gold: str) -> bool:
    """Whether the text may answer: it holds an answer's words, or it is of the passage that does and nobody said where."""
    low = text.casefold()
    if text in gold:
        return not answers or any(answer in low for answer in answers)
    return any(answer in low for answer in answers if len(answer) >= _LEAST_ANSWER)


def _within(asked: Asked, span: Span) -> Asked:
    inside = [a for a in asked.answers or () if span.start <= a.start and a.end <= span.end]
    moved = tuple(Span(a.start - span.start, a.end - span.start) for a in inside)
    return Asked(asked.source, asked.question, asked.passage[span.start : span.end], moved)


def _cut(passage: str, engine: Engine) -> list[Span]:
    """The ranges that the product would make of the passage."""
    name = hashlib.sha256(passage.encode()).hexdigest()
    document = Document(name, name, name, "text/plain", detect(passage), "", passage)
    cut = chunking.chunk(document, engine.models.embedder.token_starts(passage), engine.chunking)
    return [Span(chunk.start, chunk.end) for chunk in cut]
