"""Whose turn it is with the model: one question after the other, for two at once would each take twice as long."""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock, get_ident

from rag import stopping


class ModelLock:
    """One at a time.

    Unlike an RLock it may be given back by another thread than took it: a generator that holds it is closed by whoever drops it
    last, and that may be the garbage collector.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._owner: int | None = None

    @contextmanager
    def taken(self) -> Iterator[None]:
        """Wait for it, and have it. Raises Stopped, and RuntimeError where this thread itself keeps it from coming."""
        if self._owner == get_ident():
            raise RuntimeError("an answer is still being written in this thread: end or close it first")
        stopping.acquire(self._lock)
        self._owner = get_ident()
        try:
            yield
        finally:
            self._owner = None
            self._lock.release()
