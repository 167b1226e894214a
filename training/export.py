"""From a checkpoint to the shipped file: packed, read back as the product does, and calibrated on the output of that file."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from rag.embedding.graph import FLOAT32
from rag.embedding.model_folder import Model
from rag.judging import judge_file, scoring, small_judge
from rag.judging.judge_file import Calibration, SupportCalibration
from rag.judging.small_judge import Encoded, PairEncoder, SmallJudge
from training import development
from training.development import Judged

_RAW_SUPPORT = SupportCalibration(log_odds=1, words=0, numbers=0, offset=0)
_RAW = Calibration(verdict=1, span=0, offset=0, support=_RAW_SUPPORT, support_across=_RAW_SUPPORT)


def export(checkpoint: Path, base: Model, judged: Path, path: Path, start: Path | None = None) -> Calibration:
    """Write the file of the judge. The calibration is fitted on the data in `judged`, with the 4-bit weights of the file.

    With `start`, the judge from which training continued, the mean of both is written: it keeps more of what that one had
    learnt (Wortsman et al. 2022, "Robust fine-tuning of zero-shot models").
    """
    best = torch.load(checkpoint, weights_only=True)
    known = {*base.tensors, *judge_file.HEADS}
    trained = {name: value.numpy() for name, value in _named(best["network"]).items() if name in known}
    if start:
        encoder, heads = judge_file.read_tensors(start, base)
        before = {**encoder.tensors, **heads}
        trained = {name: (value + before[name]) / 2 for name, value in trained.items()}
    about = json.dumps({"tokens": best["spent"], "seen": best["seen"]})
    judge_file.write(path, base, trained, _RAW, about)
    judge = SmallJudge("uncalibrated", "", judge_file.read(path, base), FLOAT32)
    calibration = _calibrated(judge, PairEncoder(base), judged)
    judge_file.write(path, base, trained, calibration, about)
    return calibration


def _named(state: dict[str, Any]) -> dict[str, Any]:
    """The tensors of the encoder under the names in its folder; the heads keep their names."""
    return {name.removeprefix("encoder."): value for name, value in state.items()}


def _calibrated(judge: SmallJudge, encoder: PairEncoder, folder: Path) -> Calibration:
    asked, claims = development.questions(folder), development.claims(folder)
    pairs = [encoder.questions(one.first, [one.second])[0] for one in asked]
    logits = judge.logits(pairs)
    features = np.array([[whole[0], margin(pair, places)] for pair, (whole, places) in zip(pairs, logits, strict=True)])
    (verdict, span), offset = _fit(features, [one.label for one in asked])
    return Calibration(verdict, span, offset, *_support(judge, encoder, claims))


def _support(
    judge: SmallJudge, encoder: PairEncoder, claims: Sequence[Judged]
) -> tuple[SupportCalibration, SupportCalibration]:
    """Calibrations of support within a language, and across languages (without common words); both fitted on English."""
    pairs, labels = [(one.first, one.second) for one in claims], [one.label for one in claims]
    said = [whole[1] for whole, _ in judge.logits(encoder.claims(pairs))]
    words, numbers = [scoring.shared_words(*pair, "en") for pair in pairs], [scoring.shared_numbers(*pair) for pair in pairs]
    (log_odds, word, number), offset = _fit(np.array([said, words, numbers]).T, labels)
    (log_odds_across, number_across), offset_across = _fit(np.array([said, numbers]).T, labels)
    return SupportCalibration(log_odds, word, number, offset), SupportCalibration(
        log_odds_across, 0, number_across, offset_across
    )


def margin(pair: Encoded, places: NDArray[np.float32]) -> float:
    """The margin of the best span of the pair; 0 if there is none."""
    marked = small_judge.best(places[:, 0], places[:, 1], pair.first, len(pair.offsets))
    return marked.margin if marked else 0.0


def _fit(features: NDArray[np.float64], labels: Sequence[bool]) -> tuple[tuple[float, ...], float]:
    """The weights and the offset of a logistic regression."""
    fitted = LogisticRegression(C=100.0).fit(features, labels)
    return tuple(round(float(w), 4) for w in fitted.coef_[0]), round(float(fitted.intercept_[0]), 4)
