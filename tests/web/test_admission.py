import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterator

import pytest

from rag import stopping
from rag.errors import QuestionError, ServiceStopping, TooManyQuestions
from rag.web.admission import RETRY_AFTER, Admission, Asking, last_event
from tests.web.conftest import questions_running, until


class Steps:
    """Steps that go on only when the test says so; they note which threads took and left them."""

    def __init__(self, *, most: int = 3) -> None:
        self.most, self.going = most, threading.Event()
        self.taken: list[int] = []
        self.threads: list[int] = []

    def __call__(self) -> Iterator[int]:
        self.threads.append(threading.get_ident())
        try:
            yield 0
            for step in range(1, self.most):
                self.taken.append(step)
                yield step
                assert self.going.wait(60)
        finally:
            self.threads.append(threading.get_ident())


async def first(asking: Asking[int]) -> int:
    async for step in asking:
        return step
    raise AssertionError("nothing came")


def run(test: Callable[[], Awaitable[None]]) -> None:
    async def bounded() -> None:
        await asyncio.wait_for(test(), 120)

    asyncio.run(bounded())
    until(lambda: not questions_running())


async def true(met: Callable[[], object]) -> None:
    while not met():  # noqa: ASYNC110 - there is no event to wait for
        await asyncio.sleep(0.01)


def test_steps_come_in_their_order_and_end() -> None:
    async def test() -> None:
        assert [step async for step in Admission().admit(lambda: iter_of(5))] == [0, 1, 2, 3, 4]

    run(test)


def iter_of(count: int) -> Iterator[int]:
    yield from range(count)


def test_what_asking_raises_is_raised() -> None:
    def broken() -> Iterator[int]:
        yield 0
        raise QuestionError("it is empty", "ask something")

    async def test() -> None:
        asking = Admission().admit(broken)
        assert await first(asking) == 0
        with pytest.raises(QuestionError, match="it is empty"):
            await first(asking)

    run(test)


def test_each_has_its_first_step_at_once_and_the_model_in_turn() -> None:
    async def test() -> None:
        admission, every = Admission(at_once=1, most_waiting=2), [Steps(), Steps(), Steps()]
        askings = [admission.admit(steps) for steps in every]
        assert [await first(asking) for asking in askings] == [0, 0, 0]
        await true(lambda: every[0].taken)
        assert [steps.taken for steps in every] == [[1], [], []]
        every[0].going.set()
        assert [step async for step in askings[0]] == [1, 2]
        await true(lambda: every[1].taken)
        assert every[2].taken == []
        for steps in every:
            steps.going.set()
        assert [step async for step in askings[2]] == [1, 2]

    run(test)


def test_a_waiting_question_reports_how_many_are_ahead_until_there_are_none() -> None:
    async def test() -> None:
        admission, every = Admission(at_once=2, most_waiting=3), [Steps() for _ in range(5)]
        askings = [admission.admit(steps, lambda before: -before) for steps in every]
        last = askings[4]
        assert [await first(last), await first(last)] == [0, -3]
        askings[3].stop()
        assert await first(last) == -2
        for steps in every:
            steps.going.set()
        for asking in askings[:3]:
            await last_event(asking)
        rest = [step async for step in last]
        assert rest[-3:] == [0, 1, 2]
        assert rest == sorted(rest)
        assert [step async for step in admission.admit(every[0], lambda before: -before)] == [0, 1, 2]

    run(test)


def test_as_many_as_may_are_with_the_model_at_once() -> None:
    async def test() -> None:
        admission, every = Admission(at_once=2, most_waiting=1), [Steps(), Steps(), Steps()]
        for steps in every:
            admission.admit(steps)
        await true(lambda: every[0].taken and every[1].taken)
        assert every[2].taken == []
        admission.close()
        for steps in every:
            steps.going.set()

    run(test)


def test_with_a_full_queue_a_question_is_refused_with_the_time_to_try_again() -> None:
    async def test() -> None:
        admission, every = Admission(at_once=1, most_waiting=1), [Steps(), Steps()]
        askings = [admission.admit(steps) for steps in every]
        with pytest.raises(
            TooManyQuestions, match="2 questions are ahead of this one, and the queue is full; try again in 10 seconds"
        ) as caught:
            admission.admit(Steps())
        assert caught.value.retry_after == RETRY_AFTER
        askings[1].stop()
        await true(lambda: questions_running() == 1)
        third = Steps()
        third.going.set()
        admitted = admission.admit(third)
        every[0].going.set()
        assert [step async for step in admitted] == [0, 1, 2]

    run(test)


def test_one_that_is_stopped_goes_no_further_and_is_closed_by_its_own_thread() -> None:
    async def test() -> None:
        steps = Steps(most=1000)
        asking = Admission().admit(steps)
        await true(lambda: steps.taken)
        asking.stop()
        asking.stop()
        steps.going.set()
        assert [step async for step in asking][:2] == [0, 1]
        assert len(steps.taken) <= 2
        assert steps.threads[0] == steps.threads[1] != threading.get_ident()

    run(test)


def test_the_stop_is_that_of_the_work_in_its_thread() -> None:
    working, reached = threading.Event(), threading.Event()

    def steps() -> Iterator[int]:
        yield 0
        with stopping.current().telling(reached.set):
            working.set()
            assert reached.wait(60)
        stopping.current().check()
        yield 1

    async def test() -> None:
        asking = Admission().admit(steps)
        assert await first(asking) == 0
        await true(working.is_set)
        asking.stop()
        assert [step async for step in asking] == []
        assert reached.is_set()

    run(test)


def test_one_that_is_stopped_while_it_waits_never_meets_the_model() -> None:
    async def test() -> None:
        admission, before, steps = Admission(), Steps(), Steps()
        admission.admit(before)
        asking = admission.admit(steps)
        assert await first(asking) == 0
        asking.stop()
        assert [step async for step in asking] == []
        assert steps.taken == []
        before.going.set()

    run(test)


def test_when_it_is_closed_every_question_raises_and_none_is_admitted() -> None:
    async def test() -> None:
        admission, every = Admission(), [Steps(), Steps()]
        askings = [admission.admit(steps) for steps in every]
        assert [await first(asking) for asking in askings] == [0, 0]
        await true(lambda: every[0].taken)
        assert await first(askings[0]) == 1
        admission.close()
        for asking in askings:  # at once: the first is within a step, and the second would only be woken
            with pytest.raises(ServiceStopping, match="try again once it has restarted"):
                await first(asking)
        with pytest.raises(ServiceStopping, match="try again once it has restarted"):
            admission.admit(Steps())
        every[0].going.set()

    run(test)


def test_a_loop_that_is_gone_keeps_no_thread() -> None:
    steps = Steps(most=1000)
    steps.going.set()

    async def leave() -> None:
        asking = Admission().admit(steps)
        await first(asking)
        asking.stop()

    asyncio.run(leave())
    until(lambda: not questions_running())
