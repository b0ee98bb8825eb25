"""The figures of a pad: how many clicks it sent, and how many of them Kafka took."""

from __future__ import annotations

import threading
from dataclasses import dataclass, replace

__all__ = ["PadStats", "Tally"]


@dataclass(frozen=True)
class PadStats:
    """The clicks of a pad, in numbers, and the last error.

    `failed` counts clicks that Kafka did not take, and clicks that could not be sent at all.
    """

    sent: int = 0
    acknowledged: int = 0
    failed: int = 0
    error: str = ""


class Tally:
    """Counts the clicks of a pad. Any thread may call it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._stats = PadStats()

    def stats(self) -> PadStats:
        """A snapshot of the figures."""
        return self._stats

    def sent(self) -> None:
        """The emitter has accepted a click."""
        with self._lock:
            self._stats = replace(self._stats, sent=self._stats.sent + 1)

    def acknowledged(self) -> None:
        """Kafka has acknowledged a click."""
        with self._lock:
            self._stats = replace(self._stats, acknowledged=self._stats.acknowledged + 1)

    def failed(self, clicks: int, error: str) -> None:
        """So many clicks failed."""
        with self._lock:
            self._stats = replace(self._stats, failed=self._stats.failed + clicks, error=error)
