"""What training looks at to know when to stop: questions of the development half, answered and edited ones, and claims."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from rag.judging.pairs import PairEncoder
from training.batches import BATCH_TOKENS, Row, row
from training.examples import Asked, Claimed
from training.network import Network

# Answered and edited questions, and claims, that are looked at while training goes on: 15 s on two cores.
_QUESTIONS, _CLAIMS = 150, 300


@dataclass(frozen=True, slots=True)
class Development:
    """Rows with their labels."""

    questions: list[Row]
    claims: list[Row]


def read(data: Path, encoder: PairEncoder) -> Development:
    """IDK-MRC's questions with the passage they were written for, and HAGRID's claims."""
    passages = {r["id"]: r["text"] for r in _rows(data / "idkmrc.corpus.jsonl")}
    rows = _rows(data / "idkmrc.questions.jsonl")
    answered = [(r["question"], passages[r["relevant"][0]], 1.0) for r in rows if r["answerable"]][:_QUESTIONS]
    edited = [(r["question"], passages[r["paired"][0]], 0.0) for r in rows if not r["answerable"]][:_QUESTIONS]
    cited = {r["id"]: r["text"] for r in _rows(data / "hagrid.corpus.jsonl")}
    claims = [
        Claimed("hagrid", r["claim"], "\n\n".join(cited[i] for i in r["cited"]), r["attributable"])
        for r in _rows(data / "hagrid.claims.jsonl")[:_CLAIMS]
    ]
    questions = [
        Row(r.ids, 0, label, (), ())
        for question, passage, label in [*answered, *edited]
        if (r := row(Asked("idkmrc", question, passage, ()), encoder))
    ]
    return Development(questions, [r for claim in claims if (r := row(claim, encoder))])


def auroc(network: Network, rows: Sequence[Row], padding: int) -> float:
    """The share of (positive, negative) pairs of rows that the network puts in the right order."""
    scores, labels = _scores(network, rows, padding), np.array([r.label for r in rows])
    positive, negative = scores[labels == 1], scores[labels == 0]
    return float((positive[:, None] > negative[None]).mean() + 0.5 * (positive[:, None] == negative[None]).mean())


@torch.no_grad()
def _scores(network: Network, rows: Sequence[Row], padding: int) -> NDArray[np.float32]:
    network.eval()
    order = sorted(range(len(rows)), key=lambda i: len(rows[i].ids))
    scores = np.zeros(len(rows), np.float32)
    while order:
        count = max(1, BATCH_TOKENS // len(rows[order[-1]].ids))
        taken, order = order[-count:], order[:-count]
        ids = np.full((len(taken), max(len(rows[i].ids) for i in taken)), padding)
        mask = np.zeros(ids.shape, np.int64)
        for at, i in enumerate(taken):
            ids[at, : len(rows[i].ids)], mask[at, : len(rows[i].ids)] = rows[i].ids, 1
        with torch.autocast("cpu", dtype=torch.bfloat16):
            whole, _ = network(torch.from_numpy(ids), torch.from_numpy(mask))
        scores[taken] = whole[np.arange(len(taken)), [rows[i].head for i in taken]].numpy()
    network.train()
    return scores


def _rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]
