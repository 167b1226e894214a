"""The training loop: from batches to the best state, with checkpoints, so that a killed run is resumed."""

import math
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import mean
from typing import Any

import torch
from torch import Tensor

from rag.files import replacing
from training.batches import Batch, Row, batches
from training.network import Network


@dataclass(frozen=True, slots=True)
class Plan:
    """Hyperparameters. The learning rates are peaks: linear warm-up over the share `warm_up` of all tokens, then decay to 0."""

    tokens: int
    seed: int
    rate: float = 7e-5
    head_rate: float = 3e-4
    warm_up: float = 0.04
    decay: float = 0.01
    # Weight of the cross-entropies of a span's start and end, relative to that of the verdict.
    span_weight: float = 0.5
    looks: int = 6


@dataclass(frozen=True, slots=True)
class Data:
    """The training rows, and the id of the padding token."""

    rows: Sequence[Row]
    padding: int


@dataclass(slots=True)
class State:
    """The state of a run. `best` is the best score on the development data, `history` has all scores."""

    spent: int = 0
    passes: int = 0
    batch: int = 0
    best: float = -math.inf
    history: list[dict[str, float]] | None = None


Look = Callable[[Network], dict[str, float]]


def train(network: Network, data: Data, plan: Plan, look: Look, folder: Path) -> State:
    """Train on `plan.tokens` tokens. The best state is saved in `folder/best.pt`, the last in `folder/last.pt`."""
    heads = [*network.whole.parameters(), *network.places.parameters()]
    body = [p for p in network.encoder.parameters() if p.requires_grad]
    groups = [{"params": body, "highest": plan.rate}, {"params": heads, "highest": plan.head_rate}]
    optimizer = torch.optim.AdamW(groups, lr=plan.rate, weight_decay=plan.decay, fused=True)
    state = _resume(network, optimizer, folder)
    started, before = time.monotonic(), state.spent
    losses: list[float] = []
    looked = len(state.history or ())
    while state.spent < plan.tokens:
        order = batches(data.rows, data.padding, random.Random(1000 * plan.seed + state.passes))
        for number, batch in enumerate(order):
            if number < state.batch:
                continue
            losses.append(_step(network, optimizer, batch, plan, state))
            state.spent, state.batch = state.spent + batch.ids.numel(), number + 1
            if state.batch % 50 == 0:
                rate = (state.spent - before) / (time.monotonic() - started)
                _say(f"{state.spent / plan.tokens:.1%}, loss {mean(losses[-50:]):.3f}, {rate:.0f} tokens a second")
            if state.spent >= plan.tokens * (looked + 1) / plan.looks:
                looked += 1
                _look(network, optimizer, state, look, folder)
            if state.spent >= plan.tokens:
                break
        state.passes, state.batch = state.passes + 1, 0
    return state


def loss_of(network: Network, batch: Batch, span_weight: float) -> Tensor:
    """Cross-entropy of the verdicts, and for questions also of the first and last token of the answer."""
    with torch.autocast("cpu", dtype=torch.bfloat16):
        whole, places = network(batch.ids, batch.mask)
    chosen = whole.gather(1, batch.heads[:, None])[:, 0]
    loss = torch.nn.functional.binary_cross_entropy_with_logits(chosen, batch.labels)
    asked = batch.starts.sum(1) > 0
    if asked.any():
        hidden = (batch.mask[asked] == 0)[..., None] * -1e4
        chances = torch.log_softmax(places[asked] + hidden, dim=1)
        right = torch.stack([batch.starts[asked], batch.ends[asked]], dim=-1)
        # Any right place counts: the loss uses their total probability.
        spans = -torch.logsumexp(chances + torch.log(right.clamp_min(1e-12)), dim=1)
        loss = loss + span_weight * spans.sum() / len(batch.labels) / 2
    return loss


def _step(network: Network, optimizer: torch.optim.Optimizer, batch: Batch, plan: Plan, state: State) -> float:
    done = state.spent / plan.tokens
    for group in optimizer.param_groups:
        group["lr"] = group["highest"] * min(1.0, done / plan.warm_up, (1 - done) / (1 - plan.warm_up))
    network.train()
    loss = loss_of(network, batch, plan.span_weight)
    loss.backward()  # type: ignore[no-untyped-call]  # torch's own
    torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
    optimizer.step()
    optimizer.zero_grad()
    return float(loss.item())


def _look(network: Network, optimizer: torch.optim.Optimizer, state: State, look: Look, folder: Path) -> None:
    seen = look(network)
    state.history = [*(state.history or []), seen]
    score = sum(seen.values()) / len(seen)
    _say(", ".join(f"{name} {value:.4f}" for name, value in seen.items()))
    if score > state.best:
        state.best = score
        _save({"network": network.trained(), "seen": seen, "spent": state.spent}, folder / "best.pt")
    checkpoint = {"network": network.trained(), "optimizer": optimizer.state_dict(), "state": asdict(state)}
    _save(checkpoint, folder / "last.pt")


def _resume(network: Network, optimizer: torch.optim.Optimizer, folder: Path) -> State:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "last.pt"
    if not path.exists():
        return State()
    checkpoint = torch.load(path, weights_only=True)
    network.load_state_dict(checkpoint["network"], strict=False)
    optimizer.load_state_dict(checkpoint["optimizer"])
    state = State(**checkpoint["state"])
    _say(f"resuming after {state.spent} tokens")
    return state


def _save(value: dict[str, Any], path: Path) -> None:
    with replacing(path) as temporary:
        torch.save(value, temporary)


def _say(line: str) -> None:
    print(line, flush=True)
