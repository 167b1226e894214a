"""Admission control: a few questions use the model at once, a bounded number wait in a queue, and more are refused.

Each question runs in a thread of its own from its first step to its last: a generator that holds a lock across its steps must
be closed by the thread that started it. Knows nothing of HTTP.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import closing, suppress
from contextvars import copy_context
from threading import Condition, Thread
from typing import Any, Generic, TypeVar, cast

from rag import stopping
from rag.errors import ServiceStopping, TooManyQuestions

# The model reads for one question at a time: a second one would wait for its lock.
AT_ONCE = 1
# Behind so many, a client waits for minutes on two slow cores, and does better to try again.
MOST_WAITING = 15
# Seconds: about what one answer takes.
RETRY_AFTER = 10

T = TypeVar("T")
_END = object()


class Admission:
    """The queue before the model: its first `at_once` questions use the model, the others wait.

    The events of each question pass through `watch`, in the question's thread.
    """

    watch: Callable[[Iterator[Any]], Iterator[Any]] = staticmethod(lambda steps: steps)

    def __init__(self, at_once: int = AT_ONCE, most_waiting: int = MOST_WAITING) -> None:
        self._at_once, self._most = at_once, at_once + most_waiting
        self._queue: list[Asking[Any]] = []
        self._changed = Condition()
        self._closed = False

    @property
    def length(self) -> int:
        """How many questions use the model or wait for it."""
        return len(self._queue)

    @property
    def places(self) -> int:
        """How many questions may use the model or wait for it, at most."""
        return self._most

    def admit(self, steps: Callable[[], Iterator[T]], waiting: Callable[[int], T] | None = None) -> "Asking[T]":
        """Start a question, within a running event loop. The caller must stop the returned `Asking` in the end.

        `steps` gives the events. The first needs no model and comes at once; then the question waits for the model. While it
        waits, `waiting` makes an event of the number of questions ahead, each time that it changes, 0 last.

        Raises TooManyQuestions or ServiceStopping.
        """
        asking = Asking(self, steps, waiting, asyncio.get_running_loop())
        with self._changed:
            if self._closed:
                raise _stopping()
            if len(self._queue) >= self._most:
                full = f"{len(self._queue)} questions are ahead of this one, and the queue is full"
                raise TooManyQuestions(full, f"try again in {RETRY_AFTER} seconds", RETRY_AFTER)
            self._queue.append(asking)
        try:
            asking.thread.start()
        except RuntimeError:  # the system has no thread left; free the place in the queue
            self.leave(asking)
            raise
        return asking

    def close(self) -> None:
        """Stop all questions with ServiceStopping, and admit no more."""
        with self._changed:
            self._closed, queue = True, list(self._queue)
        for asking in queue:
            asking.end(_stopping())

    def wait_for_model(self, asking: "Asking[Any]", report: Callable[[int], None]) -> None:
        """Wait until the question may use the model, or is stopped.

        If it has to wait, `report` gets the number of questions ahead, each time that it changes, 0 included.
        """
        reported = 0
        with self._changed:
            while not asking.stop_flag.is_set:
                ahead = max(0, self._queue.index(asking) + 1 - self._at_once)
                if ahead != reported:
                    report(ahead)
                if not ahead:
                    return
                reported = ahead
                self._changed.wait()

    def leave(self, asking: "Asking[Any]") -> None:
        """Remove a question that has ended from the queue."""
        with self._changed:
            self._queue.remove(asking)
            self._changed.notify_all()

    def stop(self, asking: "Asking[Any]") -> None:
        """Mark the question as stopped, and wake it if it waits."""
        asking.stop_flag.set()
        with self._changed:
            self._changed.notify_all()


class Asking(Generic[T]):
    """One question under way: an asynchronous iterator over its events. It raises what the question's thread raised."""

    def __init__(
        self,
        admission: Admission,
        steps: Callable[[], Iterator[T]],
        waiting: Callable[[int], T] | None,
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        self.stop_flag = stopping.Stop()
        # A daemon, so that a service which ends does not wait for the model. What the thread logs and traces belongs to the
        # request, whose context it gets.
        self.thread = Thread(target=copy_context().run, args=(self._run,), name="asking", daemon=True)
        self._admission, self._steps, self._waiting, self._loop = admission, steps, waiting, loop
        self._events: asyncio.Queue[object] = asyncio.Queue()

    def stop(self) -> None:
        """Stop the question, within whatever step it is. Safe from any thread, and more than once."""
        self._admission.stop(self)

    def end(self, error: Exception) -> None:
        """Stop the question, and raise `error` from the iterator at once: the model may take a while to stop."""
        self._emit(error)
        self.stop()

    def __aiter__(self) -> AsyncIterator[T]:
        return self

    async def __anext__(self) -> T:
        event = await self._events.get()
        if event is _END:
            raise StopAsyncIteration
        if isinstance(event, Exception):
            raise event
        return cast("T", event)

    def _run(self) -> None:
        try:
            with suppress(stopping.Stopped), stopping.by(self.stop_flag):
                self._take_steps()
        except Exception as error:  # noqa: BLE001 - whatever it is, the iterator raises it
            self._emit(error)
        finally:
            self._admission.leave(self)
            self._emit(_END)

    def _take_steps(self) -> None:
        steps = self._admission.watch(self._steps())
        with closing(cast("Any", steps)):
            for number, step in enumerate(steps):
                self._emit(step)
                if number == 0:
                    self._admission.wait_for_model(self, self._emit_waiting)
                if self.stop_flag.is_set:
                    return

    def _emit_waiting(self, ahead: int) -> None:
        if self._waiting:
            self._emit(self._waiting(ahead))

    def _emit(self, value: object) -> None:
        with suppress(RuntimeError):  # the event loop is closed
            self._loop.call_soon_threadsafe(self._events.put_nowait, value)


def _stopping() -> ServiceStopping:
    return ServiceStopping("the service is stopping", "try again once it has restarted")


async def last_event(asking: Asking[T]) -> T | None:
    """The last event of a question; None where it had none. The caller stops the question."""
    last = None
    async for event in asking:
        last = event
    return last
