"""Who has logged in on the page: in memory, so logging out ends a session for good, and so does the end of the service.

Litestar's own sessions go on under the id that a browser came with, which somebody else may have put there.
"""

import secrets
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256

# Seconds after which one has to log in again.
LASTS = 7 * 24 * 3600
# Those who have logged in longest ago are the first to have to do it again.
_MOST = 1000


@dataclass(frozen=True, slots=True)
class Session:
    """`key` is the digest of the key that began it, `csrf` what the page has to send to prove that it asks itself."""

    key: str
    csrf: str
    ends: float


class Sessions:
    """The sessions that were begun and not ended. Whether the key still is one is for others to ask."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._kept: OrderedDict[str, Session] = OrderedDict()

    def begin(self, key: str) -> tuple[str, Session]:
        """A new session for the key of this digest, and its token, which is nowhere else."""
        token = secrets.token_urlsafe(32)
        session = Session(key, secrets.token_urlsafe(32), self._clock() + LASTS)
        self._kept[_digest(token)] = session
        while len(self._kept) > _MOST:
            self._kept.popitem(last=False)
        return token, session

    def find(self, token: str) -> Session | None:
        """The session of this token; None where there is none, or where it has ended."""
        session = self._kept.get(_digest(token))
        return session if session and session.ends > self._clock() else None

    def end(self, token: str) -> None:
        """End it, if there is one."""
        self._kept.pop(_digest(token), None)


def _digest(token: str) -> str:
    # Looked up by its digest, a token cannot be guessed sign by sign from how long the look takes.
    return sha256(token.encode("utf-8", "surrogatepass")).hexdigest()
