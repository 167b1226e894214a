"""The development data, for early stopping and calibration: pairs of texts with the labels of people."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from rag.evaluation import measures
from rag.judging.small_judge import PairEncoder
from training.batches import Row, grouped, padded
from training.network import Network
from training.rows import lines

# Answerable and edited questions, and claims, that are evaluated during training: 35 s on two cores.
_QUESTIONS, _CLAIMS = 200, 250


@dataclass(frozen=True, slots=True)
class Judged:
    """A question with a passage, or a claim with its evidence; `label` is whether the second answers or supports the first."""

    first: str
    second: str
    label: bool


@dataclass(frozen=True, slots=True)
class Development:
    """The rows that are evaluated during training, with their labels."""

    questions: list[Row]
    claims: list[Row]


def questions(folder: Path) -> list[Judged]:
    """IDK-MRC's questions, each with its passage; half were edited so that the passage does not answer."""
    passages = {row["id"]: row["text"] for row in lines(folder / "idkmrc.corpus.jsonl")}
    rows = lines(folder / "idkmrc.questions.jsonl")
    return [Judged(row["question"], passages[(row["relevant"] or row["paired"])[0]], row["answerable"]) for row in rows]


def claims(folder: Path) -> list[Judged]:
    """HAGRID's claims with everything that they cite, without those that cite nothing."""
    cited = {row["id"]: row["text"] for row in lines(folder / "hagrid.corpus.jsonl")}
    rows = [row for row in lines(folder / "hagrid.claims.jsonl") if row["cited"]]
    return [Judged(row["claim"], "\n\n".join(cited[i] for i in row["cited"]), row["attributable"]) for row in rows]


def read(folder: Path, encoder: PairEncoder) -> Development:
    """Read the pairs that are evaluated during training."""
    asked = questions(folder)
    answered, edited = [one for one in asked if one.label], [one for one in asked if not one.label]
    chosen = [*_spread(answered, _QUESTIONS), *_spread(edited, _QUESTIONS)]
    stated = _spread(claims(folder), _CLAIMS)
    encoded = encoder.claims([(one.first, one.second) for one in stated])
    return Development(
        [Row(encoder.questions(one.first, [one.second])[0].ids, 0, float(one.label), (), ()) for one in chosen],
        [Row(pair.ids, 1, float(one.label), (), ()) for pair, one in zip(encoded, stated, strict=True)],
    )


def _spread(judged: Sequence[Judged], most: int) -> Sequence[Judged]:
    """About `most` of them, from the whole file: some files have all of one label first."""
    return judged[:: max(1, len(judged) // most)]


def auroc(network: Network, rows: Sequence[Row], padding: int) -> float:
    """The area under the ROC curve: the share of (positive, negative) pairs of rows in the right order."""
    ordered = sorted(rows, key=lambda row: len(row.ids))
    return measures.auroc(np.array([row.label == 1 for row in ordered]), _scores(network, ordered, padding))


@torch.no_grad()
def _scores(network: Network, rows: Sequence[Row], padding: int) -> NDArray[np.float64]:
    """The log-odds of each row; the rows are sorted by length."""
    network.eval()
    scores = []
    for group in grouped(rows):
        with torch.autocast("cpu", dtype=torch.bfloat16):
            whole, _ = network(*padded(group, padding))
        scores.append(whole[np.arange(len(group)), [row.head for row in group]].double().numpy())
    network.train()
    return np.concatenate(scores)
