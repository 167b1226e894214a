"""What is opened once: by the first who needs it, while others wait for it."""

from collections.abc import Callable
from concurrent.futures import Future
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

from rag import stopping
from rag.stopping import Stopped

T = TypeVar("T")


class once(cached_property[T]):  # noqa: N801  # a decorator, as `cached_property` is
    """A cached property that one thread computes at a time, as `cached_property` did until Python 3.12.

    Who waits for that raises its error too, for it need not be tried by each in turn; whoever asks later tries again. Who waits
    may be stopped, and raises Stopped.
    """

    def __init__(self, func: Callable[[Any], T]) -> None:
        super().__init__(func)
        self._under_way = f"_{func.__name__}_under_way"

    if not TYPE_CHECKING:  # its types are those of `cached_property`

        def __get__(self, instance: Any, owner: Any = None) -> Any:
            """The value; the first to ask computes it."""
            if instance is None or self.attrname in vars(instance):
                return super().__get__(instance, owner)
            own = Future()
            while (under_way := vars(instance).setdefault(self._under_way, own)) is not own:
                try:
                    return stopping.result(under_way)
                except Stopped:  # it was the other's; then it is to be computed here
                    stopping.current().check()
            return self._computed(instance, owner, own)

        def _computed(self, instance: Any, owner: Any, own: Future) -> Any:
            """The value, also for those who wait. Where it has been computed just now, that one."""
            try:
                value = super().__get__(instance, owner)
            except BaseException as error:
                # Before they are told: whoever tries again is to find nothing under way.
                del vars(instance)[self._under_way]
                own.set_exception(error)
                raise
            del vars(instance)[self._under_way]
            own.set_result(value)
            return value
