import pytest

from rag.errors import TooManyRequests
from rag.web.rates import Buckets


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_bucket_is_emptied_at_once_and_fills_with_time() -> None:
    clock = Clock()
    buckets = Buckets(6, clock)
    for _ in range(6):
        buckets.take("a")
    with pytest.raises(TooManyRequests, match="ask again in 10 seconds") as caught:
        buckets.take("a")
    assert caught.value.retry_after == 10
    buckets.take("b")
    clock.now += 9.5
    with pytest.raises(TooManyRequests) as caught:
        buckets.take("a")
    assert caught.value.retry_after == 1
    clock.now += 0.5
    buckets.take("a")
    with pytest.raises(TooManyRequests):
        buckets.take("a")


def test_a_bucket_holds_no_more_than_a_minutes_worth() -> None:
    clock = Clock()
    buckets = Buckets(2, clock)
    buckets.take("a")
    clock.now += 10_000
    buckets.take("a")
    buckets.take("a")
    with pytest.raises(TooManyRequests):
        buckets.take("a")


def test_none_is_no_limit() -> None:
    buckets = Buckets(0, Clock())
    for _ in range(10_000):
        buckets.take("a")
