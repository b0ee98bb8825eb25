"""One thread for all pictures of a kernel: four times a second it lets each say what to draw.

It draws nothing. The script beside a picture's module, such as `counts.js`, draws in the browser.
"""

from __future__ import annotations

import threading
from typing import Protocol

__all__ = ["PERIOD", "painter"]

PERIOD = 0.25  # seconds between two questions: four a second look alive and cost little


class _Picture(Protocol):
    def paint_if_due(self) -> None: ...


class _Painter:
    """Asks each picture that was added. Its thread lives as long as there are pictures."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._pictures: list[_Picture] = []
        self._awake = threading.Event()
        self._thread: threading.Thread | None = None

    def add(self, picture: _Picture) -> None:
        with self._lock:
            if picture not in self._pictures:
                self._pictures.append(picture)
            if self._thread is None:
                self._thread = threading.Thread(
                    target=self._run, name="clicklib painter", daemon=True
                )
                self._thread.start()
        self._awake.set()

    def remove(self, picture: _Picture) -> None:
        with self._lock:
            if picture in self._pictures:
                self._pictures.remove(picture)
        self._awake.set()

    def _run(self) -> None:
        while True:
            self._awake.clear()
            with self._lock:
                pictures = list(self._pictures)
                if not pictures:
                    self._thread = None
                    return
            for picture in pictures:
                picture.paint_if_due()
            self._awake.wait(PERIOD)


painter = _Painter()
