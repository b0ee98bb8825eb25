"""Progress bars, in a terminal or a notebook: nobody sees them elsewhere."""

from __future__ import annotations

import sys
import time
from math import inf
from types import TracebackType
from typing import Any, Self

__all__ = ["Bar", "bar_class"]

_PATIENCE = 1.0  # seconds


class Bar:
    """Shows in a terminal or a notebook how much is done, of `total` if that is known.

    Elsewhere, and without the package tqdm, it shows nothing. Loading tqdm takes time too, so it is
    loaded when the bar is to appear.
    """

    def __init__(self, unit: str, total: int | None) -> None:
        self._unit, self._total, self._bar = unit, total, None
        self._due = time.monotonic() + _PATIENCE

    def show(self, done: int) -> None:
        """So much is done by now."""
        if self._bar is not None:
            self._bar.update(done - self._bar.n)
        elif time.monotonic() > self._due:
            self._bar, self._due = _made(self._unit, self._total, done), inf

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._bar is not None:
            self._bar.close()


def bar_class() -> tuple[Any, bool]:
    """The class of tqdm's bars, and whether somebody sees them. Raises ImportError without tqdm."""
    from tqdm.auto import tqdm  # loads the notebook's widgets where there are some
    from tqdm.notebook import tqdm_notebook

    class Shown(tqdm):
        monitor_interval = 0  # else a thread of tqdm goes on running

    return Shown, issubclass(tqdm, tqdm_notebook) or sys.stderr.isatty()


def _made(unit: str, total: int | None, done: int) -> Any:
    try:
        kind, seen = bar_class()
    except ImportError:
        return None
    if not seen:
        return None
    return kind(total=total, unit=unit, unit_scale=True, initial=done, leave=False)
