"""Waiting, for cells that show what other threads and programs do."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from clicklib.errors import KafkaError

__all__ = ["wait_until"]

T = TypeVar("T")


def wait_until(what: str, holds: Callable[[], T], timeout: float = 30) -> T:
    """Wait until `holds()` is true, and return its value. It is asked again and again.

    A broker that is away for a moment does not end the wait. Raises TimeoutError, which says
    `what` did not happen, after `timeout` seconds.
    """
    deadline = time.monotonic() + timeout
    while True:
        problem = None
        try:
            if value := holds():
                return value
        except KafkaError as exc:
            problem = exc
        if time.monotonic() > deadline:
            raise TimeoutError(f"not within {timeout} s: {what}") from problem
        time.sleep(0.01)
