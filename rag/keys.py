"""API keys and their scopes: read, ingest, admin. Only their hashes are stored, in a file of the home.

A key has 256 random bits, so one SHA-256 of it is enough: it cannot be found by trying. Slow hashes and salts protect
passwords, which people choose and others guess; here they would only make every request slow. The file reveals no key.
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

# What a key allows, each scope with those before it: to ask and read; to change documents; to rebuild and switch the index.
Scope = Literal["read", "ingest", "admin"]
SCOPES: tuple[Scope, ...] = ("read", "ingest", "admin")
# Lets people and secret scanners recognise a key.
_PREFIX = "rag_"
_BYTES = 32
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_MOST_DAYS = 36_500
_PRIVATE = 0o600


@dataclass(frozen=True, slots=True)
class Key:
    """The stored form of a key: its digest, not the key itself. `expires` is in ISO 8601 with UTC, empty for never."""

    name: str
    scope: Scope
    sha256: Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")]
    created: str
    expires: str = ""

    @property
    def scopes(self) -> tuple[Scope, ...]:
        """All scopes that the key allows."""
        return SCOPES[: SCOPES.index(self.scope) + 1]

    def has_expired(self, now: datetime) -> bool:
        """Whether the key has expired at `now`."""
        return bool(self.expires) and datetime.fromisoformat(self.expires) <= now


@dataclass(frozen=True, slots=True)
class _Stored:
    format: Literal[1]
    keys: tuple[Key, ...]


class Keys:
    """The keys of one file, which is read again after each change: a process sees what another one creates or revokes."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen: tuple[int, ...] | None = None
        self._keys: tuple[Key, ...] = ()

    @property
    def exist(self) -> bool:
        """Whether keys were ever created. Revoking the last one does not change this, so the service does not become open."""
        return self._stamp() is not None

    def all(self) -> tuple[Key, ...]:
        """The keys that are not revoked, sorted by name. Raises KeysDamaged: with a damaged file every request is refused."""
        stamp = self._stamp()
        if stamp != self._seen:
            self._keys = self._read() if stamp else ()
            self._seen = stamp
        return self._keys

    def find(self, token: str) -> Key | None:
        """The stored key for this token, expired or not; None if there is none. Raises KeysDamaged."""
        return self.find_digest(_digest(token))

    def find_digest(self, digest: str) -> Key | None:
        """As `find`, by the digest. Takes the same time for any digest: all are compared, each in constant time."""
        found = None
        for key in self.all():
            if compare_digest(key.sha256, digest):
                found = key
        return found

    def create(self, name: str, scope: Scope, days: int | None = None) -> tuple[str, Key]:
        """Create a key that expires after `days`, or never. Returns the token, which is not stored, and what is stored.

        Raises QuestionError, KeysDamaged or StorageError.
        """
        if not _NAME.fullmatch(name):
            raise QuestionError(
                f"{name!a} is not a valid key name", "use up to 64 letters, digits, dots, dashes and underscores"
            )
        if days is not None and not 1 <= days <= _MOST_DAYS:
            raise QuestionError(f"invalid key lifetime: {days} days", f"give --days 1 to {_MOST_DAYS}, or leave it out")
        now = datetime.now(UTC).replace(microsecond=0)
        token = _PREFIX + secrets.token_urlsafe(_BYTES)
        key = Key(name, scope, _digest(token), now.isoformat())
        if days is not None:
            key = replace(key, expires=(now + timedelta(days=days)).isoformat())
        with self._changing() as kept:
            if any(other.name == name for other in kept):
                raise QuestionError(f"there is a key {name} already", f"choose another name, or run `rag keys revoke {name}`")
            self._write((*kept, key))
        return token, key

    def revoke(self, name: str) -> None:
        """Revoke a key, with immediate effect. Raises NotFound, KeysDamaged or StorageError."""
        with self._changing() as kept:
            left = tuple(key for key in kept if key.name != name)
            if len(left) == len(kept):
                raise NotFound(f"there is no key {name[:64]!a}", "choose one of `rag keys list`")
            self._write(left)

    @contextmanager
    def _changing(self) -> Iterator[tuple[Key, ...]]:
        """The keys, under a lock that keeps other processes from changing them."""
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
            hint = "restore it, or remove it and create new ones: rag keys create NAME"
            raise KeysDamaged(f"the keys in {self._path} cannot be read ({error})", hint) from error
        return stored.keys

    def _stamp(self) -> tuple[int, ...] | None:
        """Changes whenever the file does, since the file is only ever replaced; None if there is no file."""
        try:
            found = self._path.stat()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise KeysDamaged(f"{self._path} cannot be read ({error.strerror})", "make it readable for this user") from error
        return found.st_ino, found.st_mtime_ns, found.st_size


def _digest(token: str) -> str:
    return sha256(token.encode("utf-8", "surrogatepass")).hexdigest()
