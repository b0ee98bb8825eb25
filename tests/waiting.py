"""Waiting in tests: for a named condition, with a deadline."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def wait_until(
    what: str, condition: Callable[[], T], timeout: float = 60, every: float = 0.05
) -> T:
    """The first true value of `condition`, asked again `every` few seconds.

    Raises AssertionError that says `what` did not come true within `timeout` seconds.
    """
    deadline = time.monotonic() + timeout
    while True:
        late = time.monotonic() >= deadline
        value = condition()
        if value:
            return value
        assert not late, f"not within {timeout} s: {what} (last seen: {value!r})"
        time.sleep(every)
