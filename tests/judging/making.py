"""A judge on a small random model: an encoder that training changed a little, and heads of random numbers."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from rag.embedding.model_folder import Model
from rag.judging.judge_file import Calibration, JudgeWeights, SupportCalibration
from tests.embedding import tiny

CALIBRATION = Calibration(
    verdict=0.8,
    span=0.3,
    offset=-0.2,
    support=SupportCalibration(log_odds=1.5, words=2.0, numbers=0.7, offset=-1.0),
    support_across=SupportCalibration(log_odds=1.2, words=0.0, numbers=0.4, offset=0.1),
)


def heads() -> dict[str, NDArray[np.float32]]:
    random = np.random.default_rng(2)
    shapes = {"whole.weight": (2, tiny.HIDDEN), "whole.bias": (2,), "places.weight": (2, tiny.HIDDEN), "places.bias": (2,)}
    return {name: random.standard_normal(shape).astype(np.float32) for name, shape in shapes.items()}


def trained(base: Model) -> dict[str, NDArray[np.float32]]:
    """The output of training: the heads, and all of the encoder but its words, a little changed."""
    random = np.random.default_rng(3)
    encoder = {name: np.asarray(value, np.float32) for name, value in base.tensors.items() if "word_embeddings" not in name}
    changed: dict[str, NDArray[np.float32]] = {
        name: (value + random.standard_normal(value.shape) / 50).astype(np.float32) for name, value in encoder.items()
    }
    return {**changed, **heads()}


def judge_weights(base: Model, tensors: Mapping[str, NDArray[np.float32]] | None = None) -> JudgeWeights:
    """The judge's weights as they are read, on the base as it is."""
    return JudgeWeights(base, tensors or heads(), CALIBRATION)
