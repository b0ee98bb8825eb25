"""Waiting, for cells that show what other threads and programs do."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import TypeVar

from clicklib.errors import KafkaError
from clicklib.given import check

__all__ = ["wait_until"]

T = TypeVar("T")
_SILENT = 10.0  # seconds


def wait_until(what: str, holds: Callable[[], T], timeout: float = 120) -> T:
    """Wait until `holds()` is true, and return its value. It is asked again and again.

    A broker that is away for a moment does not end the wait. After ten seconds it prints what it
    waits for. Raises TimeoutError, which says `what` did not happen, after `timeout` seconds.
    """
    check(what=what, holds=holds, timeout__wait=timeout)
    begin, told = time.monotonic(), False
    while True:
        problem, asked = None, time.monotonic()
        try:
            if value := holds():
                return value
        except KafkaError as exc:
            problem = exc
        now = time.monotonic()
        if now > begin + timeout:
            raise TimeoutError(f"not within {timeout} s: {what}") from problem
        if now > begin + _SILENT and not told:
            told = True
            sys.stdout.write(f"Still waiting, for at most {timeout:g} seconds: {what}\n")
        time.sleep(max(0.01, now - asked))  # on a busy machine others need the time too
