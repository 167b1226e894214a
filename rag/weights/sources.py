"""Finds the weights of a model on this disk.

The model is one of the catalogue, a local path, `repo:file` of a model hub, or the judge that comes with rag, which is also
checked.
"""

from dataclasses import dataclass
from pathlib import Path

from rag.errors import WeightsDamaged, WeightsMissing
from rag.files import sha256_file
from rag.weights.cache import FileState, WeightCache
from rag.weights.catalogue import CATALOGUE, EMBEDDER, Shipped


@dataclass(frozen=True, slots=True)
class Source:
    """Weights on this disk. `digest` is the SHA-256 of the file."""

    name: str
    path: Path
    digest: str


def llm(name: str, cache: WeightCache) -> Source:
    """The GGUF file that `name` stands for. Only `repo:file` asks a model hub. Raises WeightsMissing or WeightsDamaged."""
    if (model := CATALOGUE.get(name)) and model.kind == "llm":
        return Source(name, cache.require(model), model.sha256)
    path = _on_disk(name) or _from_hub(name)
    return Source(name, path, sha256_file(path))


def embedder(name: str, cache: WeightCache) -> Source | None:
    """The folder of an embedder of the catalogue; None if the name is not in the catalogue. Raises as `llm` does."""
    model = CATALOGUE.get(name)
    if model is None:
        return None
    if model.kind != "embedder":
        raise WeightsMissing(f"{name} is not an embedder", f"set RAG_EMBEDDER to one, such as {EMBEDDER}")
    return Source(name, cache.sentence_transformer(model), model.sha256)


def _on_disk(name: str) -> Path | None:
    """The file at the path `name`; None if there is none."""
    try:
        path = Path(name).expanduser()
        return path if path.is_file() else None
    except (OSError, RuntimeError):  # the path is too long, or there is no user of `~name`
        return None


def _from_hub(name: str) -> Path:
    repository, separator, file = name.partition(":")
    known = ", ".join(model.name for model in CATALOGUE.values() if model.kind == "llm")
    if not separator or repository.count("/") != 1:
        raise WeightsMissing(
            f"there is no language model {name}",
            f"set RAG_LLM to a GGUF file, repo:file of a hub, an endpoint's URL, or {known}",
        )
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import HfHubHTTPError

    try:
        return Path(hf_hub_download(repository, file))
    except (OSError, HfHubHTTPError, ValueError) as error:
        reason = (str(error) or type(error).__name__).splitlines()[0][:200]
        raise WeightsMissing(
            f"{name} could not be downloaded from the hub ({reason})", f"check name and network, or set RAG_LLM to {known}"
        ) from error


# Weights that come with rag


def require(model: Shipped) -> Path:
    """The path of the shipped file, after a check of its digest. Raises WeightsDamaged."""
    path = _path(model)
    if not _is_right(path, model):
        raise WeightsDamaged(f"{path} is not the {model.name} that this version of rag was made with", "install rag again")
    return path


def state(model: Shipped) -> FileState:
    """The state of the shipped file."""
    path = _path(model)
    size = path.stat().st_size if path.is_file() else 0
    # A missing file counts as damaged: it should have come with rag.
    return FileState(
        model.name, model.file, str(path), "present" if _is_right(path, model) else "damaged", size, size, model.sha256
    )


def _is_right(path: Path, model: Shipped) -> bool:
    return path.is_file() and sha256_file(path) == model.sha256


def _path(model: Shipped) -> Path:
    return Path(__file__).with_name(model.file)
