"""The judge's file: written, read, and damaged."""

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from safetensors.numpy import load_file, save_file

from rag.embedding import model_folder
from rag.embedding.model_folder import Model
from rag.errors import WeightsDamaged
from rag.judging import judge_file
from tests.embedding import tiny
from tests.judging import making

# Below it half-precision numbers lie farther apart than their own size: the change is as good as none.
_NOTHING = 7 * 2.0**-25
CHANGES = arrays(np.float32, array_shapes(min_dims=2, max_dims=2, max_side=40), elements=st.floats(-100, 100, width=32))


@pytest.fixture
def base(tmp_path: Path) -> Model:
    return model_folder.read(tiny.write(tmp_path / "model"))


@pytest.fixture
def path(tmp_path: Path, base: Model) -> Path:
    file = tmp_path / "judge.safetensors"
    judge_file.write(file, base, making.trained(base), making.CALIBRATION, "made by a test")
    return file


@settings(deadline=None, max_examples=200)
@given(CHANGES)
@example(np.zeros((1, 32), np.float32))
@example(np.full((3, 11), 1e-7, np.float32))
@example(np.full((2, 32), -7, np.float32))
def test_what_is_restored_is_within_half_a_step_of_its_block(change: Any) -> None:
    levels, scale = judge_file._compressed(change)
    blocks = -(-change.size // 32)
    assert (levels.shape, scale.shape) == ((blocks, 16), (blocks, 1))
    assert (levels.dtype.name, scale.dtype.name) == ("uint8", "float16")
    whole = judge_file._expanded(levels, scale)
    steps = np.broadcast_to(scale.astype(np.float32), whole.shape)
    error = np.abs(whole.ravel()[: change.size] - change.ravel())
    assert (error <= steps.ravel()[: change.size] * 0.501 + _NOTHING).all()
    assert not whole.ravel()[change.size :].any()


def test_what_was_written_is_read(base: Model, path: Path) -> None:
    made = judge_file.read(path, base)
    assert made.calibration == making.CALIBRATION
    assert made.heads.keys() == making.heads().keys()
    assert all((made.heads[name] == value).all() for name, value in making.heads().items())
    assert made.encoder.tensors.keys() == base.tensors.keys()
    for name, value in making.trained(base).items():
        if name in made.heads:
            continue
        restored = made.encoder.tensors[name]
        assert restored.shape == value.shape
        most = np.abs(value - base.tensors[name]).max() / 7
        assert np.abs(restored - value).max() <= (most * 0.501 if value.ndim == 2 else 0)
        assert np.abs(base.tensors[name] - value).max() > 2 * most


def test_the_words_are_the_embedders_own_and_lie_nowhere_twice(base: Model, path: Path) -> None:
    words = "embeddings.word_embeddings.weight"
    assert not any(name.startswith(words) for name in load_file(path))
    assert judge_file.read(path, base).encoder.tensors[words] is base.tensors[words]


def test_a_matrix_is_stored_in_four_bits_and_a_half(base: Model, path: Path) -> None:
    stored = load_file(path)
    matrices = [value.size for name, value in making.trained(base).items() if value.ndim == 2 and name not in making.heads()]
    small = sum(value.nbytes for name, value in stored.items() if name.endswith((".levels", ".scale")))
    assert small * 8 == 4.5 * sum(matrices)


def test_a_matrix_that_ends_within_a_block_is_read_as_it_is(tmp_path: Path, base: Model) -> None:
    odd = np.linspace(-1, 1, 33, dtype=np.float32).reshape(3, 11)
    base.tensors["embeddings.odd.weight"] = np.zeros_like(odd)
    judge_file.write(tmp_path / "odd", base, {"embeddings.odd.weight": odd, **making.heads()}, making.CALIBRATION, "")
    restored = judge_file.read(tmp_path / "odd", base).encoder.tensors["embeddings.odd.weight"]
    assert restored == pytest.approx(odd, abs=0.501 / 7)


def test_a_file_of_another_form_is_refused(path: Path, base: Model) -> None:
    save_file(load_file(path), path, {"format": "rag-judge-2", "calibration": "{}"})
    with pytest.raises(WeightsDamaged, match=r"^judge.safetensors is not the file of a judge; install rag again$"):
        judge_file.read(path, base)
    save_file(load_file(path), path)
    with pytest.raises(WeightsDamaged, match="is not the file of a judge"):
        judge_file.read(path, base)


@pytest.mark.parametrize("gone", [*making.heads(), "encoder.layer.0.output.dense.weight.scale"])
def test_a_file_that_lacks_a_tensor_is_refused(path: Path, base: Model, gone: str) -> None:
    rewrite(path, lambda stored: stored.pop(gone))
    with pytest.raises(WeightsDamaged, match=rf"cannot be read \(KeyError: .*{gone}.*; install rag again$"):
        judge_file.read(path, base)


@pytest.mark.parametrize("calibration", ["", "[]", "3", "{}", '{"verdict": 1, "unknown": 2}'])
def test_a_calibration_that_is_none_is_refused(path: Path, base: Model, calibration: str) -> None:
    save_file(load_file(path), path, {"format": judge_file._FORMAT, "calibration": calibration})
    with pytest.raises(WeightsDamaged, match=r"cannot be read \(.*; install rag again$"):
        judge_file.read(path, base)


@pytest.mark.parametrize("suffix", [".levels", ".scale"])
def test_a_change_of_another_shape_is_refused(path: Path, base: Model, suffix: str) -> None:
    name = "encoder.layer.0.output.dense.weight" + suffix
    rewrite(path, lambda stored: stored.update({name: stored[name][1:]}))
    with pytest.raises(WeightsDamaged, match=r"install rag again$"):
        judge_file.read(path, base)


def test_a_judge_of_another_embedder_is_refused(path: Path, base: Model) -> None:
    del base.tensors["encoder.layer.0.output.dense.weight"]
    with pytest.raises(WeightsDamaged, match=r"install rag again$"):
        judge_file.read(path, base)


def test_a_damaged_or_missing_file_is_one_line_that_ends_with_what_mends_it(path: Path, base: Model) -> None:
    whole = path.read_bytes()
    for content in (b"", whole[:7], whole[:200], whole[:-1], os.urandom(500), b"\xff" * 500):
        path.write_bytes(content)
        with pytest.raises(WeightsDamaged, match=r"^judge.safetensors cannot be read \(.*\); install rag again$"):
            judge_file.read(path, base)
    path.unlink()
    with pytest.raises(WeightsDamaged, match=r"install rag again$"):
        judge_file.read(path, base)


def rewrite(path: Path, change: Any) -> None:
    """The file with other tensors under the same description."""
    stored = load_file(path)
    change(stored)
    save_file(stored, path, description(path))


def description(path: Path) -> dict[str, str]:
    raw = path.read_bytes()
    header: dict[str, Any] = json.loads(raw[8 : 8 + int.from_bytes(raw[:8], "little")])
    return dict(header["__metadata__"])
