"""Lets questions to the model: few at a time, a bounded number wait in line, and one whose asker has gone leaves it.

Each question runs in a thread of its own from its first step to its last, for a generator that holds a lock across its steps
must be closed by the thread that began it. Knows nothing of HTTP.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import closing, suppress
from contextvars import copy_context
from threading import Condition, Thread
from typing import Any, Generic, TypeVar, cast

from rag import stopping
from rag.errors import ServiceStopping, TooManyQuestions

# The model reads for one question at a time: a second one in it would wait for its turn.
AT_ONCE = 1
# Behind so many an asker waits for minutes on two slow cores, and does better to come back.
MOST_WAITING = 15
# Seconds: about what one answer takes.
RETRY_AFTER = 10

T = TypeVar("T")
_END = object()


class Admission:
    """The line before the model: the first `at_once` questions of it are in the model, the others wait.

    `watch` is what the events of each question pass through, in its thread.
    """

    watch: Callable[[Iterator[Any]], Iterator[Any]] = staticmethod(lambda steps: steps)

    def __init__(self, at_once: int = AT_ONCE, most_waiting: int = MOST_WAITING) -> None:
        self._at_once, self._most = at_once, at_once + most_waiting
        self._line: list[Asking[Any]] = []
        self._moved = Condition()
        self._closed = False

    @property
    def length(self) -> int:
        """Questions in the model and before it."""
        return len(self._line)

    @property
    def places(self) -> int:
        """Questions that there is room for, in the model and before it."""
        return self._most

    def admit(self, steps: Callable[[], Iterator[T]], waiting: Callable[[int], T] | None = None) -> "Asking[T]":
        """Start a question, within a running event loop. `steps` gives its events; its first needs no model, and comes at once.

        If it has to wait then, `waiting` makes an event of how many must end before its turn, each time that this changes: of 0
        last. The caller sees to it that the asking is stopped in the end. Raises TooManyQuestions or
        ServiceStopping.
        """
        asking = Asking(self, steps, waiting, asyncio.get_running_loop())
        with self._moved:
            if self._closed:
                raise _stopping()
            if len(self._line) >= self._most:
                full = f"{len(self._line)} questions are before this one, as many as can wait"
                raise TooManyQuestions(full, f"ask again in {RETRY_AFTER} seconds", RETRY_AFTER)
            self._line.append(asking)
        try:
            asking.thread.start()
        except RuntimeError:  # the system has no thread to give; the place in the line is not to be lost over it
            self.leave(asking)
            raise
        return asking

    def close(self) -> None:
        """Stop all questions, whose askers are told why, and admit none any more."""
        with self._moved:
            self._closed, line = True, list(self._line)
        for asking in line:
            asking.end(_stopping())

    def wait_for_model(self, asking: "Asking[Any]", tell: Callable[[int], None]) -> None:
        """Wait until the question is among those that may use the model, or is stopped.

        Where it waits, `tell` hears how many must end before, each time that this changes, 0 included.
        """
        told = 0
        with self._moved:
            while not asking.stop_flag.is_set:
                before = max(0, self._line.index(asking) + 1 - self._at_once)
                if before != told:
                    tell(before)
                if not before:
                    return
                told = before
                self._moved.wait()

    def leave(self, asking: "Asking[Any]") -> None:
        """The question has ended."""
        with self._moved:
            self._line.remove(asking)
            self._moved.notify_all()

    def stop(self, asking: "Asking[Any]") -> None:
        """Mark the question as stopped, and wake it where it waits."""
        asking.stop_flag.set()
        with self._moved:
            self._moved.notify_all()


class Asking(Generic[T]):
    """One question under way: an asynchronous iterator over its events, which raises what asking raised."""

    def __init__(
        self,
        admission: Admission,
        steps: Callable[[], Iterator[T]],
        waiting: Callable[[int], T] | None,
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        self.stop_flag = stopping.Stop()
        # A daemon: a service that is stopped does not wait for the model. Its log and spans belong to the request under way.
        self.thread = Thread(target=copy_context().run, args=(self._run,), name="asking", daemon=True)
        self._admission, self._steps, self._waiting, self._loop = admission, steps, waiting, loop
        self._told: asyncio.Queue[object] = asyncio.Queue()

    def stop(self) -> None:
        """Stop the model, whatever it is at. May be called from any thread, and more than once."""
        self._admission.stop(self)

    def end(self, error: Exception) -> None:
        """Stop it, and raise this to the asker at once: the model may take a while to stop."""
        self._tell(error)
        self.stop()

    def __aiter__(self) -> AsyncIterator[T]:
        return self

    async def __anext__(self) -> T:
        told = await self._told.get()
        if told is _END:
            raise StopAsyncIteration
        if isinstance(told, Exception):
            raise told
        return cast("T", told)

    def _run(self) -> None:
        try:
            with suppress(stopping.Stopped), stopping.by(self.stop_flag):
                self._take_steps()
        except Exception as error:  # noqa: BLE001 - whatever it is, the asker is told
            self._tell(error)
        finally:
            self._admission.leave(self)
            self._tell(_END)

    def _take_steps(self) -> None:
        steps = self._admission.watch(self._steps())
        with closing(cast("Any", steps)):
            for number, step in enumerate(steps):
                self._tell(step)
                if number == 0:
                    self._admission.wait_for_model(self, self._tell_waiting)
                if self.stop_flag.is_set:
                    return

    def _tell_waiting(self, before: int) -> None:
        if self._waiting:
            self._tell(self._waiting(before))

    def _tell(self, value: object) -> None:
        with suppress(RuntimeError):  # the loop is closed: nobody listens any more
            self._loop.call_soon_threadsafe(self._told.put_nowait, value)


def _stopping() -> ServiceStopping:
    return ServiceStopping("the service is stopping", "ask again once it has started anew")


async def drained(asking: Asking[T]) -> T | None:
    """The last event, of a question that somebody else stops."""
    told = None
    async for event in asking:
        told = event
    return told
