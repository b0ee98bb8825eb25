"""The rows of a table as a picture reads them, and the number that it draws for a row."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import msgspec

from clicklib.engine.state import State
from clicklib.errors import UsageError
from clicklib.view import View

__all__ = ["Count", "Rows", "clicks_of"]

Count = Callable[[Any], float]

_SHARE = 20  # reads of a table take at most 1/20 of the time


class Rows:
    """The rows of a view. They are read again only if the view got new records."""

    def __init__(self, view: View) -> None:
        self.view = view
        self.rows: dict[str, Any] = {}
        self._version: Any = None
        self._next = 0.0

    def read(self) -> dict[str, Any]:
        """The rows by key. While the view starts or is stopped, the rows do not change."""
        if time.monotonic() < self._next or self.view.state not in (
            State.RECOVERING,
            State.RUNNING,
            State.RECONNECTING,
        ):
            return self.rows
        begin = time.thread_time()  # the thread's own work, without its waits for a busy machine
        try:
            version = (self.view.state, self.view.stats().records_in)
            if version != self._version:
                self.rows = dict(self.view.items(stale=True))
                self._version = version
        except UsageError:
            pass  # at this very moment the view stopped, or opens its stores
        self._next = time.monotonic() + _SHARE * (time.thread_time() - begin)
        return self.rows


def clicks_of(value: Any) -> float:
    """The number in a row's value: itself, its `clicks` or `Clicks`, or the first number in it."""
    if isinstance(value, int | float):
        return value
    fields = msgspec.to_builtins(value)
    if isinstance(fields, dict):
        for each in (fields.get("clicks"), fields.get("Clicks"), *fields.values()):
            if isinstance(each, int | float):
                return each
    return 0
