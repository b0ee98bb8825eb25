"""Errands: what buttons ask for, done one after the other on a thread of its own."""

from __future__ import annotations

import threading
from collections.abc import Callable
from queue import SimpleQueue

from clicklib.errors import ClicklibError

__all__ = ["Errands"]


class Errands:
    """Does what it is given, in order, so that nobody waits for it. An error is kept as text.

    `last` is done at the end.
    """

    def __init__(self, name: str, last: Callable[[], object]) -> None:
        self.error, self.ended, self._last = "", False, last
        self._waiting: SimpleQueue[Callable[[], object]] = SimpleQueue()
        threading.Thread(target=self._run, name=name, daemon=True).start()

    def do(self, errand: Callable[[], object]) -> None:
        """Do this when what was given before is done."""
        if not self.ended:
            self._waiting.put(errand)

    def end(self) -> None:
        """Do what is last after the errand under way, and nothing more; repeatable."""
        if not self.ended:
            self.ended = True
            self._waiting.put(lambda: None)

    def _run(self) -> None:
        while not self.ended:
            self._try(self._waiting.get())
        self._try(self._last)

    def _try(self, errand: Callable[[], object]) -> None:
        try:
            errand()
            self.error = ""
        except Exception as exc:  # any error is shown, and the next errand is tried
            self.error = str(exc) if isinstance(exc, ClicklibError) else repr(exc)
