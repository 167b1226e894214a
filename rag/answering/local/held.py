"""The passages in a context: each in its own sequence right after one fixed prefix, read once or restored from the store.

The least recently used are dropped when room is needed. Positions never move, so results equal those of reading afresh.
"""

from collections import OrderedDict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np

from rag.answering.local.context import SEQUENCES, Context
from rag.answering.local.store import PassageStore, key

_PREFIX = 0


@dataclass(frozen=True, slots=True)
class Held:
    """A passage in the context: its sequence, and the position after its last token."""

    sequence: int
    end: int


class HeldPassages:
    """Passages in `context`, which has `room` cells."""

    def __init__(self, context: Context, prefix: Sequence[int], *, digest: str, store: PassageStore, room: int) -> None:
        """Load the prefix from the store, else read it. `digest` is that of the weights."""
        self.store, self.room = store, room
        self._context, self._made_by = context, (digest.encode(), *context.made_by)
        self._held: OrderedDict[str, Held] = OrderedDict()
        self._prefix: Sequence[int] = ()
        self._fill(_PREFIX, prefix)
        self._prefix = prefix

    def room_for(self, more: int) -> int:
        """The most tokens that a passage may have if `more` follow it."""
        return self.room - len(self._prefix) - more

    def hold(self, passage: str, tokens: Sequence[int], more: int) -> Held:
        """The passage in the context, with room for `more` tokens after it. If it is not there yet, `tokens` are read."""
        held = self._held.get(passage)
        if held and held.end + more <= self.room:
            self._held.move_to_end(passage)
            self._make_room(more, keeping=passage)
            return held
        if held:
            self._drop(passage)
        self._make_room(len(tokens) + more, keeping=passage)
        sequence = self._free()
        try:
            self._fill(sequence, tokens)
        except BaseException:
            self._context.drop(sequence)
            raise
        self._held[passage] = Held(sequence, len(self._prefix) + len(tokens))
        return self._held[passage]

    @contextmanager
    def aside(self, tokens: Sequence[int], more: int) -> Iterator[Held]:
        """Tokens after the prefix, with room for `more`, until the context manager exits. They are not kept or stored."""
        self._make_room(len(tokens) + more, keeping="")
        sequence, start = self._free(), len(self._prefix)
        try:
            self._context.share(_PREFIX, sequence)
            self._context.read(sequence, start, tokens)
            yield Held(sequence, start + len(tokens))
        finally:
            self._context.drop(sequence)

    def take_back(self, held: Held) -> None:
        """Remove what was appended to a passage."""
        self._context.drop(held.sequence, held.end)

    def key(self, tokens: Sequence[int]) -> str:
        """The store's key for the state of these tokens."""
        return key(*self._made_by, _as_bytes(self._prefix), _as_bytes(tokens))

    def state(self, held: Held) -> bytes:
        """The state of a passage's own cells, without those of the prefix."""
        return self._context.state(held.sequence, len(self._prefix))

    def used(self) -> int:
        """The number of cells in use. Those of the prefix are shared, and count once."""
        return len(self._prefix) + sum(held.end - len(self._prefix) for held in self._held.values())

    def forget(self) -> None:
        """Drop everything except the prefix."""
        for passage in list(self._held):
            self._drop(passage)

    def _free(self) -> int:
        """An empty sequence."""
        return min(set(range(1, SEQUENCES)) - {held.sequence for held in self._held.values()})

    def _fill(self, sequence: int, tokens: Sequence[int]) -> None:
        """Put the prefix and the tokens into an empty sequence: from the store, else by reading and storing them."""
        name = self.key(tokens)
        state = self.store.get(name)
        if state is not None:
            if self._restore(sequence, state, len(tokens)):
                return
            self.store.reject(name)
        self._context.share(_PREFIX, sequence)
        self._context.read(sequence, len(self._prefix), tokens)
        self.store.put(name, self._context.state(sequence, len(self._prefix)))

    def _restore(self, sequence: int, state: bytes, count: int) -> bool:
        """Restore the state of `count` tokens after the shared prefix. Returns False if it does not fit."""
        if self._context.restore(sequence, state) != (len(self._prefix), len(self._prefix) + count - 1):
            self._context.drop(sequence)
            return False
        self._context.share(_PREFIX, sequence)
        return True

    def _make_room(self, needed: int, keeping: str) -> None:
        while self.used() + needed > self.room or len(self._held) >= SEQUENCES - 1:
            oldest = next((passage for passage in self._held if passage != keeping), None)
            if oldest is None:
                break
            self._drop(oldest)

    def _drop(self, passage: str) -> None:
        self._context.drop(self._held.pop(passage).sequence)


def _as_bytes(tokens: Sequence[int]) -> bytes:
    return np.array(tokens, dtype="<i4").tobytes()
