"""Which embedder serves: OpenVINO in the arithmetic that is fastest on this processor, else sentence-transformers.

Only arithmetics are considered that were measured to keep the ranking of exactly these weights. The race is run once for a
processor, takes seconds, and is remembered in the cache.
"""

import hashlib
import json
import os
import platform
import time
from contextlib import suppress
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path

import numpy as np

from rag.embedding import embedder, folder
from rag.embedding.embedder import SentenceEmbedder
from rag.embedding.graph import ARITHMETICS, FLOAT32, Arithmetic, can_bfloat16
from rag.embedding.openvino import OpenVinoEmbedder
from rag.errors import StorageError
from rag.files import sha256_file, storage_errors, write_atomically
from rag.weights.catalogue import CATALOGUE, EMBEDDER

MOST_LOSS = 0.5
# The most nDCG@10 that an arithmetic loses against float32, in percent, on any of six development sets, by the weights it was
# measured with (benchmarks/embedding_quality.py; RESULTS.md has every set).
LOSSES: dict[str, dict[str, float]] = {
    CATALOGUE[EMBEDDER].sha256: {"bfloat16": 0.26, "int8": 0.26, "int8+bfloat16": 0.26},
}

# A less exact arithmetic has to be this much faster than the best more exact one, or noise decides.
_WORTH_IT = 1.1
# The race: passages, tokens each, and runs of which the fastest counts.
_PASSAGES, _LENGTH, _RUNS = 8, 128, 3


@dataclass(frozen=True, slots=True)
class Choice:
    """The arithmetic that won, and the tokens a second of each that ran."""

    arithmetic: str
    tokens_per_second: dict[str, float]

    def __str__(self) -> str:
        """As `rag doctor` says it."""
        rates = ", ".join(f"{name} {rate:.0f}" for name, rate in self.tokens_per_second.items())
        return f"openvino {self.arithmetic} (tokens a second in the race: {rates})"


def open_folder(name: str, digest: str, path: Path, cache: Path) -> OpenVinoEmbedder | SentenceEmbedder:
    """The embedder in a local folder. Contacts nobody. Raises WeightsError."""
    try:
        model = folder.read(path)
    except folder.Unsupported:
        return embedder.open_folder(name, digest, path)
    rivals = allowed(digest)
    if len(rivals) == 1:
        return OpenVinoEmbedder(name, digest, model, FLOAT32)
    if (choice := remembered(digest, cache)) is None:
        runners = {a.name: OpenVinoEmbedder(name, digest, model, a) for a in rivals if _runs_here(a)}
        choice = race(runners, min(_LENGTH, model.most_tokens))
        _remember(choice, digest, cache)
    won = next(arithmetic for arithmetic in ARITHMETICS if arithmetic.name == choice.arithmetic)
    return OpenVinoEmbedder(name, digest, model, won)


def open_named(name: str, cache: Path) -> OpenVinoEmbedder | SentenceEmbedder:
    """Any sentence-transformers folder, or a model of a hub by name: then, and only then, a hub is asked."""
    path = Path(name).expanduser()
    if (path / "model.safetensors").is_file() and (path / "tokenizer.json").is_file():
        return open_folder(name, _folder_digest(path), path, cache)
    return embedder.open_named(name)


def allowed(digest: str) -> tuple[Arithmetic, ...]:
    """The arithmetics that keep the ranking of these weights, the most exact first. For unknown weights that is float32."""
    losses = {FLOAT32.name: 0.0, **LOSSES.get(digest, {})}
    return tuple(sorted((a for a in ARITHMETICS if losses.get(a.name, 100) <= MOST_LOSS), key=lambda a: losses[a.name]))


def _runs_here(arithmetic: Arithmetic) -> bool:
    """Where the processor has bfloat16, everything but float32 uses it; elsewhere nothing does."""
    return arithmetic == FLOAT32 or (arithmetic.precision == "bf16") == can_bfloat16()


def race(rivals: dict[str, OpenVinoEmbedder], length: int) -> Choice:
    """Which of the rivals, the most exact first, is fastest here: they take turns, and of each the fastest run counts."""
    # Numbers that every vocabulary has: which words they are costs nothing.
    rows = np.random.default_rng(0).integers(0, 10, (_PASSAGES, length)).tolist()
    seconds = dict.fromkeys(rivals, float("inf"))
    for run in range(_RUNS + 1):
        for name, rival in rivals.items():
            start = time.perf_counter()
            rival.embed_tokens(rows)
            if run:  # the first compiles
                seconds[name] = min(seconds[name], time.perf_counter() - start)
    best, *others = rivals
    for name in others:
        if seconds[name] * _WORTH_IT < seconds[best]:
            best = name
    return Choice(best, {name: round(_PASSAGES * length / value) for name, value in seconds.items()})


def remembered(digest: str, cache: Path) -> Choice | None:
    """What the race decided on this processor with this OpenVINO and these weights; None before it."""
    try:
        choice = Choice(**json.loads(_memory(digest, cache).read_text("utf-8")))
        known = choice.arithmetic in {arithmetic.name for arithmetic in allowed(digest)}
        return choice if known and isinstance(choice.tokens_per_second, dict) else None
    except (OSError, ValueError, TypeError):
        return None


def _remember(choice: Choice, digest: str, cache: Path) -> None:
    """A cache that cannot be written goes without, and the race is run again."""
    path = _memory(digest, cache)
    with suppress(StorageError), storage_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, json.dumps(asdict(choice)))


def _memory(digest: str, cache: Path) -> Path:
    """Where the race's result lies: another processor, OpenVINO, model or table of losses has a file of its own."""
    parts = (platform.machine(), _processor(), os.cpu_count(), version("openvino"), digest, LOSSES.get(digest), MOST_LOSS)
    return cache / "races" / f"embedder-{hashlib.sha256(repr(parts).encode()).hexdigest()[:12]}.json"


def _processor() -> str:
    """The processor's features, as scripts/build-llama names them."""
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    except OSError:
        return platform.processor()
    return next((line for line in lines if line.startswith(("flags", "Features"))), platform.processor())


def _folder_digest(path: Path) -> str:
    """Of all that makes the vectors, so that two models in one folder, one after the other, do not share an index."""
    files = sorted([path / "model.safetensors", *path.glob("*.json"), *path.glob("*/config.json")])
    digests = [(str(file.relative_to(path)), sha256_file(file)) for file in files]
    return hashlib.sha256(repr(digests).encode()).hexdigest()
