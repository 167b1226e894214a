import threading
from concurrent.futures import Future

import pytest

from rag import stopping
from rag.stopping import Stop, Stopped


def test_nobody_stops_what_nobody_named_a_stop_for() -> None:
    stopping.current().check()


def test_a_stop_is_of_its_thread_and_of_its_block() -> None:
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


def test_who_registered_is_told_once_and_only_within_its_block() -> None:
    stop, told = Stop(), []
    with stop.telling(lambda: told.append("first")):
        stop.set()
    with stop.telling(lambda: told.append("late")):
        pass
    stop.set()
    assert told == ["first", "late"]


def test_a_stop_from_another_thread_reaches_who_waits() -> None:
    stop, reached = Stop(), threading.Event()
    with stop.telling(reached.set):
        threading.Thread(target=stop.set).start()
        assert reached.wait(60)


def test_whoever_waits_for_a_result_gets_it_or_is_stopped() -> None:
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
