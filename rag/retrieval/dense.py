"""Find passages by meaning: the question's vector against the chunks' vectors."""

from rag.indexing.snapshot import Snapshot
from rag.types import Embedder, Passage


class DenseRetriever:
    """A `Retriever` over one snapshot."""

    def __init__(self, embedder: Embedder, snapshot: Snapshot) -> None:
        self._embedder, self._snapshot = embedder, snapshot

    def search(self, question: str, count: int) -> list[Passage]:
        """At most `count` passages, best first, scored by cosine similarity."""
        query = self._embedder.embed_queries([question])[0]
        hits = self._snapshot.dense.search(query, count)
        found = self._snapshot.chunks([row for row, _ in hits])
        return [
            Passage(document.id, document.path, document.language, chunk.start, chunk.end, chunk.text, score)
            for (chunk, document), (_, score) in zip(found, hits, strict=True)
        ]
