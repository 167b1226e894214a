"""Find the passages for a question: by meaning (vectors) and by words (BM25), weighed against each other."""

from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from rag import text as texts
from rag.indexing.embedded.segment import Listed, Segment
from rag.indexing.embedded.snapshot import Snapshot
from rag.retrieval import fusion, reading_order
from rag.retrieval.reading_order import Candidate
from rag.types import Condition, Embedder, Passage, Span

Mode = Literal["hybrid", "dense", "lexical"]
# Chunks that each side proposes; every proposal is then scored by both.
DEPTH = 100
# Chunks drawn to measure how far cosines spread in this index; some hundred say it to a few percent.
_SAMPLED = 512
# Neighbouring chunks that a person is shown as one, at most. A language model is given them one by one: it judges chunks, its
# calibration was measured on them, and the first verdict comes sooner.
_MOST_JOINED = 3


@dataclass(frozen=True, slots=True)
class Ranking:
    """Chunk numbers, best first, with what each side thought of them: all of shape (found,)."""

    chunks: NDArray[np.int64]
    scores: NDArray[np.float32]
    dense: NDArray[np.float32]
    lexical: NDArray[np.float32]


class HybridRetriever:
    """Search over one snapshot. Safe to use from several threads."""

    def __init__(self, embedder: Embedder, snapshot: Snapshot) -> None:
        self.snapshot, self._embedder = snapshot, embedder
        self._spread = fusion.spread(*snapshot.sample(_SAMPLED))

    def search(
        self, question: str, language: str, count: int, where: Sequence[Condition] = (), *, joining: bool = True
    ) -> list[Passage]:
        """At most `count` passages, best first: near-duplicates once and, for people, neighbours joined."""
        ranking = self.rank(question, language, max(DEPTH, count), where)
        found = {int(number): i for i, number in enumerate(ranking.chunks)}
        groups = reading_order.arrange(self._candidates(ranking.chunks), count, _MOST_JOINED if joining else 1)
        asked = reading_order.stems(question, language)
        return [_highlighted(self._passage(group, ranking, found[group[0].number]), asked) for group in groups]

    def rank(self, question: str, language: str, depth: int, where: Sequence[Condition] = (), mode: Mode = "hybrid") -> Ranking:
        """The chunks that the sides of `mode` propose, `depth` each, scored by both, best first."""
        query = self._embedder.embed_queries([question])[0]
        documents = self.snapshot.matching(where)
        proposed: set[int] = set()
        if mode != "lexical":
            proposed.update(self._nearest(query, depth, documents))
        if mode != "dense":
            allowed = None if documents is None else documents.tolist()
            proposed.update(number for number, _ in self.snapshot.lexical.search(question, language, depth, allowed))
        chunks = np.array(sorted(proposed), dtype=np.int64)
        dense = self._dense_scores(query, chunks)
        lexical = np.array(self.snapshot.lexical.scores(question, language, chunks.tolist()), dtype=np.float32)
        match mode:
            case "dense":
                scores = dense
            case "lexical":
                scores = lexical
            case "hybrid":
                information = self.snapshot.lexical.information(question, language)
                languages = self._languages_of(chunks)
                scores = fusion.fuse(dense, lexical, languages, information=information, spread=self._spread)
        best = np.argsort(-scores, kind="stable")
        return Ranking(chunks[best], scores[best], dense[best], lexical[best])

    def _nearest(self, query: NDArray[np.float32], depth: int, documents: NDArray[np.int64] | None) -> list[int]:
        """Numbers of the `depth` chunks nearest to the question over all segments."""
        found: list[tuple[float, int]] = []
        for segment in self.snapshot.segments:
            hits = segment.dense.search(query, depth, segment.allowed(documents))
            found += zip(hits.scores.tolist(), segment.numbers[hits.rows].tolist(), strict=True)
        return [number for _, number in sorted(found, reverse=True)[:depth]]

    def _dense_scores(self, query: NDArray[np.float32], chunks: NDArray[np.int64]) -> NDArray[np.float32]:
        """The cosine similarity of each chunk with the question."""
        scores = np.zeros(len(chunks), dtype=np.float32)
        for segment, here, rows in self._by_segment(chunks):
            scores[here] = segment.dense.scores(query, rows)
        return scores

    def _by_segment(self, chunks: NDArray[np.int64]) -> Iterator[tuple[Segment, NDArray[np.bool_], NDArray[np.int64]]]:
        """Each segment, which of the chunks it holds (chunks,), and their rows there."""
        for segment in self.snapshot.segments:
            rows = segment.rows(chunks)
            yield segment, rows >= 0, rows[rows >= 0]

    def documents_of(self, chunks: NDArray[np.int64]) -> list[Listed]:
        """The document of each of these chunks."""
        return [self._place(number)[1] for number in chunks.tolist()]

    def text_of(self, chunk: int) -> str:
        """The text of the chunk of this number."""
        return _text(*self._place(chunk), chunk)

    def _languages_of(self, chunks: NDArray[np.int64]) -> list[str]:
        found = np.full(len(chunks), "", dtype=object)
        for segment, here, rows in self._by_segment(chunks):
            found[here] = segment.languages_of(rows)
        return [str(language) for language in found]

    def _candidates(self, chunks: NDArray[np.int64]) -> Iterator[Candidate]:
        for number in chunks.tolist():
            segment, listed = self._place(number)
            text = _text(segment, listed, number)
            yield Candidate(number, listed.number, texts.words(texts.normalise(text), listed.language))

    def _place(self, chunk: int) -> tuple[Segment, Listed]:
        """The segment and the document that hold the chunk."""
        for segment in self.snapshot.segments:
            row = int(segment.rows(np.array([chunk]))[0])
            if row >= 0:
                listed = segment.find("number", int(segment.documents_of(np.array([row]))[0]))
                assert listed is not None
                return segment, listed
        raise AssertionError(chunk)

    def _passage(self, group: Sequence[Candidate], ranking: Ranking, best: int) -> Passage:
        """The range from the group's first chunk to its last, with the scores of its best."""
        segment, listed = self._place(group[0].number)
        pieces = [segment.piece(member.number) for member in group]
        start, end = min(piece.start for piece in pieces), max(piece.end for piece in pieces)
        document = segment.with_text(listed)
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


def _text(segment: Segment, listed: Listed, chunk: int) -> str:
    piece = segment.piece(chunk)
    return segment.with_text(listed).text[piece.start : piece.end]
