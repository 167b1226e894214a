"""Writes and checks files safely.

Writes are atomic: after a crash a file has its old content or its new content, never a mixture. `StorageError` replaces the
errors of a full or read-only disk, and digests are SHA-256.
"""

import errno
import hashlib
import os
import shutil
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rag.errors import StorageError

_BLOCK = 1 << 20

# Errors of the disk: the problem, and the hint.
_STORAGE = {
    errno.ENOSPC: ("the disk is full", "free some space and run the same command again: what was finished is kept"),
    errno.EDQUOT: ("the disk quota is used up", "free some space and run the same command again: what was finished is kept"),
    errno.EROFS: ("the disk is read-only", "mount it writable, or set RAG_HOME and RAG_CACHE to writable folders"),
    errno.EACCES: ("writing is not permitted", "get write permission, or set RAG_HOME and RAG_CACHE to folders of yours"),
    errno.EPERM: ("writing is not permitted", "get write permission, or set RAG_HOME and RAG_CACHE to folders of yours"),
    errno.ENOTDIR: ("a file stands where a folder should be", "move it away, or set RAG_HOME and RAG_CACHE elsewhere"),
    errno.EIO: ("the disk failed (input/output error)", "check it, then run the same command again"),
    errno.ENAMETOOLONG: ("the path is too long", "set RAG_HOME and RAG_CACHE to shorter ones"),
    errno.EMFILE: ("too many files are open", "raise the limit (`ulimit -n`), or run fewer things at once"),
    errno.ENFILE: ("too many files are open on this machine", "run fewer things at once"),
    errno.EISDIR: ("a folder stands where a file should be", "move it away"),
    errno.EEXIST: ("a file stands where a folder should be", "move it away, or set RAG_HOME and RAG_CACHE elsewhere"),
}

# Errors of file systems without hard links, or at the limit of links to one file.
_NO_LINKS = frozenset({errno.EPERM, errno.ENOTSUP, errno.EMLINK, errno.EXDEV, errno.ENOSYS, errno.EACCES})


@contextmanager
def storage_errors(where: Path) -> Iterator[None]:
    """Turn errors of the disk inside the block into StorageError about `where`. Other errors pass unchanged."""
    try:
        yield
    except OSError as error:
        if error.errno not in _STORAGE:
            raise
        problem, hint = _STORAGE[error.errno]
        # If renaming fails, the second name is the one in the way.
        raise StorageError(f"{problem} ({error.filename2 or error.filename or where})", hint) from error


def temporary_folder() -> Path:
    """The folder for temporary files; `TMPDIR` moves it."""
    return Path(tempfile.gettempdir())


def sha256_file(path: Path) -> str:
    """The SHA-256 of a file's bytes, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sync(path: Path) -> None:
    """Flush a file or a folder to the disk (fsync)."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def link_or_copy(source: Path, target: Path) -> None:
    """Hard-link `source` to `target`, or copy it if the file system has no hard links. Raises OSError."""
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        target.hardlink_to(source)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        shutil.copy2(source, target)
        sync(target)


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A hidden temporary file beside `path`, which replaces it atomically when the block ends without an error.

    Readers see the old content or the new content, also after a crash. Raises OSError.
    """
    # Two threads may write the same file at once.
    temporary = path.with_name(f".{path.name}.{os.getpid()}-{threading.get_ident():x}.new")
    try:
        yield temporary
        sync(temporary)
        temporary.replace(path)
        sync(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


def write_atomically(path: Path, text: str, *, mode: int | None = None) -> None:
    """Write the file atomically, as `replacing` does, with the permissions `mode` from the start. Raises StorageError."""
    with storage_errors(path), replacing(path) as temporary:
        if mode is not None:
            temporary.touch(mode, exist_ok=False)
        temporary.write_text(text, encoding="utf-8")
