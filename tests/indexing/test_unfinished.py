from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from rag.indexing import carryover
from rag.indexing.carryover import DIGEST_BYTES, Unfinished

DIMENSION = 7


def records(count: int, seed: int = 1) -> tuple[list[bytes], NDArray[np.float32]]:
    random = np.random.default_rng(seed)
    vectors = random.normal(size=(count, DIMENSION)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return [random.bytes(DIGEST_BYTES) for _ in range(count)], vectors


def as_dict(digests: list[bytes], vectors: NDArray[np.float32]) -> dict[bytes, bytes]:
    return dict(zip(digests, map(np.ndarray.tobytes, vectors), strict=True))


def loaded(root: Path) -> dict[bytes, bytes]:
    return {digest: vector.tobytes() for digest, vector in Unfinished(root, "maker").load().items()}


def file_of(root: Path) -> Path:
    (path,) = carryover.left(root)
    return path


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("index")


def test_what_is_appended_is_loaded(tmp_path: Path) -> None:
    kept = Unfinished(tmp_path, "maker")
    assert kept.load() == {}
    digests, vectors = records(5)
    kept.append(digests[:2], vectors[:2])
    kept.append(digests[2:], vectors[2:])
    assert loaded(tmp_path) == as_dict(digests, vectors)
    carryover.clear(tmp_path)
    assert loaded(tmp_path) == {}
    assert carryover.left(tmp_path) == []


def test_embedders_are_kept_apart(tmp_path: Path) -> None:
    digests, vectors = records(2)
    Unfinished(tmp_path, "one").append(digests, vectors)
    assert Unfinished(tmp_path, "other").load() == {}
    assert len(Unfinished(tmp_path, "one").load()) == 2


@settings(max_examples=200, deadline=None)
@given(data=st.data(), zeros=st.booleans())
def test_a_file_cut_or_zeroed_from_any_byte_on_gives_whole_records_and_takes_more(
    root: Path, data: st.DataObject, zeros: bool
) -> None:
    carryover.clear(root)
    digests, vectors = records(4)
    Unfinished(root, "maker").append(digests, vectors)
    raw = file_of(root).read_bytes()
    cut = data.draw(st.integers(0, len(raw)))
    file_of(root).write_bytes(raw[:cut] + (bytes(len(raw) - cut) if zeros else b""))
    found = loaded(root)
    size = DIGEST_BYTES + 4 * DIMENSION
    assert found.items() <= as_dict(digests, vectors).items()
    assert len(found) >= (cut - 4) // (size + 8)
    more, more_vectors = records(3, seed=2)
    Unfinished(root, "maker").append(more, more_vectors)
    assert loaded(root) == found | as_dict(more, more_vectors)


@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_one_wrong_byte_costs_no_more_than_its_record(root: Path, data: st.DataObject) -> None:
    carryover.clear(root)
    digests, vectors = records(4)
    Unfinished(root, "maker").append(digests, vectors)
    raw = bytearray(file_of(root).read_bytes())
    place = data.draw(st.integers(4, len(raw) - 1))
    raw[place] ^= data.draw(st.integers(1, 255))
    file_of(root).write_bytes(raw)
    found = loaded(root)
    assert found.items() <= as_dict(digests, vectors).items()
    assert len(found) == 3


@pytest.mark.parametrize("content", [b"", b"\0", b"\0\0\0\0", b"\0" * 400, b"\xff" * 300, b"rubbish" * 20, b"\x07\0\0\0"])
def test_a_file_of_rubbish_gives_nothing_and_then_works(tmp_path: Path, content: bytes) -> None:
    digests, vectors = records(2)
    Unfinished(tmp_path, "maker").append(digests, vectors)
    file_of(tmp_path).write_bytes(content)
    assert loaded(tmp_path) == {}
    Unfinished(tmp_path, "maker").append(digests, vectors)
    assert loaded(tmp_path) == as_dict(digests, vectors)
