"""Runs models with sentence-transformers.

They are embedders that `openvino.py` cannot run, the reference for its vectors, and the cross-encoders of `RAG_JUDGE`. The
only importer of sentence_transformers, transformers and torch.
"""

import copy
import hashlib
import os
from collections.abc import Callable, Sequence
from logging import getLogger
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from rag.errors import WeightsError, WeightsMissing
from rag.text import normalise

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

_BATCH = 16


class SentenceEmbedder:
    """A sentence-transformers model as an `Embedder`. `name` is as the user gave it; `digest` identifies the exact weights."""

    backend = "sentence-transformers"

    def __init__(self, name: str, digest: str, model: "SentenceTransformer") -> None:
        self.name, self.digest, self._model = name, digest, model
        # A copy of the fast tokenizer: `encode` sets truncation on its own, and offsets need the whole text.
        self._tokenizer = copy.deepcopy(model.tokenizer.backend_tokenizer)
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()

    def embed_passages(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Unit vectors of shape (len(texts), dimension)."""
        return self._encode("document", texts)

    def embed_queries(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Unit vectors of shape (len(texts), dimension)."""
        return self._encode("query", texts)

    def _encode(self, role: str, texts: Sequence[str]) -> NDArray[np.float32]:
        encode = self._model.encode_document if role == "document" else self._model.encode_query
        vectors = encode(
            [normalise(text) for text in texts],
            batch_size=_BATCH,
            show_progress_bar=False,
            normalize_embeddings=True,
            convert_to_numpy=True,
        )
        return np.ascontiguousarray(vectors, dtype=np.float32)

    def token_starts(self, text: str) -> list[int]:
        """The offset at which each token of the text begins, ascending, without special tokens."""
        encoding = self._tokenizer.encode(text, add_special_tokens=False)
        return [start for start, _ in encoding.offsets]


def open_folder(name: str, digest: str, folder: Path) -> SentenceEmbedder:
    """The embedder in a local folder, without network access. Raises WeightsError."""
    return SentenceEmbedder(name, digest, _load(str(folder), local=True))


def open_named(name: str) -> SentenceEmbedder:
    """The embedder in a sentence-transformers folder, or of this name on a model hub. Raises WeightsError or WeightsMissing.

    The digest is that of its parameters, so two revisions of one name do not share an index.
    """
    local = Path(name).is_dir()
    model = _load(name, local=local)
    return SentenceEmbedder(name, _parameter_digest(model), model)


def open_cross_encoder(source: str, *, local: bool) -> Callable[[Sequence[tuple[str, str]]], list[float]]:
    """A function from pairs of texts to a score from 0 to 1 each: the cross-encoder in a folder or on a hub.

    Raises WeightsError, or WeightsMissing if the hub does not have it.
    """
    _quieten()
    from sentence_transformers import CrossEncoder
    from torch.nn import Sigmoid

    try:
        model = CrossEncoder(source, device="cpu", local_files_only=local, activation_fn=Sigmoid())
    except Exception as error:  # a damaged file raises whatever its reader raises
        raise _unopened(source, "cross-encoder", "RAG_JUDGE", error, local=local) from error
    if model.num_labels != 1:
        raise WeightsError(f"{source} gives {model.num_labels} scores per pair, not one", "set RAG_JUDGE to another")
    return lambda pairs: model.predict(list(pairs), show_progress_bar=False).tolist()


def _load(source: str, *, local: bool) -> "SentenceTransformer":
    _quieten()
    from sentence_transformers import SentenceTransformer

    try:
        return SentenceTransformer(source, device="cpu", local_files_only=local)
    except Exception as error:  # a damaged file raises whatever its reader raises
        raise _unopened(source, "embedder", "RAG_EMBEDDER", error, local=local) from error


def _quieten() -> None:
    os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
    from transformers.utils import logging

    # The hub client logs its retries; we report the error that ends them.
    getLogger("huggingface_hub").setLevel("ERROR")
    logging.set_verbosity_error()
    logging.disable_progress_bar()


def _unopened(source: str, kind: str, setting: str, error: Exception, *, local: bool) -> WeightsError:
    reason = str(error).splitlines()[0][:200] if str(error) else type(error).__name__
    if local:
        return WeightsError(f"no sentence-transformers {kind} in {source} ({reason})", f"set {setting} to another")
    hint = f"check the name and the network, or unset {setting} to use the model that needs no hub"
    return WeightsMissing(f"no {kind} {source} on this disk or on the hub ({reason})", hint)


def _parameter_digest(model: "SentenceTransformer") -> str:
    digest = hashlib.sha256()
    for name, tensor in sorted(model.state_dict().items()):
        # A pooler that the checkpoint lacks has random weights and is not used.
        if "pooler" not in name:
            digest.update(name.encode())
            digest.update(tensor.detach().float().numpy().tobytes())
    return digest.hexdigest()
