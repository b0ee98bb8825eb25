"""Progress bars, in a terminal or a notebook: nobody sees them elsewhere."""

from __future__ import annotations

import sys
import time
from contextlib import suppress
from math import inf
from typing import Any

from clicklib.client.closing import Closing

__all__ = ["Bar", "new_bar", "place_of_bars"]

_PATIENCE = 1.0  # seconds


class Bar(Closing):
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
            self._due, file = inf, place_of_bars()
            with suppress(ImportError):
                options = {"unit": self._unit, "total": self._total, "initial": done}
                self._bar = None if file is None else new_bar(file, **options)

    def close(self) -> None:
        if self._bar is not None:
            self._bar.close()


class _Cell:
    """A file in the output of a notebook's cell, which shows what was written last.

    tqdm's own bar for notebooks is a widget. A browser complains if it is closed undrawn.
    """

    encoding = "utf-8"
    _place: Any = None

    def write(self, text: str) -> None:
        from IPython.display import display

        said = {"text/plain": text.strip()}
        if self._place is None:
            self._place = display(said, raw=True, display_id=True)
        else:
            self._place.update(said, raw=True)

    def flush(self) -> None:
        pass


def place_of_bars() -> Any:
    """The file in which somebody sees a bar: a terminal or a notebook's cell. Else None."""
    shell = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
    if hasattr(shell, "kernel"):
        return _Cell()
    return sys.stderr if sys.stderr.isatty() else None


def new_bar(file: Any, **options: Any) -> Any:
    """A bar of tqdm in `file`, or one that does nothing. Raises ImportError without tqdm."""
    from tqdm import tqdm

    class Shown(tqdm):
        monitor_interval = 0  # else a thread of tqdm goes on running

    return Shown(file=file, disable=file is None, unit_scale=True, leave=False, **options)
