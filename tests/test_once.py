import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from rag import stopping
from rag.once import once
from rag.stopping import Stop, Stopped


class Room:
    """Its window takes a while to be opened, and its door is locked at first."""

    def __init__(self) -> None:
        self.opened, self.both = 0, threading.Barrier(2)

    @once
    def window(self) -> object:
        self.opened += 1
        time.sleep(0.1)
        return object()

    @once
    def door(self) -> object:
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
        _ = room.door
    assert room.door is room.door


def test_it_can_be_set_as_a_cached_property_can() -> None:
    room = Room()
    room.window = "open"
    assert room.window == "open"
    assert room.opened == 0


def test_one_who_waits_for_another_to_open_it_goes_when_it_is_stopped() -> None:
    opens, opening, stop = threading.Event(), threading.Event(), Stop()

    class Slow:
        @once
        def gate(self) -> str:
            opening.set()
            assert opens.wait(120)
            return "open"

    slow = Slow()
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(lambda: slow.gate)
        assert opening.wait(60)
        stop.set()
        with stopping.by(stop), pytest.raises(Stopped):
            _ = slow.gate
        opens.set()
        assert first.result() == "open"
    with stopping.by(stop):
        assert slow.gate == "open"  # nobody waits for it any more
