"""API keys: who may ask, who may change documents, who may change what serves. They live, hashed, in a file of the home.

A key is 256 random bits. Nobody can try so many, so one SHA-256 of it is enough: slow hashes and salts are for passwords, which
people choose and others guess; here they would only make every request slow. Whoever reads the file learns no key.
"""

import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from hmac import compare_digest
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from filelock import FileLock

from rag.errors import KeysDamaged, NotFound, QuestionError
from rag.files import storage_errors, write_atomically

# What a key allows, each with all before it: to ask and to read; to change documents; to change what serves.
Scope = Literal["read", "ingest", "admin"]
SCOPES: tuple[Scope, ...] = ("read", "ingest", "admin")
# By this people, and tools that look for secrets in places where they should not be, know what it is.
_PREFIX = "rag_"
_BYTES = 32
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_MOST_DAYS = 36_500
_PRIVATE = 0o600


@dataclass(frozen=True, slots=True)
class Key:
    """A key without itself: `sha256` is its digest; `expires` is when it ends, in ISO 8601 with UTC, empty for never."""

    name: str
    scope: Scope
    sha256: Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")]
    created: str
    expires: str = ""

    @property
    def scopes(self) -> tuple[Scope, ...]:
        """All that it allows."""
        return SCOPES[: SCOPES.index(self.scope) + 1]

    def has_expired(self, now: datetime) -> bool:
        """Whether it is refused from now on."""
        return bool(self.expires) and datetime.fromisoformat(self.expires) <= now


@dataclass(frozen=True, slots=True)
class _Stored:
    format: Literal[1]
    keys: tuple[Key, ...]


class Keys:
    """The keys of one file, as it is now: a process that runs sees what another one creates or revokes."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen: tuple[int, ...] | None = None
        self._keys: tuple[Key, ...] = ()

    @property
    def exist(self) -> bool:
        """Whether keys were ever made here. To revoke the last one does not open what keys have closed."""
        return self._stamp() is not None

    def all(self) -> tuple[Key, ...]:
        """The keys that were not revoked, by their names. Raises KeysDamaged, so that a damaged file lets nobody in."""
        stamp = self._stamp()
        if stamp != self._seen:
            self._keys = self._read() if stamp else ()
            self._seen = stamp
        return self._keys

    def find(self, token: str) -> Key | None:
        """The key that this is, expired or not; None where it is none. Raises KeysDamaged."""
        return self.find_digest(_digest(token))

    def find_digest(self, digest: str) -> Key | None:
        """As `find`, by the digest. Takes as long for any digest: every one is compared, each to its end."""
        found = None
        for key in self.all():
            if compare_digest(key.sha256, digest):
                found = key
        return found

    def create(self, name: str, scope: Scope, days: int | None = None) -> tuple[str, Key]:
        """A new key and what is kept of it; the key itself is nowhere else. It ends after `days`, or never.

        Raises QuestionError, KeysDamaged or StorageError.
        """
        if not _NAME.fullmatch(name):
            raise QuestionError(f"{name!a} can name no key", "take up to 64 letters, digits, dots, dashes and underscores")
        if days is not None and not 1 <= days <= _MOST_DAYS:
            raise QuestionError(f"a key cannot last {days} days", f"give --days 1 to {_MOST_DAYS}, or leave it out")
        now = datetime.now(UTC).replace(microsecond=0)
        token = _PREFIX + secrets.token_urlsafe(_BYTES)
        key = Key(name, scope, _digest(token), now.isoformat())
        if days is not None:
            key = replace(key, expires=(now + timedelta(days=days)).isoformat())
        with self._changing() as kept:
            if any(other.name == name for other in kept):
                raise QuestionError(f"there is a key {name} already", f"take another name, or run `rag keys revoke {name}`")
            self._write((*kept, key))
        return token, key

    def revoke(self, name: str) -> None:
        """End a key, at once. Raises NotFound, KeysDamaged or StorageError."""
        with self._changing() as kept:
            left = tuple(key for key in kept if key.name != name)
            if len(left) == len(kept):
                raise NotFound(f"there is no key {name[:64]!a}", "choose one of `rag keys list`")
            self._write(left)

    @contextmanager
    def _changing(self) -> Iterator[tuple[Key, ...]]:
        """The keys, while no other process changes them."""
        with storage_errors(self._path):
            self._path.parent.mkdir(parents=True, exist_ok=True)
            lock = FileLock(self._path.with_name(f".{self._path.name}.lock"))
            lock.acquire()
        try:
            yield self.all()
        finally:
            lock.release()

    def _write(self, keys: tuple[Key, ...]) -> None:
        stored = _Stored(1, tuple(sorted(keys, key=lambda key: key.name)))
        write_atomically(self._path, msgspec.json.format(msgspec.json.encode(stored)).decode() + "\n", mode=_PRIVATE)

    def _read(self) -> tuple[Key, ...]:
        try:
            stored = msgspec.json.decode(self._path.read_bytes(), type=_Stored)
            for key in stored.keys:
                key.has_expired(datetime.now(UTC))
        except (OSError, msgspec.MsgspecError, ValueError, TypeError) as error:
            hint = "restore it, or remove it and make new ones: rag keys create NAME"
            raise KeysDamaged(f"the keys in {self._path} cannot be read ({error})", hint) from error
        return stored.keys

    def _stamp(self) -> tuple[int, ...] | None:
        """What changes whenever the file does, for it is only ever replaced; None where there is none."""
        try:
            found = self._path.stat()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise KeysDamaged(
                f"{self._path} cannot be read ({error.strerror})", "give yourself the right to read it"
            ) from error
        return found.st_ino, found.st_mtime_ns, found.st_size


def _digest(token: str) -> str:
    return sha256(token.encode("utf-8", "surrogatepass")).hexdigest()
