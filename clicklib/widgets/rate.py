"""The rate of a counter."""

from __future__ import annotations

import time
from collections import deque

__all__ = ["Rate"]


class Rate:
    """The growth of a counter for each second, over the last `span` seconds."""

    def __init__(self, span: float = 2.0) -> None:
        self._span = span
        self._seen: deque[tuple[float, float]] = deque()

    def of(self, count: float) -> float:
        """The rate at this moment, when the counter is at `count`."""
        now = time.monotonic()
        if self._seen and count < self._seen[-1][1]:
            self._seen.clear()  # the counted part was started again
        self._seen.append((now, count))
        while len(self._seen) > 2 and self._seen[1][0] < now - self._span:
            self._seen.popleft()
        then, less = self._seen[0]
        return (count - less) / (now - then) if now > then else 0.0
