"""Coordinates threads: cancels their work, and computes shared values once.

The code that starts work names its stop flag with `by`; the code that works checks `current()`. The flag is in the context of
the thread, as a cancel scope is in asynchronous libraries. It is not a parameter, because between a closed connection and the
loop that has to stop there are generators, a judge and its protocol, which need not know of it.

`once` is a cached property for several threads. Those that wait for the value can be stopped.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import Future, wait
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cached_property
from threading import RLock
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

T = TypeVar("T")
# Seconds between two checks of the stop flag while waiting.
_LOOK = 0.1


class Stopped(Exception):
    """The work was stopped. This is not a failure: the code that set the flag catches it."""


class Stop:
    """A flag that is set once, from any thread, and then calls the registered callbacks."""

    def __init__(self) -> None:
        # A callback may run while the garbage collector closes a generator, in this thread and within `set`: so it is
        # reentrant.
        self._lock = RLock()
        self._callbacks: list[Callable[[], None]] = []
        self._is_set = False

    def set(self) -> None:
        """Set the flag and call the callbacks."""
        with self._lock:
            self._is_set = True
            for callback in tuple(self._callbacks):
                callback()

    @property
    def is_set(self) -> bool:
        """Whether the flag is set."""
        return self._is_set

    def check(self) -> None:
        """Raises Stopped if the flag is set."""
        if self._is_set:
            raise Stopped

    @contextmanager
    def telling(self, callback: Callable[[], None]) -> Iterator[None]:
        """Within the block, call `callback` when the flag is set; at once if it is set already."""
        with self._lock:
            self._callbacks.append(callback)
            if self._is_set:
                callback()
        try:
            yield
        finally:
            with self._lock:
                self._callbacks.remove(callback)


_NEVER = Stop()
_current: ContextVar[Stop] = ContextVar("stop", default=_NEVER)


def current() -> Stop:
    """The stop flag of this thread; one that is never set if `by` named none."""
    return _current.get()


@contextmanager
def by(stop: Stop) -> Iterator[None]:
    """Within the block, `stop` is the stop flag of this thread."""
    token = _current.set(stop)
    try:
        yield
    finally:
        _current.reset(token)


class Lock(Protocol):
    """A lock of `threading`."""

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:  # noqa: FBT001, FBT002 - the signature of threading
        """Acquire it; returns whether it was acquired."""


def acquire(lock: Lock) -> None:
    """Acquire the lock. Raises Stopped if the stop flag of this thread is set while waiting."""
    while not lock.acquire(timeout=_LOOK):
        current().check()


def result(future: Future[T]) -> T:
    """The result of the future; raises its exception, or Stopped if the stop flag of this thread is set while waiting."""
    while wait([future], timeout=_LOOK).not_done:
        current().check()
    return future.result()


class once(cached_property[T]):  # noqa: N801  # a decorator, as `cached_property` is
    """A cached property that one thread computes at a time, as `cached_property` did until Python 3.12.

    Concurrent waiters receive the same exception; a later access retries. A waiter whose stop flag is set raises Stopped.
    """

    def __init__(self, func: Callable[[Any], T]) -> None:
        super().__init__(func)
        self._in_progress = f"_{func.__name__}_in_progress"

    def in_progress(self, instance: object) -> "Future[T] | None":
        """The future of the instance's value while a thread computes it; None if no thread does."""
        return vars(instance).get(self._in_progress)

    if not TYPE_CHECKING:  # the types are those of `cached_property`

        def __get__(self, instance: Any, owner: Any = None) -> Any:
            """The value; the first access computes it."""
            if instance is None or self.attrname in vars(instance):
                return super().__get__(instance, owner)
            own = Future()
            while (in_progress := vars(instance).setdefault(self._in_progress, own)) is not own:
                try:
                    return result(in_progress)
                except Stopped:  # the computing thread was stopped, not this one: compute it here
                    current().check()
            return self._computed(instance, owner, own)

        def _computed(self, instance: Any, owner: Any, own: Future) -> Any:
            """Compute the value and pass it to the waiters. If another thread has just computed it, that value."""
            try:
                value = super().__get__(instance, owner)
            except BaseException as error:
                # Before the waiters are woken: one that retries must find nothing in progress.
                del vars(instance)[self._in_progress]
                own.set_exception(error)
                raise
            del vars(instance)[self._in_progress]
            own.set_result(value)
            return value
