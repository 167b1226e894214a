"""How often each key may ask: a token bucket for each, in memory. Knows nothing of HTTP.

Litestar's own limiter counts in fixed windows, so that twice the limit fits around the turn of one, says no `Retry-After`, and
runs before a route's guards, when nobody knows the key yet.
"""

import math
import time
from collections.abc import Callable

from rag.errors import TooManyRequests


class Buckets:
    """A bucket for each key that asked; it holds a minute's worth of requests, and fills in a minute."""

    def __init__(self, per_minute: int, clock: Callable[[], float] = time.monotonic) -> None:
        """`per_minute` 0 sets no limit. `clock` gives seconds."""
        self._most, self._clock = per_minute, clock
        self._left: dict[str, tuple[float, float]] = {}

    def take(self, name: str) -> None:
        """One request of `name`. Raises TooManyRequests."""
        if not self._most:
            return
        now = self._clock()
        left, at = self._left.get(name, (float(self._most), now))
        left = min(float(self._most), left + (now - at) * self._most / 60)
        if left < 1:
            wait = math.ceil((1 - left) * 60 / self._most)
            mend = f"ask again in {wait} seconds, or set RAG_REQUESTS_PER_MINUTE higher"
            raise TooManyRequests(f"this key has asked {self._most} times in a minute", mend, wait)
        self._left[name] = (left - 1, now)
