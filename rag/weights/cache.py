"""The cache of weights on disk: its paths, and whether files are still what the catalogue says. Fetches and loads nothing.

A file whose digest was found right is stamped with its size and modification time, so that the next start does not hash a
gigabyte again. `rag models verify` always hashes.
"""

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from filelock import FileLock

from rag.errors import StorageError, WeightsDamaged, WeightsMissing
from rag.files import sha256_file, storage_errors, sync, write_atomically
from rag.weights import e5
from rag.weights.catalogue import E5_TOKENIZER, E5_WEIGHTS, Model, WeightFile

_DERIVED = "sentence-transformers"
_MANIFEST = "derived.json"
# Increase it when `e5.py` writes something else from the same file.
_DERIVED_FORMAT = 2


@dataclass(frozen=True, slots=True)
class FileState:
    """The state of one file in the cache: `present`, `partial`, `missing` or `damaged`. Sizes are in bytes."""

    model: str
    name: str
    path: str
    state: str
    size: int
    expected_size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class _Stamp:
    """Records that a file of this size and modification time had the right digest when it was hashed."""

    size: int
    mtime_ns: int
    sha256: str

    @classmethod
    def of(cls, path: Path, sha256: str) -> "_Stamp":
        status = path.stat()
        return cls(status.st_size, status.st_mtime_ns, sha256)

    def fits(self, path: Path) -> bool:
        """Whether the file still has this size and modification time."""
        return self == _Stamp.of(path, self.sha256)


def fetch_command(model: Model) -> str:
    """The hint with the command that fetches this model."""
    return f"run `rag models fetch {model.name}`"


