"""The passage store keeps the model's states of passages on disk, so that each passage is read once.

It stores bytes by key, and knows nothing of llama.cpp.

    FOLDER/KEY.state    one entry (see `_seal`); its modification time is when it was last used
    FOLDER/.lock        held while writing

A file gets its name once it is complete, and counts as a hit only if its checksum is right: anything else is a miss. The folder
may be removed at any time, also while it is in use.

`warm` fills the store before questions are asked.
"""

import hashlib
import logging
import os
import struct
import zlib
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from threading import local
from typing import Protocol, runtime_checkable

from filelock import FileLock

from rag.errors import StorageError
from rag.files import replacing, storage_errors

_log = logging.getLogger(__name__)
_SUFFIX = ".state"
# Its last byte is the format version: entries of another version are misses.
_MAGIC = b"ragkv\x00\x00\x01"
# Magic, SHA-256 of all that follows it; then the key and the length of the state.
_HEAD, _BODY = struct.Struct("<8s32s"), struct.Struct("<32sQ")
# States that may wait for a slow disk, 4 MB each with the default model. Further states are not stored.
_MOST_WAITING = 16
# Seconds to wait for another process that writes: if that one is suspended, this one must not wait for ever.
_PATIENCE = 5


def key(*parts: bytes) -> str:
    """The key of what is made from these parts: 64 hexadecimal digits, different for different parts."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(len(part).to_bytes(8, "little") + part)
    return digest.hexdigest()


@dataclass(frozen=True, slots=True)
class Usage:
    """The number of entries in a store, their size and that of the largest, in bytes."""

    entries: int
    size: int
    largest: int


@dataclass(frozen=True, slots=True)
class _File:
    used: int
    path: Path
    size: int


class _Counted(local):
    hits = misses = 0


class PassageStore:
    """At most `most_bytes` of states in `folder`, which may not exist yet. 0 turns it off. Safe to share between processes.

    `hits` and `misses` are counted per thread: a question is answered in one thread, and reports its own counts.
    """

    def __init__(self, folder: Path, most_bytes: int) -> None:
        self._folder, self._most = folder, most_bytes
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="passage-store")
        self._waiting: list[Future[None]] = []
        self._warned = False
        self._counted = _Counted()

    @property
    def hits(self) -> int:
        """How many states this thread got."""
        return self._counted.hits

    @property
    def misses(self) -> int:
        """How many states this thread asked for and did not get."""
        return self._counted.misses

    def get(self, name: str) -> bytes | None:
        """The state stored under this key, byte for byte; None if there is none. A damaged entry is removed."""
        state = self._read(name) if self._most else None
        self._counted.hits += state is not None
        self._counted.misses += state is None
        return state

    def reject(self, name: str) -> None:
        """Remove a state that `get` returned and that cannot be used. It is counted as a miss."""
        self._counted.hits -= 1
        self._counted.misses += 1
        with suppress(OSError):
            self._path(name).unlink()

    def put(self, name: str, state: bytes) -> None:
        """Store a state in the background. If that fails it is left out; the first failure is logged as a warning."""
        self._waiting = [writing for writing in self._waiting if not writing.done()]
        if self._most and len(self._waiting) < _MOST_WAITING:
            self._waiting.append(self._writer.submit(self._write_or_warn, name, state))

    def settle(self) -> None:
        """Wait until every `put` has ended, with success or not."""
        wait(self._waiting)

    def write(self, name: str, state: bytes) -> None:
        """Store a state now, and remove the least recently used to make room. One larger than the store is left out.

        Raises StorageError, or OSError for failures that have no message of ours.
        """
        entry = _seal(name, state)
        if len(entry) > self._most:
            return
        with storage_errors(self._folder):
            # A state reveals what its document says, so only the owner may read it.
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            with FileLock(self._folder / ".lock", timeout=_PATIENCE):
                self._make_room(len(entry))
                with replacing(self._path(name)) as temporary:
                    temporary.write_bytes(entry)

    def __contains__(self, name: str) -> bool:
        return bool(self._most) and self._path(name).is_file()

    def is_full(self) -> bool:
        """Whether another entry of the size of the largest would not fit."""
        used = usage(self._folder)
        return used.size + used.largest > self._most

    def _read(self, name: str) -> bytes | None:
        path = self._path(name)
        try:
            # No entry of ours is larger than the store. A file put there by others may not fit into memory.
            entry = path.read_bytes() if path.stat().st_size <= self._most else b""
        except OSError:
            return None
        state = _unseal(name, entry)
        with suppress(OSError):  # a read-only disk can still be read
            if state is None:
                path.unlink()
            else:
                os.utime(path)
        return state

    def _write_or_warn(self, name: str, state: bytes) -> None:
        try:
            self.write(name, state)
        except (StorageError, OSError) as error:
            if not self._warned:
                self._warned = True
                _log.warning("passages cannot be stored, so the model reads them again: %s", error)

    def _make_room(self, needed: int) -> None:
        """Remove files of killed writers, then the least recently used, until `needed` bytes fit. The caller holds the lock."""
        for left in self._folder.glob(".*.new"):
            left.unlink(missing_ok=True)
        files = sorted(_files(self._folder), key=lambda file: (file.used, file.path))
        used = sum(file.size for file in files)
        for file in files:
            if used + needed <= self._most:
                break
            file.path.unlink(missing_ok=True)
            used -= file.size

    def _path(self, name: str) -> Path:
        return self._folder / (name + _SUFFIX)


def usage(folder: Path) -> Usage:
    """The usage of the store in this folder, which may not exist."""
    sizes = [file.size for file in _files(folder)]
    return Usage(len(sizes), sum(sizes), max(sizes, default=0))


def _files(folder: Path) -> Iterator[_File]:
    for path in folder.glob("*" + _SUFFIX):
        with suppress(FileNotFoundError):  # another process just removed it
            status = path.stat()
            yield _File(status.st_mtime_ns, path, status.st_size)


def _seal(name: str, state: bytes) -> bytes:
    """An entry: the packed state with its key, and a checksum of both."""
    body = _BODY.pack(bytes.fromhex(name), len(state)) + _pack(state)
    return _HEAD.pack(_MAGIC, hashlib.sha256(body).digest()) + body


def _unseal(name: str, entry: bytes) -> bytes | None:
    """The state in an entry; None if the entry is not byte for byte what was sealed under this key."""
    if len(entry) < _HEAD.size + _BODY.size:
        return None
    magic, checksum = _HEAD.unpack_from(entry)
    body = memoryview(entry)[_HEAD.size :]
    if magic != _MAGIC or hashlib.sha256(body).digest() != checksum:
        return None
    sealed_under, length = _BODY.unpack_from(body)
    return _unpack(body[_BODY.size :], length) if sealed_under.hex() == name else None


def _pack(state: bytes) -> bytes:
    """A compressed state. The low bytes of 16-bit floats are noise, and stay; the high bytes hold sign and exponent.

    Huffman coding of the high bytes saves 14 % at 200 MB a second; LZMA saves 9 % at most, at 3 MB a second (0.5B model).
    """
    packer = zlib.compressobj(1, zlib.DEFLATED, -15, 9, zlib.Z_HUFFMAN_ONLY)
    return state[0::2] + packer.compress(state[1::2]) + packer.flush()


def _unpack(packed: memoryview, length: int) -> bytes:
    low = (length + 1) // 2
    state = bytearray(length)
    state[0::2] = packed[:low]
    state[1::2] = zlib.decompress(packed[low:], -15)
    return bytes(state)


@runtime_checkable
class AheadReader(Protocol):
    """A reader that keeps what it reads in a store."""

    def is_stored(self, passage: str) -> bool:
        """Whether the store has the passage's state."""

    def warm(self, passage: str) -> None:
        """Read the passage and store its state. Raises StorageError or OSError if it cannot be stored."""


@dataclass(frozen=True, slots=True)
class Warmed:
    """The number of passages that were read now, that were stored before, and that were left out because the store is full."""

    read: int
    stored: int
    left: int


def warm(
    passages: Iterable[str], total: int, reader: AheadReader, store: PassageStore, progress: Callable[[int, int], None]
) -> Warmed:
    """Read the passages that are not stored, in order, until the store is full. `progress` gets how many of `total` are done.

    What was read stays stored if this is interrupted. Raises StorageError or OSError as the reader does.
    """
    read = stored = 0
    for passage in passages:
        if reader.is_stored(passage):
            stored += 1
        elif store.is_full():
            break
        else:
            reader.warm(passage)
            if not reader.is_stored(passage):  # one passage is larger than the store
                break
            read += 1
        progress(read + stored, total)
    return Warmed(read, stored, total - read - stored)
