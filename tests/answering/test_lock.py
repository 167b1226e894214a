import threading
from collections.abc import Iterator

import pytest

from rag import stopping
from rag.answering.lock import ModelLock
from rag.stopping import Stop, Stopped


def written(turn: ModelLock) -> Iterator[int]:
    with turn.taken():
        yield from range(3)


def test_a_generator_that_another_thread_closes_gives_its_turn_back() -> None:
    turn = ModelLock()
    pieces = written(turn)
    assert next(pieces) == 0
    closing = threading.Thread(target=pieces.close)  # type: ignore[attr-defined]
    closing.start()
    closing.join()
    assert list(written(turn)) == [0, 1, 2]


def test_one_who_waits_goes_when_it_is_stopped() -> None:
    turn, stop, gone = ModelLock(), Stop(), threading.Event()

    def wait() -> None:
        with stopping.by(stop), pytest.raises(Stopped), turn.taken():
            raise AssertionError("two had the turn")
        gone.set()

    with turn.taken():
        thread = threading.Thread(target=wait)
        thread.start()
        stop.set()
        assert gone.wait(60)
        thread.join()


def test_one_thread_cannot_wait_for_itself() -> None:
    turn = ModelLock()
    pieces = written(turn)
    next(pieces)
    with pytest.raises(RuntimeError, match="close it first"):
        next(written(turn))
    assert list(pieces) == [1, 2]
    assert list(written(turn)) == [0, 1, 2]
