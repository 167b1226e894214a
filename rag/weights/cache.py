"""Where the weights lie on disk, and whether they are still what the catalogue says. Fetches nothing, loads nothing.

A file that was hashed and found right is stamped with its size and modification time, so that the next start need not hash a
gigabyte again; `verify` hashes always.
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
# Raised when `e5.py` writes something else from the same bytes.
_DERIVED_FORMAT = 2


@dataclass(frozen=True, slots=True)
class FileState:
    """What lies in the cache for one file: `state` is `present`, `partial`, `missing` or `damaged`."""

    model: str
    name: str
    path: str
    state: str
    size: int
    expected_size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class _Stamp:
    """Says that a file of this size and modification time had the right digest when it was hashed."""

    size: int
    mtime_ns: int
    sha256: str

    @classmethod
    def of(cls, path: Path, sha256: str) -> "_Stamp":
        status = path.stat()
        return cls(status.st_size, status.st_mtime_ns, sha256)

    def fits(self, path: Path) -> bool:
        """Whether the file is as it was."""
        return self == _Stamp.of(path, self.sha256)


def fetch_command(model: Model) -> str:
    """The command that brings this model."""
    return f"run `rag models fetch {model.name}`"


class WeightCache:
    """The folder `root`, which may not exist yet."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def folder(self, model: Model) -> Path:
        """Where the model's files lie."""
        return self.root / "models" / model.name

    def path(self, model: Model, file: WeightFile) -> Path:
        """Where one file of the model lies, there or not."""
        return self.folder(model) / file.name

    @contextmanager
    def lock(self, model: Model) -> Iterator[None]:
        """One process at a time changes a model's folder; the others wait."""
        with storage_errors(self.root):
            self.folder(model).mkdir(parents=True, exist_ok=True)
            lock = FileLock(self.folder(model) / ".lock")
            lock.acquire()
        try:
            yield
        finally:
            lock.release()

    def is_present(self, model: Model) -> bool:
        """Whether every file is there with its size. Hashes nothing."""
        return all(
            self.path(model, file).is_file() and self.path(model, file).stat().st_size == file.size for file in model.files
        )

    def require(self, model: Model) -> Path:
        """The path of the model's weights, after a check of their digest (once per change of the file).

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
        """Hash one file and stamp it. Raises WeightsDamaged where its digest is not the catalogue's."""
        path = self.path(model, file)
        if path.stat().st_size != file.size or sha256_file(path) != file.sha256:
            _stamp_path(path).unlink(missing_ok=True)
            raise WeightsDamaged(
                f"{path} does not have the digest of the catalogue ({file.sha256[:12]}…)",
                f"{fetch_command(model)}, which replaces it",
            )
        self.stamp(path, file.sha256)

    def stamp(self, path: Path, sha256: str) -> None:
        """Remember that the file had this digest. A cache that cannot be written goes without stamps."""
        stamp = _Stamp.of(path, sha256)
        try:
            write_atomically(_stamp_path(path), json.dumps(asdict(stamp)))
        except StorageError:
            return

    def is_stamped(self, path: Path, sha256: str) -> bool:
        """Whether the file has not changed since it was hashed and found right."""
        try:
            stamp = _Stamp(**json.loads(_stamp_path(path).read_text("utf-8")))
            return stamp == _Stamp.of(path, sha256)
        except (OSError, ValueError, TypeError):
            return False

    def states(self, model: Model, *, hashing: bool = False) -> list[FileState]:
        """What is there of a model's files; with `hashing`, every present file is hashed, derived ones too."""
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
        """The folder that sentence-transformers opens, made from the e5 file when it is not there or has changed."""
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
        """The derived files, hashed. What is damaged is made again by the next run that needs it."""
        folder = self.folder(model) / _DERIVED
        found, states = _files(folder), []
        for name, stamp in _derived_stamps(folder, model).items():
            path = found.get(name, folder / name)
            size = path.stat().st_size if name in found else 0
            right = name in found and size == stamp.size and sha256_file(path) == stamp.sha256
            state = "present" if right else "damaged"
            states.append(FileState(model.name, f"{_DERIVED}/{name}", str(path), state, size, stamp.size, stamp.sha256))
        if any(state.state == "damaged" for state in states):
            # A cache that may not be written keeps it.
            with suppress(StorageError), storage_errors(self.root):
                (folder / _MANIFEST).unlink(missing_ok=True)
        return states

    def discard_derived(self, model: Model) -> None:
        """Forget what was made from the model's files; it is made again when it is needed."""
        _remove(self.folder(model) / _DERIVED)


def partial_path(path: Path) -> Path:
    """Where a file grows while it is fetched, part after part."""
    return path.with_name(path.name + ".partial")


def _stamp_path(path: Path) -> Path:
    return path.with_name(path.name + ".verified")


def _remove(*folders: Path) -> None:
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)


def _files(folder: Path) -> dict[str, Path]:
    """Every file of a derived folder but its manifest, by relative path."""
    found = {path.relative_to(folder).as_posix(): path for path in sorted(folder.rglob("*")) if path.is_file()}
    return {name: path for name, path in found.items() if name != _MANIFEST}


def _sources(model: Model) -> dict[str, str]:
    return {file.name: file.sha256 for file in model.files}


def _derived_stamps(folder: Path, model: Model) -> dict[str, _Stamp]:
    """What each derived file was when it was written; empty where the folder was made from other files, otherwise, or not."""
    try:
        derived = json.loads((folder / _MANIFEST).read_text("utf-8"))
        if (derived["format"], derived["sources"]) != (_DERIVED_FORMAT, _sources(model)):
            return {}
        return {name: _Stamp(**stamp) for name, stamp in derived["files"].items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}


def _is_whole(folder: Path, model: Model) -> bool:
    """Whether exactly the derived files are there, untouched since they were hashed."""
    stamps = _derived_stamps(folder, model)
    found = _files(folder)
    return bool(stamps) and found.keys() == stamps.keys() and all(stamps[n].fits(path) for n, path in found.items())
