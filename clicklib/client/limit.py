"""The limit of a call: all steps below it share one deadline, whichever module makes them.

They also share the question whether anybody still waits for their result.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

__all__ = ["allowed", "gives_up", "time_left", "until", "within"]

# When the wait is over, and how many seconds it was given.
_limit: ContextVar[tuple[float, float]] = ContextVar("limit", default=(math.inf, math.inf))
_gives_up: ContextVar[Callable[[], bool]] = ContextVar("gives_up", default=lambda: False)


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """Let the block wait for Kafka at most `seconds`, or less if an outer block ends earlier.

    It holds for this thread, and for threads that `retry.aside` starts.
    """
    token = _limit.set(min(_limit.get(), (time.monotonic() + seconds, seconds)))
    try:
        yield
    finally:
        _limit.reset(token)


@contextmanager
def until(stopping: Callable[[], bool]) -> Iterator[None]:
    """Let the block wait for Kafka until `stopping()` is true; it holds where `within` does."""
    outer = _gives_up.get()
    token = _gives_up.set(lambda: stopping() or outer())
    try:
        yield
    finally:
        _gives_up.reset(token)


def gives_up() -> Callable[[], bool]:
    """The question whether the wait is over early. Any thread may ask it."""
    return _gives_up.get()


def time_left(most: float = math.inf) -> float:
    """The seconds that are left to wait, and not more than `most`."""
    if _gives_up.get()():
        return 0.0
    return max(0.0, min(most, _limit.get()[0] - time.monotonic()))


def allowed() -> float:
    """The seconds that the whole wait was given."""
    return _limit.get()[1]
