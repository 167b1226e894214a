from pathlib import Path

import numpy as np
import pytest

from rag.indexing.dense import DenseIndex


@pytest.fixture
def vectors() -> np.ndarray:
    values = np.random.default_rng(7).normal(size=(50, 16)).astype(np.float32)
    return np.asarray(values / np.linalg.norm(values, axis=1, keepdims=True), dtype=np.float32)


def test_search_gives_the_largest_inner_products_in_order(vectors: np.ndarray) -> None:
    found = DenseIndex.build(vectors).search(vectors[3], 5)
    expected = np.argsort(-(vectors @ vectors[3]))[:5].tolist()
    assert [row for row, _ in found] == expected
    assert found[0][0] == 3
    assert found[0][1] == pytest.approx(1, abs=1e-5)


def test_more_than_there_is_gives_all(vectors: np.ndarray) -> None:
    assert len(DenseIndex.build(vectors[:4]).search(vectors[0], 10)) == 4


def test_a_written_index_opens_equal(vectors: np.ndarray, tmp_path: Path) -> None:
    DenseIndex.build(vectors).write(tmp_path / "v")
    opened = DenseIndex.open(tmp_path / "v")
    assert len(opened) == 50
    assert np.array_equal(opened.vectors(list(range(50))), vectors)


def test_rubbish_is_no_index(tmp_path: Path) -> None:
    (tmp_path / "v").write_bytes(b"rubbish")
    with pytest.raises(RuntimeError):
        DenseIndex.open(tmp_path / "v")
