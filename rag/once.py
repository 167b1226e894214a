"""What is opened once: by the first who needs it, while others wait for it."""

from collections.abc import Callable
from functools import cached_property
from threading import RLock
from typing import TYPE_CHECKING, Any, TypeVar

from rag import stopping

T = TypeVar("T")


class once(cached_property[T]):  # noqa: N801  # a decorator, as `cached_property` is
    """A cached property that one thread computes at a time, as `cached_property` did until Python 3.12. Errors are not kept."""

    def __init__(self, func: Callable[[Any], T]) -> None:
        super().__init__(func)
        self._one = RLock()

    if not TYPE_CHECKING:  # its types are those of `cached_property`

        def __get__(self, instance: Any, owner: Any = None) -> Any:
            """The value; the first to ask computes it. Who waits for that may be stopped, and raises Stopped."""
            if instance is None or self.attrname in vars(instance):
                return super().__get__(instance, owner)
            stopping.acquire(self._one)
            try:
                return super().__get__(instance, owner)
            finally:
                self._one.release()
