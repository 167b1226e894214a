"""From a checkpoint to the file that is shipped: packed, read back as the product does, and calibrated on what it then says."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from rag.embedding.folder import Model
from rag.embedding.graph import FLOAT32
from rag.judging import spans, weights
from rag.judging.pairs import Encoded, PairEncoder
from rag.judging.small import SmallJudge
from rag.judging.weights import Calibration

_RAW = Calibration(verdict=1, span=0, offset=0, support=1, support_offset=0)


def export(checkpoint: Path, base: Model, development: Path, path: Path) -> Calibration:
    """Write the judge's file. Its calibration is fitted on the development half, as the file's own 4-bit weights judge that."""
    best = torch.load(checkpoint, weights_only=True)
    known = {*base.tensors, *weights.HEADS}
    trained = {name: value.numpy() for name, value in _named(best["network"]).items() if name in known}
    about = json.dumps({"tokens": best["spent"], "seen": best["seen"]})
    weights.write(path, base, trained, _RAW, about)
    judge = SmallJudge("uncalibrated", "", weights.read(path, base), FLOAT32)
    calibration = _calibrated(judge, PairEncoder(base), development)
    weights.write(path, base, trained, calibration, about)
    return calibration


def _named(state: dict[str, Any]) -> dict[str, Any]:
    """The encoder's tensors under the names they have in its folder; the heads keep theirs."""
    return {name.removeprefix("encoder."): value for name, value in state.items()}


def _calibrated(judge: SmallJudge, encoder: PairEncoder, development: Path) -> Calibration:
    passages = {row["id"]: row for row in _rows(development / "idkmrc.corpus.jsonl")}
    asked = [
        (row["question"], passages[id_]["text"], bool(row["answerable"]))
        for row in _rows(development / "idkmrc.questions.jsonl")
        for id_ in [*row["relevant"][:1], *row.get("paired", [])[:1]]
    ]
    pairs = [encoder.questions(question, [passage])[0] for question, passage, _ in asked]
    logits = judge.logits(pairs)
    features = np.array([[whole[0], margin(pair, places)] for pair, (whole, places) in zip(pairs, logits, strict=True)])
    (verdict, span), offset = _fit(features, [label for *_, label in asked])
    cited = {row["id"]: row["text"] for row in _rows(development / "hagrid.corpus.jsonl")}
    claims = _rows(development / "hagrid.claims.jsonl")
    said = judge.logits(encoder.claims([(row["claim"], "\n\n".join(cited[i] for i in row["cited"])) for row in claims]))
    (support,), support_offset = _fit(np.array([[whole[1]] for whole, _ in said]), [bool(r["attributable"]) for r in claims])
    return Calibration(verdict, span, offset, support, support_offset)


def margin(pair: Encoded, places: NDArray[np.float32]) -> float:
    """The margin of the pair's best span; 0 where there is none."""
    marked = spans.best(places[:, 0], places[:, 1], pair.first, len(pair.offsets))
    return marked.margin if marked else 0.0


def _fit(features: NDArray[np.float64], labels: Sequence[bool]) -> tuple[tuple[float, ...], float]:
    """The weights of the features, and the offset, of a logistic regression."""
    fitted = LogisticRegression(C=100.0).fit(features, labels)
    return tuple(round(float(w), 4) for w in fitted.coef_[0]), round(float(fitted.intercept_[0]), 4)


def _rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]
