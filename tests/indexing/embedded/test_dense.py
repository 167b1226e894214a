from pathlib import Path

import numpy as np
import pytest

from rag.indexing.embedded import dense
from rag.indexing.embedded.dense import DenseIndex


def unit(rows: int, dimension: int, seed: int = 7) -> np.ndarray:
    values = np.random.default_rng(seed).normal(size=(rows, dimension)).astype(np.float32)
    return np.asarray(values / np.linalg.norm(values, axis=1, keepdims=True), dtype=np.float32)


@pytest.fixture
def vectors() -> np.ndarray:
    return unit(50, 16)


def opened(folder: Path, vectors: np.ndarray) -> DenseIndex:
    dense.write(folder, vectors)
    return DenseIndex.open(folder)


def test_search_gives_the_largest_inner_products_in_order(vectors: np.ndarray, tmp_path: Path) -> None:
    hits = opened(tmp_path, vectors).search(vectors[3], 5)
    assert hits.rows.tolist() == np.argsort(-(vectors @ vectors[3]))[:5].tolist()
    assert hits.rows[0] == 3
    assert hits.scores[0] == pytest.approx(1, abs=1e-5)


def test_more_than_there_is_gives_all(vectors: np.ndarray, tmp_path: Path) -> None:
    assert len(opened(tmp_path, vectors[:4]).search(vectors[0], 10).rows) == 4


@pytest.mark.parametrize("every", [2, 3, 9, 20])
def test_only_allowed_rows_are_found(vectors: np.ndarray, tmp_path: Path, every: int) -> None:
    index = opened(tmp_path, vectors)
    for allowed in (np.arange(50) % every == 1, np.arange(50) % every != 1):
        hits = index.search(vectors[3], 5, allowed)
        expected = [row for row in np.argsort(-(vectors @ vectors[3])) if allowed[row]][:5]
        assert hits.rows.tolist() == expected


def test_where_no_row_is_allowed_none_is_found(vectors: np.ndarray, tmp_path: Path) -> None:
    assert not len(opened(tmp_path, vectors).search(vectors[3], 5, np.zeros(50, dtype=np.bool_)).rows)


def test_a_written_index_opens_equal(vectors: np.ndarray, tmp_path: Path) -> None:
    assert np.array_equal(opened(tmp_path, vectors).vectors, vectors)


@pytest.mark.parametrize("allowing", [None, 0.5, 0.01])
def test_over_a_size_an_inverted_file_finds_nearly_what_exact_search_finds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, allowing: float | None
) -> None:
    centres = unit(40, 32)
    vectors = centres[np.arange(4000) % 40] + 0.3 * unit(4000, 32, seed=8)
    vectors = np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), dtype=np.float32)
    monkeypatch.setattr(dense, "EXACT_MOST", 1000)
    index = opened(tmp_path, vectors)
    assert not index.exact
    assert "IVF" in index.kind
    allowed = None if allowing is None else np.random.default_rng(1).random(4000) < allowing
    found = expected = 0
    for query in unit(50, 32, seed=9):
        scores = vectors @ query if allowed is None else np.where(allowed, vectors @ query, -2)
        hits = index.search(query, 10, allowed)
        assert hits.scores == pytest.approx(scores[hits.rows], abs=1e-5)
        found += len(set(hits.rows.tolist()) & set(np.argsort(-scores)[:10].tolist()))
        expected += 10
    assert found / expected > 0.9


@pytest.mark.parametrize("damage", [b"rubbish", b""])
def test_rubbish_is_no_index(vectors: np.ndarray, tmp_path: Path, damage: bytes) -> None:
    dense.write(tmp_path, vectors)
    (tmp_path / "vectors.npy").write_bytes(damage)
    with pytest.raises((ValueError, EOFError, OSError)):
        DenseIndex.open(tmp_path)
