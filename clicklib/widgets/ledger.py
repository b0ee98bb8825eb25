"""The ledger: what became of all clicks, and when something went wrong."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Sequence
from typing import Any

from clicklib.emitter import Emitter
from clicklib.engine.state import State
from clicklib.errors import UsageError
from clicklib.given import check
from clicklib.view import View
from clicklib.widgets.audit import Audit
from clicklib.widgets.books import Balance
from clicklib.widgets.group_watch import GroupWatch, Processors, as_list, group_watch
from clicklib.widgets.picture import Picture, asset
from clicklib.widgets.rows import Count, clicks_of
from clicklib.widgets.text import readable
from clicklib.widgets.watch import LEASE

__all__ = ["Ledger"]

_AUDITED = ("waiting", "counted", "lost", "twice")
_PAUSE = 1.0  # seconds: two looks at Kafka

Emitters = Emitter | Sequence[Emitter] | None


class Ledger(Picture):
    """The clicks of all users: sent, acknowledged, counted, lost and counted twice.

    `sent` and `acknowledged` are those of the emitters given here. All else is what Kafka has: the
    clicks in the stream `topic` (else the emitter's), those of other programs and of earlier runs
    too; the offsets that the group has committed; and the rows of the view. So a new kernel comes
    to the same numbers. A number that cannot be known now is None, and drawn as `?`.

    It is right for a table to which each click adds one, and which nothing else changes. The strip
    shows the last `window` seconds; `mark("kill -9")` puts a word on it, now.
    """

    _esm = asset("ledger.js")

    def __init__(
        self,
        emitter: Emitters,
        processor: Processors = None,
        view: View | None = None,
        *,
        topic: str | None = None,
        count: Count = clicks_of,
        window: float = 120.0,
        watch: GroupWatch | None = None,
    ) -> None:
        check(emitter__many=emitter, processor=processor, view__none=view, topic__none=topic)
        check(count=count, window=window)
        self.emitter = emitter
        topic = topic or next((each.topic for each in as_list(self.emitter)), None)
        if view is None or topic is None:
            raise UsageError("a Ledger needs a view, and an emitter or the topic of the clicks")
        self.view, self._window = view, window
        group = watch or group_watch(processor, view=view)
        self._watch = self._audit = Audit(view, topic, group, count, self._acknowledged)
        self._marks: deque[tuple[float, str]] = deque(maxlen=50)
        self._strip: deque[tuple[str, float]] = deque(maxlen=500)  # a level, and since when
        self._painted = self._moved = self._counted = 0.0
        self._logged = self._others = 0
        super().__init__()

    def mark(self, text: str) -> None:
        """Mark this moment on the strip, for example as the one of a fault."""
        self._marks.append((time.monotonic(), readable(text, 30)))

    def look(self) -> dict[str, Any]:
        found, why = self._audit.latest(), ""
        if self.view.state is not State.RUNNING:
            found, why = None, f"the view is {self.view.state}"
        elif self._audit.error:
            found, why = None, "Kafka does not answer"
        elif found is None:
            why = "the stream is being read"
        elif found.twice is None:
            why = "the oldest clicks are not in Kafka any more, until no click waits"
        now = time.monotonic()
        level = self._level(found, now)
        self._note(level, now)
        plain = {
            "figures": self._figures(found),
            "level": level,
            "why": why,
            "strip": [list(each) for each in self._strip],
            "marks": [list(each) for each in list(self._marks) if each[0] > now - self._window],
            "window": self._window,
            "error": self._audit.error,
        }
        return self._timed(plain)

    def _figures(self, found: Balance | None) -> dict[str, float | None]:
        stats = [each.stats() for each in as_list(self.emitter)]
        sent, others = sum(each.emitted for each in stats), None
        if found is not None and found.twice is not None and not any(s.failed for s in stats):
            # The stream is looked at before the emitters: what they sent since then hides clicks of
            # others, for a moment.
            least = max(0, found.logged - sent)
            self._others = max(least, self._others if found.logged >= self._logged else 0)
            self._logged, others = found.logged, self._others
        return {
            "sent": sent if stats else None,
            "acknowledged": self._acknowledged() if stats else None,
            "others": others,
            **{name: _whole(getattr(found, name, None)) for name in _AUDITED},
        }

    def _level(self, found: Balance | None, now: float) -> str:
        """What the strip shows now. Clicks wait if none was counted for a second."""
        if found is None or found.lost is None or found.twice is None:
            return "unknown"
        if not found.waiting or found.counted != self._counted:
            self._counted, self._moved = found.counted, now
        if found.lost or found.twice:
            return "wrong"
        return "waiting" if now - self._moved > _PAUSE else "even"

    def _note(self, level: str, now: float) -> None:
        """Continue the strip. For the time in which nobody looked, nothing is known."""
        if self._painted and now - self._painted > LEASE:
            self._strip.append(("unknown", self._painted))
        if not self._strip or self._strip[-1][0] != level:
            self._strip.append((level, now))
        while len(self._strip) > 1 and self._strip[1][1] < now - self._window:
            self._strip.popleft()
        self._painted = now

    def _acknowledged(self) -> int:
        return sum(each.stats().acknowledged for each in as_list(self.emitter))


def _whole(number: float | None) -> float | None:
    return int(number) if number is not None and number == int(number) else number
