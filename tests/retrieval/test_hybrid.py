from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from rag.indexing.embedded import dense
from rag.indexing.embedded.snapshot import Snapshot
from rag.indexing.protocol import Mode
from rag.retrieval import filters
from rag.retrieval.hybrid import HybridRetriever
from rag.types import Document, Passage
from tests.fakes import BagEmbedder
from tests.indexing.making import document, grow, write

MODES: tuple[Mode, ...] = ("hybrid", "dense", "lexical")
KEPT = [
    document("berita/beras.txt", "Harga beras naik tajam di pasar Jakarta. Petani padi senang sekali.", "id", "2026-01-05"),
    document("berita/gajah.txt", "Gajah Sumatra hidup di Lampung. Hutan mereka makin sempit.", "id", "2025-03-01"),
    document("news/rice.txt", "The price of rice rises in Jakarta. Farmers plant more of it.", "en", "2026-02-01"),
    document("kucing.txt", "Kucing makan ikan di dapur. Anjing tidur di halaman.", "id", "2024-01-01"),
]
GONE = document("berita/lama.txt", "Harga beras turun di pasar Jakarta. Petani padi kecewa sekali.", "id", "2026-01-06")


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Snapshot]:
    """Two segments, one of which lost a document."""
    write(tmp_path, [KEPT[0], GONE, KEPT[1], KEPT[3]])
    grow(tmp_path, KEPT[2], without=[GONE.path])
    snapshot = Snapshot.open(tmp_path)
    assert len(snapshot.segments) == 2
    yield snapshot
    snapshot.close()


@pytest.fixture
def retriever(opened: Snapshot) -> HybridRetriever:
    return HybridRetriever(BagEmbedder(), opened)


def paths(passages: list[Passage]) -> list[str]:
    return [passage.path for passage in passages]


def ranked(retriever: HybridRetriever, question: str, where: str = "", mode: Mode = "hybrid") -> list[str]:
    """The path of each chunk found, best first."""
    ranking = retriever.rank(question, "id", 100, filters.parse(where), mode)
    return [listed.path for listed in retriever.documents_of(ranking.chunks)]


def test_passages_are_ranges_of_the_original(retriever: HybridRetriever) -> None:
    originals = {d.path: d for d in KEPT}
    found = retriever.search("Harga beras di Jakarta", "id", 4)
    assert found[0].path == "berita/beras.txt"
    for passage in found:
        original = originals[passage.path]
        assert original.text[passage.start : passage.end] == passage.text
        assert (passage.document_id, passage.language) == (original.id, original.language)


def test_a_passage_says_what_to_look_at_first(retriever: HybridRetriever) -> None:
    originals = {d.path: d for d in KEPT}
    best = retriever.search("Harga beras di Jakarta", "id", 4)[0]
    assert best.highlight is not None
    lit = originals[best.path].text[best.highlight.start : best.highlight.end]
    assert lit in best.text
    assert "eras" in lit


@pytest.mark.parametrize("mode", MODES)
def test_a_removed_document_is_never_found(retriever: HybridRetriever, mode: Mode) -> None:
    assert GONE.path not in ranked(retriever, GONE.text, mode=mode)
    assert GONE.path not in ranked(retriever, GONE.text, "folder=berita", mode=mode)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    ("where", "allowed"),
    [
        ("language=en", {"news/rice.txt"}),
        ("folder=berita", {"berita/beras.txt", "berita/gajah.txt"}),
        ("folder!=berita and date>=2026", {"news/rice.txt"}),
        ("document=berita/*,kucing.txt and date<2026", {"berita/gajah.txt", "kucing.txt"}),
        ("date>=2030", set()),
        ("language=xx", set()),
    ],
)
def test_filters_hold_on_every_side(retriever: HybridRetriever, mode: Mode, where: str, allowed: set[str]) -> None:
    question = "Harga beras rice Jakarta gajah kucing"
    found = set(ranked(retriever, question, where, mode))
    assert found <= allowed
    if mode != "lexical":
        assert found == allowed
    assert {passage.path for passage in retriever.search(question, "id", 5, filters.parse(where))} == allowed


