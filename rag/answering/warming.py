"""Reading passages before anybody asks, so that the first question about one does not wait for it."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from rag.answering.local.store import PassageStore


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
