"""Weights that come with rag itself: where they lie, and whether they are right."""

from pathlib import Path

from rag.errors import WeightsDamaged
from rag.files import sha256_file
from rag.weights.cache import FileState
from rag.weights.catalogue import Shipped


def require(model: Shipped) -> Path:
    """The path of the file, after a check of its digest. Raises WeightsDamaged."""
    path = _path(model)
    if not _is_right(path, model):
        raise WeightsDamaged(f"{path} is not the {model.name} that this version of rag was made with", "install rag again")
    return path


def state(model: Shipped) -> FileState:
    """What lies there."""
    path = _path(model)
    size = path.stat().st_size if path.is_file() else 0
    # What should have come with rag and did not is as bad as what came wrong.
    return FileState(
        model.name, model.file, str(path), "present" if _is_right(path, model) else "damaged", size, size, model.sha256
    )


def _is_right(path: Path, model: Shipped) -> bool:
    return path.is_file() and sha256_file(path) == model.sha256


def _path(model: Shipped) -> Path:
    return Path(__file__).with_name(model.file)
