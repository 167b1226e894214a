"""Writing so that a crash leaves the old file or the new one, never a torn one; and the disk's errors in our own words."""

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

# What the disk says, and what mends it.
_STORAGE = {
    errno.ENOSPC: ("the disk is full", "free some space and run the same command again: what was finished is kept"),
    errno.EDQUOT: ("the disk quota is used up", "free some space and run the same command again: what was finished is kept"),
    errno.EROFS: ("the disk is read-only", "mount it writable, or set RAG_HOME and RAG_CACHE to folders that are"),
    errno.EACCES: ("writing is not permitted", "give yourself the right, or set RAG_HOME and RAG_CACHE to folders of yours"),
    errno.EPERM: ("writing is not permitted", "give yourself the right, or set RAG_HOME and RAG_CACHE to folders of yours"),
    errno.ENOTDIR: ("a file stands where a folder should be", "move it away, or set RAG_HOME and RAG_CACHE elsewhere"),
    errno.EIO: ("the disk does not take what is written", "check it, then run the same command again"),
    errno.ENAMETOOLONG: ("the path is too long", "set RAG_HOME and RAG_CACHE to shorter ones"),
    errno.EMFILE: ("too many files are open", "raise the limit (`ulimit -n`), or run fewer things at once"),
    errno.ENFILE: ("too many files are open on this machine", "run fewer things at once"),
    errno.EISDIR: ("a folder stands where a file should be", "move it away"),
    errno.EEXIST: ("a file stands where a folder should be", "move it away, or set RAG_HOME and RAG_CACHE elsewhere"),
}

# What file systems without hard links say, or with too many of one file.
_NO_LINKS = frozenset({errno.EPERM, errno.ENOTSUP, errno.EMLINK, errno.EXDEV, errno.ENOSYS, errno.EACCES})


@contextmanager
def storage_errors(where: Path) -> Iterator[None]:
    """Translate the disk's errors inside the block to StorageError about `where`; others pass."""
    try:
        yield
    except OSError as error:
        if error.errno not in _STORAGE:
            raise
        problem, hint = _STORAGE[error.errno]
        # Of a renaming, what stands in the way is the second.
        raise StorageError(f"{problem} ({error.filename2 or error.filename or where})", hint) from error


def temporary_folder() -> Path:
    """Where libraries put what they need for a while; `TMPDIR` moves it."""
    return Path(tempfile.gettempdir())


def sha256_file(path: Path) -> str:
    """SHA-256 of a file's bytes, hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sync(path: Path) -> None:
    """Force a file's or a folder's content to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def link_or_copy(source: Path, target: Path) -> None:
    """Give the file a second name; where the file system has no hard links, a copy of it. Raises OSError."""
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
    """A hidden file beside `path` to write into, which takes its place at once when the block ends without an error.

    Readers see the old content or the new, also after a crash. Raises OSError.
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
    """Put `text` in place of the file, as `replacing` does, with these rights from its first byte on. Raises StorageError."""
    with storage_errors(path), replacing(path) as temporary:
        if mode is not None:
            temporary.touch(mode, exist_ok=False)
        temporary.write_text(text, encoding="utf-8")
