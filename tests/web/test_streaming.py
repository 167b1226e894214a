"""The response to a question whose client waits, and to one whose client has disconnected."""

import asyncio
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from litestar import Request

from rag import stopping
from rag.errors import QuestionError
from rag.web.admission import Admission
from rag.web.streaming import first, last, message, no_response, unless_disconnected, wants_events
from tests.web.conftest import PATIENCE, questions_running, until


def request(*, disconnected: bool = False, accept: str = "") -> Request[Any, Any, Any]:
    """A request whose body was read, and whose client has or has not disconnected since."""

    async def receive() -> Any:
        return {"type": "http.disconnect"} if disconnected else await asyncio.Event().wait()

    headers = [(b"accept", accept.encode())] if accept else []
    scope: Any = {"type": "http", "method": "POST", "path": "/", "query_string": b"", "headers": headers}
    return Request(scope, receive)


class Stuck:
    """Steps of a question that are within the first until they are stopped."""

    def __init__(self) -> None:
        self.working, self.stopped = threading.Event(), threading.Event()

    def __call__(self) -> Iterator[int]:
        with stopping.current().telling(self.stopped.set):
            self.working.set()
            assert self.stopped.wait(PATIENCE)
        yield from ()


def broken() -> Iterator[int]:
    yield from ()
    raise QuestionError("it is empty", "ask something")


def run(work: Any) -> None:
    asyncio.run(asyncio.wait_for(work, PATIENCE))
    until(lambda: not questions_running())


@pytest.mark.parametrize(
    ("accept", "events"),
    [
        ("", False),
        ("*/*", False),
        ("application/json", False),
        ("text/event-stream", True),
        ("text/event-stream, application/json;q=0.5", True),
        ("text/event-stream;q=0.5, application/json", False),
    ],
)
def test_events_are_sent_where_the_client_prefers_them(accept: str, *, events: bool) -> None:
    assert wants_events(request(accept=accept)) is events


def test_an_event_has_its_data_as_json() -> None:
    sent = message("token", {"text": "baris\nbaru “x”"})
    assert (sent.event, sent.data) == ("token", b'{"text":"baris\\nbaru \xe2\x80\x9cx\xe2\x80\x9d"}')


def test_a_client_that_waits_gets_the_first_or_the_last_event() -> None:
    async def test() -> None:
        asking = Admission().admit(lambda: (number for number in (1, 2, 3)))
        assert await first(asking, request()) == 1
        assert not asking.stop_flag.is_set
        assert await last(asking, request()) == 3
        assert asking.stop_flag.is_set

    run(test())


@pytest.mark.parametrize("wait", [first, last])
def test_a_client_that_has_disconnected_gets_nothing_and_the_question_is_stopped(wait: Any) -> None:
    stuck = Stuck()

    async def test() -> None:
        assert await wait(Admission().admit(stuck), request(disconnected=True)) is None

    run(test())
    assert stuck.stopped.is_set() or not stuck.working.is_set()


@pytest.mark.parametrize("wait", [first, last])
def test_an_error_is_raised_and_the_question_is_stopped(wait: Any) -> None:
    async def test() -> None:
        asking = Admission().admit(broken)
        with pytest.raises(QuestionError, match="it is empty"):
            await wait(asking, request())
        assert asking.stop_flag.is_set

    run(test())


def test_work_is_cancelled_when_the_client_disconnects_and_its_result_given_else() -> None:
    cancelled: list[bool] = []

    async def work(pause: float) -> str:
        try:
            await asyncio.sleep(pause)
        except asyncio.CancelledError:
            cancelled.append(True)
            raise
        return "done"

    async def test() -> None:
        assert await unless_disconnected(work(0), request()) == "done"
        assert cancelled == []
        assert await unless_disconnected(work(PATIENCE), request(disconnected=True)) is None
        await asyncio.sleep(0)
        assert cancelled == [True]

    run(test())


def test_what_is_returned_after_a_disconnect_has_no_body() -> None:
    assert (no_response().status_code, no_response().content) == (204, None)
