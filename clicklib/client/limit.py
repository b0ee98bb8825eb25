"""The limit of a call: all steps below it share one deadline, whichever module makes them."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

__all__ = ["allowed", "time_left", "within"]

# When the wait is over, and how many seconds it was given.
_limit: ContextVar[tuple[float, float]] = ContextVar("limit", default=(math.inf, math.inf))


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


def time_left(most: float = math.inf) -> float:
    """The seconds that are left to wait, and not more than `most`."""
    return max(0.0, min(most, _limit.get()[0] - time.monotonic()))


def allowed() -> float:
    """The seconds that the whole wait was given."""
    return _limit.get()[1]
