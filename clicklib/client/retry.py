"""Repeats a step that may fail for a while, until it succeeds or the time is over."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from contextvars import copy_context
from typing import TypeVar

from clicklib.client.limit import time_left
from clicklib.errors import UnavailableError

__all__ = ["Patience", "aside", "keep_trying"]

T = TypeVar("T")


def _is_unavailable(error: Exception) -> bool:
    return isinstance(error, UnavailableError)


def keep_trying(
    step: Callable[[], T],
    seconds: float,
    *,
    passes: Callable[[Exception], bool] = _is_unavailable,
    pause: float = 0.1,
) -> T:
    """Return what `step()` returns; call it again while it raises an error that may pass.

    `passes` tells which errors may pass by themselves; without it UnavailableError may. The error
    is raised when `seconds` or those of `within` are over, or when `until` says so. The step is
    called at least once, with `pause` seconds between two calls.
    """
    deadline = time.monotonic() + seconds
    while True:
        try:
            return step()
        except Exception as exc:
            if not passes(exc) or not time_left() or time.monotonic() > deadline:
                raise
        time.sleep(pause)


def aside(step: Callable[[], T]) -> Future[T]:
    """Call `step()` on a thread of its own, which does not keep the program from ending."""
    promise: Future[T] = Future()

    def run() -> None:
        try:
            promise.set_result(step())
        except BaseException as exc:
            promise.set_exception(exc)

    here = copy_context()  # with the limits of `within` and `until`
    thread = threading.Thread(target=here.run, args=(run,), name="clicklib aside", daemon=True)
    thread.start()
    return promise


class Patience:
    """How long to wait for an answer. The first wait is 2 s. After a failure it is `limit` seconds.

    A broken connection can lose an answer, and then a short wait and a second question are best.
    Over a slow link only a long wait helps, as long as the user allows.
    """

    FIRST = 2.0

    def __init__(self, limit: float) -> None:
        self._limit = limit
        self.reset()

    @property
    def is_over(self) -> bool:
        """Whether the wait has reached its limit."""
        return self.seconds >= self._limit

    def reset(self) -> None:
        """Begin again with the short wait: an answer came."""
        self.seconds = min(self.FIRST, self._limit)

    def grow(self) -> None:
        """Wait longer next time: no answer came."""
        self.seconds = self._limit
