import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from rag import stopping
from rag.stopping import Stop, Stopped, once


def test_without_a_named_flag_nothing_stops() -> None:
    stopping.current().check()


def test_a_flag_holds_in_its_thread_and_its_block() -> None:
    stop, seen = Stop(), []
    stop.set()
    with stopping.by(stop):
        thread = threading.Thread(target=lambda: seen.append(stopping.current().is_set))
        thread.start()
        thread.join()
        with pytest.raises(Stopped):
            stopping.current().check()
    stopping.current().check()
    assert seen == [False]


def test_a_callback_is_called_once_and_only_within_its_block() -> None:
    stop, called = Stop(), []
    with stop.telling(lambda: called.append("first")):
        stop.set()
    with stop.telling(lambda: called.append("late")):
        pass
    stop.set()
    assert called == ["first", "late"]


def test_a_flag_set_in_another_thread_reaches_a_waiter() -> None:
    stop, reached = Stop(), threading.Event()
    with stop.telling(reached.set):
        threading.Thread(target=stop.set).start()
        assert reached.wait(60)


def test_waiting_for_a_result_gives_it_or_is_stopped() -> None:
    stop, never = Stop(), Future[str]()
    with stopping.by(stop):
        stop_later = threading.Timer(0.05, stop.set)
        stop_later.start()
        with pytest.raises(Stopped):
            stopping.result(never)
    done, failed = Future[str](), Future[str]()
    done.set_result("made")
    failed.set_exception(TimeoutError("its own"))
    assert stopping.result(done) == "made"
    with pytest.raises(TimeoutError, match="its own"):
        stopping.result(failed)


class Room:
    """Its window takes a while to open, and its entry fails the first time."""

    def __init__(self) -> None:
        self.opened, self.both = 0, threading.Barrier(2)

    @once
    def window(self) -> object:
        self.opened += 1
        time.sleep(0.1)
        return object()

    @once
    def entry(self) -> object:
        self.opened += 1
        if self.opened == 1:
            raise OSError("it is locked")
        return object()

    def look(self) -> object:
        self.both.wait(20)
        return self.window


def test_two_threads_get_one_value_that_was_computed_once() -> None:
    room = Room()
    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(lambda _: room.look(), range(2))
    assert first is second
    assert room.opened == 1


def test_an_error_is_not_kept() -> None:
    room = Room()
    with pytest.raises(OSError, match="locked"):
        _ = room.entry
    assert room.entry is room.entry


def test_it_can_be_set_as_a_cached_property_can() -> None:
    room = Room()
    room.window = "open"
    assert room.window == "open"
    assert room.opened == 0


class Gate:
    """Opens, or fails, when `goes_on` is set."""

    def __init__(self, *outcomes: str | Exception) -> None:
        self.outcomes, self.opening, self.goes_on = list(outcomes), threading.Event(), threading.Event()

    @once
    def gate(self) -> str:
        outcome = self.outcomes.pop(0)
        self.opening.set()
        assert self.goes_on.wait(120)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    def waiting(self, pool: ThreadPoolExecutor, count: int) -> list[Future[str]]:
        """`count` threads that access the gate, of which the first computes it."""
        first = pool.submit(lambda: self.gate)
        assert self.opening.wait(60)
        others = threading.Barrier(count)

        def look() -> str:
            others.wait(60)
            return self.gate

        waiting = [pool.submit(look) for _ in range(count - 1)]
        others.wait(60)
        time.sleep(0.1)  # time to start waiting; one that is later computes the value itself
        return [first, *waiting]


def test_a_waiter_can_be_stopped_while_another_thread_computes() -> None:
    slow, stop = Gate("open"), Stop()
    with ThreadPoolExecutor(1) as pool:
        (first,) = slow.waiting(pool, 1)
        stop.set()
        with stopping.by(stop), pytest.raises(Stopped):
            _ = slow.gate
        slow.goes_on.set()
        assert first.result() == "open"
    with stopping.by(stop):
        assert slow.gate == "open"  # it is computed: nothing to wait for


def test_concurrent_waiters_receive_the_same_exception() -> None:
    slow = Gate(OSError("it is locked"), "open")
    with ThreadPoolExecutor(3) as pool:
        asked = slow.waiting(pool, 3)
        slow.goes_on.set()
        assert [str(one.exception()) for one in asked] == ["it is locked"] * 3
    assert slow.gate == "open"


def test_if_the_computing_thread_is_stopped_a_waiter_computes() -> None:
    slow = Gate(Stopped(), "open")
    with ThreadPoolExecutor(3) as pool:
        first, *others = slow.waiting(pool, 3)
        slow.goes_on.set()
        assert isinstance(first.exception(), Stopped)
        assert [one.result() for one in others] == ["open"] * 2
    assert slow.outcomes == []
