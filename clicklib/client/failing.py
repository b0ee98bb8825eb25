"""Commits that fail for long: the next one would be tried again without a word."""

from __future__ import annotations

import logging
import math
import time

from clicklib.client.faults import told

__all__ = ["FailingCommits"]

logger = logging.getLogger("clicklib")

# Seconds. A group whose broker dies has another coordinator in 10 to 20 s.
_LONG = 30.0


class FailingCommits:
    """Warns once when commits of `group` fail for long, and says the `reason` until one succeeds.

    To commit, the user `needs` this permission.
    """

    def __init__(self, group: str, needs: str) -> None:
        self.reason: str | None = None
        self._group, self._needs = group, needs
        self._warn_at: float | None = None  # set while commits fail

    def answered(self, error: BaseException | None) -> None:
        """Note that a commit succeeded, or failed with `error`."""
        if error is None:
            self.reason = self._warn_at = None
            return
        now = time.monotonic()
        self._warn_at = now + _LONG if self._warn_at is None else self._warn_at
        if now >= self._warn_at:
            self.reason, self._warn_at = told(error, self._needs), math.inf
            logger.warning(
                "group %s: Kafka has taken no commit for %g s: %s. Messages are handled on, and "
                "those since then come again after a restart, or where partitions move. Look at "
                "the log of the broker that coordinates the group, and at __consumer_offsets",
                self._group,
                _LONG,
                self.reason,
            )
