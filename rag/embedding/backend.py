"""Chooses how a model's vectors are computed: with OpenVINO in the fastest arithmetic, else with sentence-transformers.

Only arithmetics are considered that were measured to keep the ranking with exactly these weights. Which is fastest is measured
once for each processor. That takes seconds, and the result is kept in the cache.
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

from rag.embedding import model_folder, sentence_embedder
from rag.embedding.graph import ARITHMETICS, FLOAT32, Arithmetic, can_bfloat16
from rag.embedding.openvino import OpenVinoEmbedder
from rag.embedding.sentence_embedder import SentenceEmbedder
from rag.errors import StorageError
from rag.files import sha256_file, storage_errors, write_atomically
from rag.weights.catalogue import CATALOGUE, EMBEDDER

# An arithmetic may lose at most so many percent of nDCG@10.
MOST_LOSS = 0.5
# The most nDCG@10 that an arithmetic loses against float32, in percent, on any of six development sets. By the digest of the
# weights and the arithmetic (benchmarks/embedding_quality.py; RESULTS.md has every set).
LOSSES: dict[str, dict[str, float]] = {
    CATALOGUE[EMBEDDER].sha256: {"bfloat16": 0.26, "int8": 0.26, "int8+bfloat16": 0.26},
}

# A less exact arithmetic must be this many times as fast as the best more exact one, or noise would decide.
_WORTH_IT = 1.1
# The race: the number of passages, the tokens of each, and the runs, of which the fastest counts.
_PASSAGES, _LENGTH, _RUNS = 8, 128, 3


@dataclass(frozen=True, slots=True)
class Choice:
    """The fastest arithmetic, and the tokens per second of each that was tried."""

    arithmetic: str
    tokens_per_second: dict[str, float]

    def __str__(self) -> str:
        """The text shown by `rag doctor`."""
        rates = ", ".join(f"{name} {rate:.0f}" for name, rate in self.tokens_per_second.items())
        return f"openvino {self.arithmetic} (tokens a second in the race: {rates})"


def open_folder(name: str, digest: str, path: Path, cache: Path) -> OpenVinoEmbedder | SentenceEmbedder:
    """The embedder in a local folder, without network access. Raises WeightsError."""
    try:
        model = model_folder.read(path)
    except model_folder.Unsupported:
        return sentence_embedder.open_folder(name, digest, path)
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
    """The embedder in a sentence-transformers folder, or of this name on a model hub, which is asked only for a name."""
    path = Path(name).expanduser()
    if (path / "model.safetensors").is_file() and (path / "tokenizer.json").is_file():
        return open_folder(name, _folder_digest(path), path, cache)
    return sentence_embedder.open_named(name)


def allowed(digest: str) -> tuple[Arithmetic, ...]:
    """The arithmetics that keep the ranking with these weights, the most exact first. For unknown weights only float32."""
    losses = {FLOAT32.name: 0.0, **LOSSES.get(digest, {})}
    return tuple(sorted((a for a in ARITHMETICS if losses.get(a.name, 100) <= MOST_LOSS), key=lambda a: losses[a.name]))


def _runs_here(arithmetic: Arithmetic) -> bool:
    """On a processor with bfloat16, all except float32 use it; on others none does."""
    return arithmetic == FLOAT32 or (arithmetic.precision == "bf16") == can_bfloat16()


def race(rivals: dict[str, OpenVinoEmbedder], length: int) -> Choice:
    """Find the fastest of the rivals, given the most exact first. They run in turn, and the fastest run of each counts."""
    # Token numbers that every vocabulary has; the time does not depend on which they are.
    rows = np.random.default_rng(0).integers(0, 10, (_PASSAGES, length)).tolist()
    seconds = dict.fromkeys(rivals, float("inf"))
    for run in range(_RUNS + 1):
        for name, rival in rivals.items():
            start = time.perf_counter()
            rival.embed_tokens(rows)
            if run:  # the first run compiles
                seconds[name] = min(seconds[name], time.perf_counter() - start)
    best, *others = rivals
    for name in others:
        if seconds[name] * _WORTH_IT < seconds[best]:
            best = name
    return Choice(best, {name: round(_PASSAGES * length / value) for name, value in seconds.items()})


def remembered(digest: str, cache: Path) -> Choice | None:
    """The stored result of the race for this processor, OpenVINO version and weights; None if there is none."""
    try:
        choice = Choice(**json.loads(_memory(digest, cache).read_text("utf-8")))
        known = choice.arithmetic in {arithmetic.name for arithmetic in allowed(digest)}
        return choice if known and isinstance(choice.tokens_per_second, dict) else None
    except (OSError, ValueError, TypeError):
        return None


def _remember(choice: Choice, digest: str, cache: Path) -> None:
    """Store the result. If the cache cannot be written, the race runs again next time."""
    path = _memory(digest, cache)
    with suppress(StorageError), storage_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, json.dumps(asdict(choice)))


def _memory(digest: str, cache: Path) -> Path:
    """The file of the race's result, which differs by processor, OpenVINO version, weights and table of losses."""
    parts = (platform.machine(), _processor(), os.cpu_count(), version("openvino"), digest, LOSSES.get(digest), MOST_LOSS)
    return cache / "races" / f"embedder-{hashlib.sha256(repr(parts).encode()).hexdigest()[:12]}.json"


def _processor() -> str:
    """The processor's features, as scripts/build_llama.py reads them."""
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    except OSError:
        return platform.processor()
    return next((line for line in lines if line.startswith(("flags", "Features"))), platform.processor())


def _folder_digest(path: Path) -> str:
    """The digest of all files that affect the vectors, so that two models put into one folder in turn do not share an index."""
    files = sorted([path / "model.safetensors", *path.glob("*.json"), *path.glob("*/config.json")])
    digests = [(str(file.relative_to(path)), sha256_file(file)) for file in files]
    return hashlib.sha256(repr(digests).encode()).hexdigest()
