"""Stopping work that nobody waits for any more.

Whoever starts work in a thread says what stops it, with `by`; whoever works asks `current`. It is of the thread's context, as a
cancel scope is in asynchronous libraries, and no parameter: between a connection that is closed and the arithmetic that is to
stop stand generators, a judge and its protocol, none of which has a say in it.

What is opened once: by the first who needs it, while others wait for it.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import Future, wait
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cached_property
from threading import RLock
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

T = TypeVar("T")
# Seconds after which one who waits looks whether it is still wanted.
_LOOK = 0.1


class Stopped(Exception):
    """Nobody waits for the result. No error: it is caught by whoever stopped the work."""


class Stop:
    """A flag that is set once, from any thread, and tells those who registered."""

    def __init__(self) -> None:
        # A generator that is told of the flag may be closed by the garbage collector, in this thread and within `set`.
        self._lock = RLock()
        self._hearers: list[Callable[[], None]] = []
        self._is_set = False

    def set(self) -> None:
        """Stop the work."""
        with self._lock:
            self._is_set = True
            for hearer in tuple(self._hearers):
                hearer()

    @property
    def is_set(self) -> bool:
        """Whether the work is to stop."""
        return self._is_set

    def check(self) -> None:
        """Raises Stopped where the work is to stop."""
        if self._is_set:
            raise Stopped

    @contextmanager
    def telling(self, hearer: Callable[[], None]) -> Iterator[None]:
        """Within it `hearer` is called when the flag is set, at once where it is set already; after it never."""
        with self._lock:
            self._hearers.append(hearer)
            if self._is_set:
                hearer()
        try:
            yield
        finally:
            with self._lock:
                self._hearers.remove(hearer)


_NEVER = Stop()
_current: ContextVar[Stop] = ContextVar("stop", default=_NEVER)


def current() -> Stop:
    """What stops the work of this thread: a flag that is never set where nobody named one."""
    return _current.get()


@contextmanager
def by(stop: Stop) -> Iterator[None]:
    """Within it the work of this thread is stopped by `stop`."""
    token = _current.set(stop)
    try:
        yield
    finally:
        _current.reset(token)


class Lock(Protocol):
    """One of `threading`."""

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:  # noqa: FBT001, FBT002 - as it is there
        """Take it; whether that went well."""


def acquire(lock: Lock) -> None:
    """Take the lock once it is free. Raises Stopped where the work of this thread is to stop before."""
    while not lock.acquire(timeout=_LOOK):
        current().check()


def result(future: Future[T]) -> T:
    """What the future comes to; raises what it does, and Stopped where the work of this thread is to stop before."""
    while wait([future], timeout=_LOOK).not_done:
        current().check()
    return future.result()


class once(cached_property[T]):  # noqa: N801  # a decorator, as `cached_property` is
    """A cached property that one thread computes at a time, as `cached_property` did until Python 3.12.

    Who waits for that raises its error too, for it need not be tried by each in turn; whoever asks later tries again. Who waits
    may be stopped, and raises Stopped.
    """

    def __init__(self, func: Callable[[Any], T]) -> None:
        super().__init__(func)
        self._under_way = f"_{func.__name__}_under_way"

    if not TYPE_CHECKING:  # its types are those of `cached_property`

        def __get__(self, instance: Any, owner: Any = None) -> Any:
            """The value; the first to ask computes it."""
            if instance is None or self.attrname in vars(instance):
                return super().__get__(instance, owner)
            own = Future()
            while (under_way := vars(instance).setdefault(self._under_way, own)) is not own:
                try:
                    return result(under_way)
                except Stopped:  # it was the other's; then it is to be computed here
                    current().check()
            return self._computed(instance, owner, own)

        def _computed(self, instance: Any, owner: Any, own: Future) -> Any:
            """The value, also for those who wait. Where it has been computed just now, that one."""
            try:
                value = super().__get__(instance, owner)
            except BaseException as error:
                # Before they are told: whoever tries again is to find nothing under way.
                del vars(instance)[self._under_way]
                own.set_exception(error)
                raise
            del vars(instance)[self._under_way]
            own.set_result(value)
            return value
