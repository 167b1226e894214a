"""The file format of our judge: the changes that training made to the embedder, in 4 bits, and the heads.

It is a safetensors file. For each matrix it holds the difference from the embedder's matrix, as `NAME.levels` (two per byte)
and `NAME.scale` (one per block of 32): differences are small numbers, which 4 bits represent well. Vectors are stored whole.
The word embeddings are the embedder's own and are not stored again. Training writes the file, the program reads it.
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from rag.embedding.model_folder import Model
from rag.errors import WeightsDamaged
from rag.judging.scoring import logistic

_FORMAT = "rag-judge-1"
_BLOCK = 32
# A difference is a level from -7 to 7 times the scale of its block. Levels are stored plus 8, so they are not negative.
_MOST_LEVEL, _ZERO = 7, 8
_LEVELS, _SCALE = ".levels", ".scale"
HEADS = ("whole.weight", "whole.bias", "places.weight", "places.bias")


@dataclass(frozen=True, slots=True)
class SupportCalibration:
    """Weights of the head's log-odds and of the shares of the claim's words and numbers that are in the evidence."""

    log_odds: float
    words: float
    numbers: float
    offset: float

    def probability(self, log_odds: float, words: float, numbers: float) -> float:
        """The probability that the evidence supports the claim."""
        return logistic(self.log_odds * log_odds + self.words * words + self.numbers * numbers + self.offset)


@dataclass(frozen=True, slots=True)
class Calibration:
    """Logistic functions from the heads' outputs to probabilities, fitted on idkmrc's development half.

    P(answers) = logistic(`verdict` x the verdict's log-odds + `span` x the span's margin + `offset`). `support` is for claims
    in the language of their evidence, `support_across` for others.
    """

    verdict: float
    span: float
    offset: float
    support: SupportCalibration
    support_across: SupportCalibration


@dataclass(frozen=True, slots=True)
class JudgeWeights:
    """`encoder` is the embedder's model with the trained changes; `heads` are the weights and biases of the heads, by name."""

    encoder: Model
    heads: Mapping[str, NDArray[np.float32]]
    calibration: Calibration


def write(path: Path, base: Model, trained: Mapping[str, NDArray[np.float32]], calibration: Calibration, about: str) -> None:
    """Write the file. `trained` has the heads, and the encoder's tensors under the names that `base` uses."""
    tensors: dict[str, NDArray[np.generic]] = {}
    for name, value in trained.items():
        if value.ndim == 2 and name not in HEADS:
            levels, scale = _compressed(value - base.tensors[name])
            tensors[name + _LEVELS], tensors[name + _SCALE] = levels, scale
        else:
            tensors[name] = np.ascontiguousarray(value, dtype=np.float32)
    save_file(tensors, path, {"format": _FORMAT, "about": about, "calibration": json.dumps(asdict(calibration))})


def read(path: Path, base: Model) -> JudgeWeights:
    """The judge, on the embedder that it was trained from. Raises WeightsDamaged if the file has another format."""
    with _opened(path) as file:
        encoder, heads = _tensors(file, base)
        return JudgeWeights(encoder, heads, _calibration(json.loads(file.metadata()["calibration"])))


def read_tensors(path: Path, base: Model) -> tuple[Model, Mapping[str, NDArray[np.float32]]]:
    """The encoder and the heads, to continue training from: the file's calibration may have an older format."""
    with _opened(path) as file:
        return _tensors(file, base)


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    """The open file. Raises WeightsDamaged if it is not a judge's file, and for whatever is wrong with what is read from it."""
    try:
        with safe_open(path, "numpy") as file:
            if (file.metadata() or {}).get("format") != _FORMAT:
                raise WeightsDamaged(f"{path.name} is not the file of a judge", _HINT)
            yield file
    except (OSError, SafetensorError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise WeightsDamaged(f"{path.name} cannot be read ({type(error).__name__}: {error})", _HINT) from error


def _tensors(file: Any, base: Model) -> tuple[Model, Mapping[str, NDArray[np.float32]]]:
    stored = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - the file is not a mapping
    heads = {name: stored.pop(name) for name in HEADS}
    changed = {name: _restored(name, stored, base) for name in {_plain(name) for name in stored}}
    return replace(base, tensors={**base.tensors, **changed}), heads


_HINT = "install rag again"


def _calibration(stored: dict[str, Any]) -> Calibration:
    support, across = SupportCalibration(**stored.pop("support")), SupportCalibration(**stored.pop("support_across"))
    return Calibration(**stored, support=support, support_across=across)


def _plain(name: str) -> str:
    return name.removesuffix(_LEVELS).removesuffix(_SCALE)


def _restored(name: str, stored: Mapping[str, NDArray[np.generic]], base: Model) -> NDArray[np.float32]:
    if name in stored:
        return np.asarray(stored[name], dtype=np.float32)
    before = base.tensors[name]
    change = _expanded(np.asarray(stored[name + _LEVELS]), np.asarray(stored[name + _SCALE]))
    # The last block may be padded beyond the end of the matrix.
    return np.asarray(before + change.ravel()[: before.size].reshape(before.shape), dtype=np.float32)


def _compressed(change: NDArray[np.float32]) -> tuple[NDArray[np.uint8], NDArray[np.float16]]:
    """Levels of shape (blocks, 16), with the first half of a block in the low bits, and scales of shape (blocks, 1)."""
    blocks = np.pad(change.astype(np.float32).ravel(), (0, -change.size % _BLOCK)).reshape(-1, _BLOCK)
    scale = (np.abs(blocks).max(axis=1, keepdims=True) / _MOST_LEVEL).astype(np.float16)
    divisor = np.where(scale > 0, scale, 1).astype(np.float32)
    levels = np.clip(np.round(blocks / divisor), -_MOST_LEVEL, _MOST_LEVEL).astype(np.int8) + _ZERO
    half = _BLOCK // 2
    return (levels[:, :half] | levels[:, half:] << 4).astype(np.uint8), scale


def _expanded(levels: NDArray[np.generic], scale: NDArray[np.generic]) -> NDArray[np.float32]:
    packed = levels.astype(np.uint8)
    whole = np.concatenate([packed & 15, packed >> 4], axis=1).astype(np.float32) - _ZERO
    return np.asarray(whole * scale.astype(np.float32), dtype=np.float32)