def test_the_scores_are_what_each_side_thinks(retriever: HybridRetriever, opened: Snapshot) -> None:
    question = "Harga beras di Jakarta"
    query = BagEmbedder().embed_queries([question])[0]
    ranking = retriever.rank(question, "id", 100)
    words = dict(opened.lexical.search(question, "id", 100))
    texts = {
        listed.first + i: segment.with_text(listed).text[piece.start : piece.end]
        for segment in opened.segments
        for listed in segment.listed
        for i, piece in enumerate(segment.pieces(listed))
    }
    assert sorted(ranking.chunks.tolist()) == sorted(texts)
    for chunk, meaning, word in zip(ranking.chunks.tolist(), ranking.dense, ranking.lexical, strict=True):
        assert meaning == pytest.approx(float(BagEmbedder().embed_passages([texts[chunk]])[0] @ query), abs=1e-5)
        assert word == pytest.approx(words.get(chunk, 0.0), abs=1e-4)
    assert ranking.scores.tolist() == sorted(ranking.scores.tolist(), reverse=True)


def test_each_mode_ranks_by_its_own_side(retriever: HybridRetriever) -> None:
    by_meaning, by_words = (retriever.rank("Harga beras di Jakarta", "id", 100, mode=m) for m in ("dense", "lexical"))
    assert by_meaning.scores.tolist() == by_meaning.dense.tolist()
    assert by_words.scores.tolist() == by_words.lexical.tolist()
    assert len(by_words.chunks) < len(by_meaning.chunks)
    assert all(score > 0 for score in by_words.lexical)


def test_no_more_than_the_depth_is_proposed(retriever: HybridRetriever) -> None:
    assert len(retriever.rank("Harga beras", "id", 3, mode="dense").chunks) == 3
    assert len(retriever.rank("Harga beras", "id", 1, mode="lexical").chunks) == 1
    assert len(retriever.rank("Harga beras", "id", 3).chunks) <= 6


def test_the_passage_has_the_scores_of_its_best_chunk(retriever: HybridRetriever) -> None:
    best = retriever.rank("Harga beras di Jakarta", "id", 100)
    passage = retriever.search("Harga beras di Jakarta", "id", 1)[0]
    assert (passage.score, passage.dense, passage.lexical) == (
        float(best.scores[0]),
        float(best.dense[0]),
        float(best.lexical[0]),
    )


def test_neighbours_are_joined_for_people_only(retriever: HybridRetriever) -> None:
    question = "Harga beras naik tajam di pasar Jakarta. Petani padi senang sekali."
    assert retriever.search(question, "id", 1)[0].text == KEPT[0].text
    apart = retriever.search(question, "id", 8, joining=False)
    assert [passage.text for passage in apart if passage.path == KEPT[0].path] != [KEPT[0].text]
    assert "".join(sorted(p.text for p in apart if p.path == KEPT[0].path)).strip() != ""
    assert len(apart) == 8


def test_a_copy_is_shown_once(tmp_path: Path) -> None:
    write(tmp_path, [KEPT[0], document("copy.txt", KEPT[0].text), document("other.txt", KEPT[3].text)])
    found = HybridRetriever(BagEmbedder(), Snapshot.open(tmp_path)).search("Harga beras di Jakarta", "id", 10)
    assert sorted(paths(found)) in (["berita/beras.txt", "other.txt"], ["copy.txt", "other.txt"])


def test_a_question_without_a_known_word_is_answered_by_meaning(retriever: HybridRetriever) -> None:
    assert ranked(retriever, "xyzzy", mode="lexical") == []
    assert len(ranked(retriever, "xyzzy")) == 8


def unit(vectors: NDArray[np.float64]) -> NDArray[np.float32]:
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), dtype=np.float32)


def test_a_filter_whose_documents_lie_far_from_the_question_still_finds_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The lists of the inverted file that lie next to the question hold none of them."""
    monkeypatch.setattr(dense, "EXACT_MOST", 100)
    monkeypatch.setattr(dense, "PROBES", 2)
    random = np.random.default_rng(3)
    near, far = np.zeros(16), np.zeros(16)
    near[0] = far[1] = 1
    vectors = unit(np.concatenate([near + 0.2 * random.normal(size=(800, 16)), far + 0.2 * random.normal(size=(200, 16))]))
    dense.write(tmp_path, vectors)
    index = dense.DenseIndex.open(tmp_path)
    assert not index.exact
    allowed = np.arange(1000) >= 800
    query = unit(near[None, :])[0]
    hits = index.search(query, 10, allowed)
    expected = [row for row in np.argsort(-(vectors @ query)) if row >= 800][:10]
    assert hits.rows.tolist() == expected


def test_documents_may_be_any(tmp_path: Path) -> None:
    made: list[Document] = [document("one.txt", "a"), document("two.txt", "\0\0\n.\n"), document("three.txt", "ผ😀 " * 50)]
    write(tmp_path, made)
    found = HybridRetriever(BagEmbedder(), Snapshot.open(tmp_path)).search("a", "id", 10)
    assert {passage.path for passage in found} == {d.path for d in made}
