"""The rows of a table as a picture reads them, and the number that it draws for a row."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from decimal import Decimal
from math import isfinite
from numbers import Real
from typing import Any

from clicklib.codec import fields_of
from clicklib.engine.state import State
from clicklib.errors import UsageError
from clicklib.view import View

__all__ = ["Count", "Rows", "clicks_of", "counted"]

Count = Callable[[Any], Any]

_SHARE = 20  # reads of a table take at most 1/20 of the time


class Rows:
    """The rows of a view. They are read again only if the view got new records.

    `gather` gets the view's items. What it returns is kept.
    """

    def __init__(
        self, view: View, gather: Callable[[Iterable[tuple[str, Any]]], dict[str, Any]] = dict
    ) -> None:
        self.view = view
        self.rows: dict[str, Any] = {}
        self._gather = gather
        self._version: Any = None
        self._next = 0.0

    def read(self, now: bool = False) -> dict[str, Any]:
        """The rows by key. While the view starts or is stopped, the rows do not change.

        After a read that took long, the next one comes later, except with `now`.
        """
        if (time.monotonic() < self._next and not now) or self.view.state not in (
            State.RECOVERING,
            State.RUNNING,
            State.RECONNECTING,
        ):
            return self.rows
        begin = time.thread_time()  # the thread's own work, without its waits for a busy machine
        try:
            version = (self.view.state, self.view.stats().records_in)
            if version != self._version:
                self.rows = self._gather(self.view.items(stale=True))
                self._version = version
        except UsageError:
            pass  # at this very moment the view stopped, or opens its stores
        self._next = time.monotonic() + _SHARE * (time.thread_time() - begin)
        return self.rows


def counted(rows: dict[str, Any], count: Count) -> dict[str, float]:
    """The number of each row by key, as the browser takes it: 0 for one that is not finite."""
    numbers = {key: count(value) for key, value in rows.items()}
    return {key: n if type(n) is int else _finite(float(n)) for key, n in numbers.items()}


def _finite(number: float) -> float:
    return number if isfinite(number) else 0


def clicks_of(value: Any) -> Any:
    """The number in a row's value: itself, its `clicks` or `Clicks`, or the first number in it."""
    fields = fields_of(value) or {}
    names = ("clicks", "Clicks")
    found = (value, *(fields.get(name, getattr(value, name, None)) for name in names))
    return next((n for n in (*found, *fields.values()) if isinstance(n, Real | Decimal)), 0)
