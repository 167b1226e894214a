"""The passage store: states of passages on disk, so that a passage is read once. Bytes under keys; knows nothing of llama.cpp.

    FOLDER/KEY.state    one entry (see `_seal`); its time of writing is when it was last used
    FOLDER/.lock        held by the one who writes

A file gets its name when it is whole, and is believed when its checksum fits: whatever is not right is a miss. The folder may
be removed at any time, also while it is used.

Reading passages before anybody asks, so that the first question about one does not wait for it.
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
# Raised when the layout of an entry changes: entries of another are misses.
_MAGIC = b"ragkv\x00\x00\x01"
# Magic, SHA-256 of all that follows it; then the key and the length of the state.
_HEAD, _BODY = struct.Struct("<8s32s"), struct.Struct("<32sQ")
# States that wait for a slow disk, 4 MB each with the default model; more are not stored this time.
_MOST_WAITING = 16
# Seconds to wait for another process that writes. A stopped one must not stop us for ever.
_PATIENCE = 5


def key(*parts: bytes) -> str:
    """The name of what is made from these parts: another for other parts, 64 hexadecimal digits."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(len(part).to_bytes(8, "little") + part)
    return digest.hexdigest()


@dataclass(frozen=True, slots=True)
class Usage:
    """How many entries lie in a store, and their bytes: of all, and of the largest."""

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
    """At most `most_bytes` of states in `folder`, which may not exist yet; with 0 there is no store. Shared by processes.

    `hits` and `misses` count what the thread that looks at them asked for: a question is answered in one, and tells of its own.
    """

    def __init__(self, folder: Path, most_bytes: int) -> None:
        self._folder, self._most = folder, most_bytes
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="passage-store")
        self._waiting: list[Future[None]] = []
        self._warned = False
        self._counted = _Counted()

    @property
    def hits(self) -> int:
        """How often this thread was given a state."""
        return self._counted.hits

    @property
    def misses(self) -> int:
        """How often this thread was given none."""
        return self._counted.misses

    def get(self, name: str) -> bytes | None:
        """The state stored under this key, exactly as it was put; None for a miss. A damaged entry is one, and is removed."""
        state = self._read(name) if self._most else None
        self._counted.hits += state is not None
        self._counted.misses += state is None
        return state

    def reject(self, name: str) -> None:
        """What `get` gave under this key is of no use: it is removed, and was a miss."""
        self._counted.hits -= 1
        self._counted.misses += 1
        with suppress(OSError):
            self._path(name).unlink()

    def put(self, name: str, state: bytes) -> None:
        """Store a state soon, in the background. What cannot be stored is left out, which is told once, as a warning."""
        self._waiting = [writing for writing in self._waiting if not writing.done()]
        if self._most and len(self._waiting) < _MOST_WAITING:
            self._waiting.append(self._writer.submit(self._write_or_warn, name, state))

    def settle(self) -> None:
        """Wait until all that was put is stored, or could not be."""
        wait(self._waiting)

    def write(self, name: str, state: bytes) -> None:
        """Store a state now; the least recently used give way. One larger than the store is left out.

        Raises StorageError where the disk does not take it, OSError where it has no words for why.
        """
        entry = _seal(name, state)
        if len(entry) > self._most:
            return
        with storage_errors(self._folder):
            # What stands in a private document stands in its state too.
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            with FileLock(self._folder / ".lock", timeout=_PATIENCE):
                self._make_room(len(entry))
                with replacing(self._path(name)) as temporary:
                    temporary.write_bytes(entry)

    def __contains__(self, name: str) -> bool:
        return bool(self._most) and self._path(name).is_file()

    def is_full(self) -> bool:
        """Whether one more entry, of the size of the largest, would push another out."""
        used = usage(self._folder)
        return used.size + used.largest > self._most

    def _read(self, name: str) -> bytes | None:
        path = self._path(name)
        try:
            # None of ours is larger than the store, and what somebody else put there need not fit into memory.
            entry = path.read_bytes() if path.stat().st_size <= self._most else b""
        except OSError:
            return None
        state = _unseal(name, entry)
        with suppress(OSError):  # a disk that cannot be written still gives what it has
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
                _log.warning("passages cannot be stored, and are read again: %s", error)

    def _make_room(self, needed: int) -> None:
        """Remove what a killed writer left, and the least recently used, until `needed` more bytes fit. The lock is held."""
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
    """What lies in the store of this folder, which may not exist."""
    sizes = [file.size for file in _files(folder)]
    return Usage(len(sizes), sum(sizes), max(sizes, default=0))


def _files(folder: Path) -> Iterator[_File]:
    for path in folder.glob("*" + _SUFFIX):
        with suppress(FileNotFoundError):  # another process just removed it
            status = path.stat()
            yield _File(status.st_mtime_ns, path, status.st_size)


def _seal(name: str, state: bytes) -> bytes:
    """An entry: the state under its key, packed, with a checksum over both."""
    body = _BODY.pack(bytes.fromhex(name), len(state)) + _pack(state)
    return _HEAD.pack(_MAGIC, hashlib.sha256(body).digest()) + body


def _unseal(name: str, entry: bytes) -> bytes | None:
    """The state of an entry; None where it is not, byte for byte, what was sealed under this key."""
    if len(entry) < _HEAD.size + _BODY.size:
        return None
    magic, checksum = _HEAD.unpack_from(entry)
    body = memoryview(entry)[_HEAD.size :]
    if magic != _MAGIC or hashlib.sha256(body).digest() != checksum:
        return None
    sealed_under, length = _BODY.unpack_from(body)
    return _unpack(body[_BODY.size :], length) if sealed_under.hex() == name else None


def _pack(state: bytes) -> bytes:
    """The low bytes of 16-bit floats are noise and are kept; the high ones have sign, exponent and little else.

    Their Huffman code takes 14 % off a state at 200 MB a second; LZMA takes no more than 9 % off, at 3 MB (0.5B model).
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
        """Whether the passage's state lies in the store."""

    def warm(self, passage: str) -> None:
        """Read the passage and store its state. Raises StorageError or OSError where it cannot be stored."""


@dataclass(frozen=True, slots=True)
class Warmed:
    """Passages that were read, that were stored before, and that were left because the store was full."""

    read: int
    stored: int
    left: int


def warm(
    passages: Iterable[str], total: int, reader: AheadReader, store: PassageStore, told: Callable[[int, int], None]
) -> Warmed:
    """Read those of `total` passages that are not stored, in order, and stop before one would push another out.

    What was read stays stored however this ends. Raises StorageError or OSError as the reader does.
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
        told(read + stored, total)
    return Warmed(read, stored, total - read - stored)
