"""Finds the passages for a question by meaning (vectors) and words (BM25), in any state of an index."""

from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from rag import text as texts
from rag.indexing.protocol import Listed, Mode, State
from rag.retrieval import fusion, reading_order
from rag.retrieval.reading_order import Candidate
from rag.types import Condition, Embedder, Passage, Span

# Chunks that each side proposes; both sides score every proposal.
DEPTH = 100
# Chunks drawn to measure the spread of cosines in this index; some hundred give it to a few percent.
_SAMPLED = 512
# Neighbouring chunks shown to a person as one passage, at most. A language model gets them one by one: its judgements were
# calibrated on single chunks, and the first one comes sooner.
_MOST_JOINED = 3


@dataclass(frozen=True, slots=True)
class Ranking:
    """Chunk numbers, best first, with the fused score and the score of each side: all of shape (found,)."""

    chunks: NDArray[np.int64]
    scores: NDArray[np.float32]
    dense: NDArray[np.float32]
    lexical: NDArray[np.float32]


class HybridRetriever:
    """Search over one state of an index. Safe to use from several threads."""

    def __init__(self, embedder: Embedder, state: State) -> None:
        self.state, self._embedder = state, embedder
        self._spread = fusion.spread(*state.sample(_SAMPLED))

    def search(
        self, question: str, language: str, count: int, where: Sequence[Condition] = (), *, joining: bool = True
    ) -> list[Passage]:
        """At most `count` passages, best first, without near-duplicates. `joining` makes neighbouring chunks one passage."""
        ranking = self.rank(question, language, max(DEPTH, count), where)
        found = {int(number): i for i, number in enumerate(ranking.chunks)}
        groups = reading_order.arrange(self._candidates(ranking.chunks), count, _MOST_JOINED if joining else 1)
        asked = reading_order.stems(question, language)
        return [_highlighted(self._passage(group, ranking, found[group[0].number]), asked) for group in groups]

    def rank(self, question: str, language: str, depth: int, where: Sequence[Condition] = (), mode: Mode = "hybrid") -> Ranking:
        """The best `depth` chunks of each side of `mode`, ranked: by both scores in `hybrid`, else by that side's."""
        query = self._embedder.embed_queries([question])[0]
        found = self.state.candidates(question, language, query, depth=depth, where=where, mode=mode)
        match mode:
            case "dense":
                scores = found.dense
            case "lexical":
                scores = found.lexical
            case "hybrid":
                scores = fusion.fuse(
                    found.dense, found.lexical, found.languages, information=found.information, spread=self._spread
                )
        best = np.argsort(-scores, kind="stable")
        return Ranking(found.chunks[best], scores[best], found.dense[best], found.lexical[best])

    def documents_of(self, chunks: NDArray[np.int64]) -> list[Listed]:
        """The document of each of these chunks."""
        return [self.state.place(number).document for number in chunks.tolist()]

    def text_of(self, chunk: int) -> str:
        """The text of the chunk with this number."""
        place = self.state.place(chunk)
        return self.state.with_text(place.document).text[place.start : place.end]

    def _candidates(self, chunks: NDArray[np.int64]) -> Iterator[Candidate]:
        for number in chunks.tolist():
            place = self.state.place(number)
            text = self.state.with_text(place.document).text[place.start : place.end]
            yield Candidate(number, place.document.number, texts.words(texts.normalise(text), place.document.language))

    def _passage(self, group: Sequence[Candidate], ranking: Ranking, best: int) -> Passage:
        """The range from the group's first chunk to its last, with the scores of its best chunk."""
        places = [self.state.place(member.number) for member in group]
        start, end = min(place.start for place in places), max(place.end for place in places)
        document = self.state.with_text(places[0].document)
        return Passage(
            document_id=document.id,
            path=document.path,
            language=document.language,
            start=start,
            end=end,
            text=document.text[start:end],
            score=float(ranking.scores[best]),
            dense=float(ranking.dense[best]),
            lexical=float(ranking.lexical[best]),
            page=document.page(start),
        )


def _highlighted(passage: Passage, asked: AbstractSet[str]) -> Passage:
    span = reading_order.best_sentence(asked, passage.text, passage.language)
    return replace(passage, highlight=Span(passage.start + span.start, passage.start + span.end)) if span else passage
