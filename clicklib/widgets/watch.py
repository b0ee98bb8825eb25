"""A watch over Kafka: with it a picture has recent figures and never waits for them."""

from __future__ import annotations

import threading
import time
import weakref
from collections.abc import Callable
from typing import Any, Generic, TypeVar

from clicklib.client.closing import Closing
from clicklib.errors import ClicklibError

__all__ = ["LEASE", "Watch", "end_watches"]

LEASE = 3.0  # seconds that a watch goes on after the last call of `latest`


C = TypeVar("C", bound=Closing)
T = TypeVar("T")

_watches: weakref.WeakSet[Watch[Any, Any]] = weakref.WeakSet()


def end_watches(timeout: float) -> None:
    """End the threads of all watches, and wait for them at most `timeout` seconds."""
    deadline = time.monotonic() + timeout
    for watch in list(_watches):
        watch.rest()
    for watch in list(_watches):
        for thread in (watch._thread, watch._leaving):
            if thread is not None:
                thread.join(max(0, deadline - time.monotonic()))


class Watch(Generic[C, T]):
    """Looks at Kafka every `every` seconds, on a thread of its own.

    The thread begins with the first call of `latest`, and ends when these calls end.
    """

    def __init__(
        self, name: str, connect: Callable[[], C], look: Callable[[C], T], every: float
    ) -> None:
        self._name, self._connect, self._look, self._every = name, connect, look, every
        self._lock = threading.Lock()
        self._asked = 0.0
        self._soon = threading.Event()
        self._thread: threading.Thread | None = None
        self._leaving: threading.Thread | None = None  # it looks no more, and closes its client
        self._latest: T | None = None
        self.error = ""
        _watches.add(self)

    def latest(self) -> T | None:
        """The result of the last look, or None before the first. Never blocks."""
        with self._lock:
            self._asked = time.monotonic()
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
                self._thread.start()
            return self._latest

    def hurry(self) -> None:
        """Look again at once."""
        self._soon.set()

    def rest(self) -> None:
        """End the thread soon, unless `latest` is called again."""
        with self._lock:
            self._asked = 0.0
        self._soon.set()

    def take(self, seen: T) -> None:
        """Keep the result of a look."""
        self._latest = seen

    def _run(self) -> None:
        client: C | None = None
        try:
            while self._wanted():
                try:
                    client = client or self._connect()
                    self.take(self._look(client))
                    self.error = ""
                except Exception as exc:  # any error is shown, and the next look tries again
                    self.error = str(exc) if isinstance(exc, ClicklibError) else repr(exc)
                    if client is not None:
                        client.close()
                    client = None
                self._soon.wait(self._every)
                self._soon.clear()
        finally:
            if client is not None:
                client.close()

    def _wanted(self) -> bool:
        with self._lock:
            if time.monotonic() - self._asked < LEASE:
                return True
            self._leaving, self._thread = self._thread, None
            return False
