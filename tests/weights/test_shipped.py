"""Weights that come with rag itself."""

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest

from rag.errors import WeightsDamaged
from rag.weights import shipped
from rag.weights.catalogue import SHIPPED

TINY = replace(SHIPPED, name="tiny", file="tiny.bin", sha256=hashlib.sha256(b"bobot").hexdigest())


@pytest.fixture(autouse=True)
def file(tmp_path, monkeypatch):
    monkeypatch.setattr(shipped, "__file__", str(tmp_path / "shipped.py"))
    (tmp_path / "tiny.bin").write_bytes(b"bobot")
    return tmp_path / "tiny.bin"


def test_the_right_file_is_given(file: Path) -> None:
    assert shipped.require(TINY) == file
    state = shipped.state(TINY)
    assert (state.model, state.path, state.state, state.sha256) == ("tiny", str(file), "present", TINY.sha256)


def test_other_bytes_are_damaged(file: Path) -> None:
    file.write_bytes(b"bobos")
    with pytest.raises(WeightsDamaged, match=r"tiny.bin is not the tiny that .*; install rag again$"):
        shipped.require(TINY)
    assert shipped.state(TINY).state == "damaged"


def test_a_file_that_did_not_come_with_rag_is_damaged_too(file: Path) -> None:
    file.unlink()
    with pytest.raises(WeightsDamaged, match=r"; install rag again$"):
        shipped.require(TINY)
    assert shipped.state(TINY).state == "damaged"