class WeightCache:
    """The cache in the folder `root`, which may not exist yet."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def folder(self, model: Model) -> Path:
        """The folder of the model's files."""
        return self.root / "models" / model.name

    def path(self, model: Model, file: WeightFile) -> Path:
        """The path of one file of the model, which may not exist."""
        return self.folder(model) / file.name

    @contextmanager
    def lock(self, model: Model) -> Iterator[None]:
        """Hold the lock on a model's folder: one process at a time changes it. Raises StorageError."""
        with storage_errors(self.root):
            self.folder(model).mkdir(parents=True, exist_ok=True)
            lock = FileLock(self.folder(model) / ".lock")
            lock.acquire()
        try:
            yield
        finally:
            lock.release()

    def is_present(self, model: Model) -> bool:
        """Whether every file exists and has its size. Hashes nothing."""
        return all(
            self.path(model, file).is_file() and self.path(model, file).stat().st_size == file.size for file in model.files
        )

    def require(self, model: Model) -> Path:
        """The path of the model's weights. Their digest is checked first, unless the file is unchanged since the last check.

        Raises WeightsMissing or WeightsDamaged.
        """
        for file in model.files:
            path = self.path(model, file)
            if not path.is_file():
                raise WeightsMissing(f"the weights of {model.name} are not in {self.root}", fetch_command(model))
            if not self.is_stamped(path, file.sha256):
                self.check(model, file)
        return self.path(model, model.files[0])

    def check(self, model: Model, file: WeightFile) -> None:
        """Hash one file and stamp it. Raises WeightsDamaged if its digest is not the catalogue's."""
        path = self.path(model, file)
        if path.stat().st_size != file.size or sha256_file(path) != file.sha256:
            _stamp_path(path).unlink(missing_ok=True)
            raise WeightsDamaged(
                f"{path} does not have the digest of the catalogue ({file.sha256[:12]}…)",
                f"{fetch_command(model)}, which replaces it",
            )
        self.stamp(path, file.sha256)

    def stamp(self, path: Path, sha256: str) -> None:
        """Record that the file had this digest. Does nothing if the cache cannot be written."""
        stamp = _Stamp.of(path, sha256)
        try:
            write_atomically(_stamp_path(path), json.dumps(asdict(stamp)))
        except StorageError:
            return

    def is_stamped(self, path: Path, sha256: str) -> bool:
        """Whether the file is unchanged since its digest was found right."""
        try:
            stamp = _Stamp(**json.loads(_stamp_path(path).read_text("utf-8")))
            return stamp == _Stamp.of(path, sha256)
        except (OSError, ValueError, TypeError):
            return False

    def states(self, model: Model, *, hashing: bool = False) -> list[FileState]:
        """The states of a model's files. With `hashing`, every existing file is hashed, and derived files are included."""
        states = [self._state(model, file, hashing=hashing) for file in model.files]
        return states + (self._derived_states(model) if hashing else [])

    def _state(self, model: Model, file: WeightFile, *, hashing: bool) -> FileState:
        path = self.path(model, file)
        partial = partial_path(path)
        if path.is_file():
            size, state = path.stat().st_size, "present"
            if hashing or not self.is_stamped(path, file.sha256):
                try:
                    self.check(model, file)
                except WeightsDamaged:
                    state = "damaged"
        else:
            state, size = ("partial", partial.stat().st_size) if partial.is_file() else ("missing", 0)
        return FileState(model.name, file.name, str(path), state, size, file.size, file.sha256)

    def sentence_transformer(self, model: Model) -> Path:
        """The model as a sentence-transformers folder, made from the e5 file if it does not exist or has changed."""
        self.require(model)
        folder = self.folder(model) / _DERIVED
        if not _is_whole(folder, model):
            with self.lock(model):
                if not _is_whole(folder, model):
                    self._derive(model, folder)
        return folder

    def _derive(self, model: Model, folder: Path) -> None:
        building, old = (folder.with_name(f".{folder.name}.{what}") for what in ("building", "old"))
        files = {file.name: self.path(model, file) for file in model.files}
        with storage_errors(self.root):
            _remove(building, old)
            try:
                building.mkdir(parents=True)
                e5.write_sentence_transformer(files[E5_WEIGHTS], files[E5_TOKENIZER], building)
                stamps = {name: asdict(_Stamp.of(path, sha256_file(path))) for name, path in _files(building).items()}
                derived = {"format": _DERIVED_FORMAT, "sources": _sources(model), "files": stamps}
                (building / _MANIFEST).write_text(json.dumps(derived, indent=1), encoding="utf-8")
                for path in building.rglob("*"):
                    sync(path)
                if folder.exists():
                    folder.rename(old)
                building.rename(folder)
                sync(folder.parent)
            finally:
                _remove(building, old)

    def _derived_states(self, model: Model) -> list[FileState]:
        """The states of the derived files, by hashing. If one is damaged, the next run that needs them makes them again."""
        folder = self.folder(model) / _DERIVED
        found, states = _files(folder), []
        for name, stamp in _derived_stamps(folder, model).items():
            path = found.get(name, folder / name)
            size = path.stat().st_size if name in found else 0
            right = name in found and size == stamp.size and sha256_file(path) == stamp.sha256
            state = "present" if right else "damaged"
            states.append(FileState(model.name, f"{_DERIVED}/{name}", str(path), state, size, stamp.size, stamp.sha256))
        if any(state.state == "damaged" for state in states):
            # A read-only cache keeps it.
            with suppress(StorageError), storage_errors(self.root):
                (folder / _MANIFEST).unlink(missing_ok=True)
        return states

    def discard_derived(self, model: Model) -> None:
        """Remove what was made from the model's files. It is made again when it is needed."""
        _remove(self.folder(model) / _DERIVED)


def partial_path(path: Path) -> Path:
    """The file that grows, part by part, while a file is fetched."""
    return path.with_name(path.name + ".partial")


def _stamp_path(path: Path) -> Path:
    return path.with_name(path.name + ".verified")


def _remove(*folders: Path) -> None:
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)


def _files(folder: Path) -> dict[str, Path]:
    """Every file of a derived folder except its manifest, by relative path."""
    found = {path.relative_to(folder).as_posix(): path for path in sorted(folder.rglob("*")) if path.is_file()}
    return {name: path for name, path in found.items() if name != _MANIFEST}


def _sources(model: Model) -> dict[str, str]:
    return {file.name: file.sha256 for file in model.files}


def _derived_stamps(folder: Path, model: Model) -> dict[str, _Stamp]:
    """The stamp of each derived file; empty if there is none, or if it was made from other files or in another format."""
    try:
        derived = json.loads((folder / _MANIFEST).read_text("utf-8"))
        if (derived["format"], derived["sources"]) != (_DERIVED_FORMAT, _sources(model)):
            return {}
        return {name: _Stamp(**stamp) for name, stamp in derived["files"].items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}


def _is_whole(folder: Path, model: Model) -> bool:
    """Whether exactly the derived files exist, unchanged since they were hashed."""
    stamps = _derived_stamps(folder, model)
    found = _files(folder)
    return bool(stamps) and found.keys() == stamps.keys() and all(stamps[n].fits(path) for n, path in found.items())
