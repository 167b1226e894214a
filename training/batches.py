"""Batches of token ids from examples. Pairs are encoded as in the product, and batches have pairs of similar length."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from rag.judging.small_judge import Encoded, PairEncoder
from training.examples import Asked, Example

# Tokens of a batch, with padding: about 20 pairs, or one step of 2 s on two cores.
BATCH_TOKENS = 3072
# Examples are shuffled, and then sorted by length within this many batches.
_SORTED_TOGETHER = 40


@dataclass(frozen=True, slots=True)
class Row:
    """An example as token ids. `starts` and `ends` are the first and last token of each answer.

    (0,) means that there is no answer: token 0 is the start of the pair. () means that no place is trained. `head` is the
    column of the network's log-odds.
    """

    ids: list[int]
    head: int
    label: float
    starts: tuple[int, ...]
    ends: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Batch:
    """Rows padded to one length. `starts` and `ends` mark every right place; all are zero if no place is trained."""

    ids: Tensor
    mask: Tensor
    heads: Tensor
    labels: Tensor
    starts: Tensor
    ends: Tensor


def row(example: Example, encoder: PairEncoder) -> Row | None:
    """The example as the network reads it; None if truncation at the encoder's limit removed all its answers."""
    if not isinstance(example, Asked):
        return Row(encoder.claims([(example.claim, example.evidence)])[0].ids, 1, float(example.supported), (), ())
    encoded = encoder.questions(example.question, [example.passage])[0]
    if example.answers is None:
        return Row(encoded.ids, 0, 1.0, (), ())
    if not example.answers:
        return Row(encoded.ids, 0, 0.0, (0,), (0,))
    places = [place for answer in example.answers if (place := _tokens(encoded, answer.start, answer.end))]
    if not places:
        return None
    return Row(encoded.ids, 0, 1.0, tuple(first for first, _ in places), tuple(last for _, last in places))


def _tokens(encoded: Encoded, start: int, end: int) -> tuple[int, int] | None:
    """The first and last token of the characters [start, end) of the passage; None if one of them was truncated."""
    touched = [i for i, (a, b) in enumerate(encoded.offsets, encoded.first) if a < end and b > start]
    if not touched or encoded.offsets[-1][1] < end:
        return None
    return touched[0], touched[-1]


def batches(rows: Sequence[Row], padding: int, rng: random.Random) -> Iterator[Batch]:
    """All rows once, in random order except that batches have rows of similar length."""
    order = list(range(len(rows)))
    rng.shuffle(order)
    mean = max(1, sum(len(r.ids) for r in rows) // max(1, len(rows)))
    together = max(1, BATCH_TOKENS // mean) * _SORTED_TOGETHER
    groups: list[list[Row]] = []
    for at in range(0, len(order), together):
        window = sorted((rows[i] for i in order[at : at + together]), key=lambda r: len(r.ids))
        groups += grouped(window)
    rng.shuffle(groups)
    return (_batch(group, padding) for group in groups)


def grouped(rows: Sequence[Row]) -> list[list[Row]]:
    """Rows, sorted by length, in groups that fill a batch."""
    groups: list[list[Row]] = [[]]
    for one in rows:
        if groups[-1] and (len(groups[-1]) + 1) * len(one.ids) > BATCH_TOKENS:
            groups.append([])
        groups[-1].append(one)
    return groups


def padded(rows: Sequence[Row], padding: int) -> tuple[Tensor, Tensor]:
    """Token ids and mask, each of shape (rows, longest row)."""
    shape = (len(rows), max(len(r.ids) for r in rows))
    ids, mask = np.full(shape, padding), np.zeros(shape, np.int64)
    for i, one in enumerate(rows):
        ids[i, : len(one.ids)], mask[i, : len(one.ids)] = one.ids, 1
    return torch.from_numpy(ids), torch.from_numpy(mask)


def _batch(rows: Sequence[Row], padding: int) -> Batch:
    ids, mask = padded(rows, padding)
    starts, ends = np.zeros(ids.shape, np.float32), np.zeros(ids.shape, np.float32)
    for i, one in enumerate(rows):
        starts[i, list(one.starts)], ends[i, list(one.ends)] = 1, 1
    return Batch(
        ids=ids,
        mask=mask,
        heads=torch.tensor([r.head for r in rows]),
        labels=torch.tensor([r.label for r in rows]),
        starts=torch.from_numpy(starts),
        ends=torch.from_numpy(ends),
    )
