"""Notices that topics change while a client uses them: that they grow, go, or are made anew.

A key belongs to a partition by the number of partitions. So a program that goes on after a topic
grew would look for keys in the wrong place, or leave partitions unread.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Any

from clicklib.errors import TopicError

__all__ = ["REFRESH_MS", "Unchanged"]

REFRESH_MS = 2_000  # milliseconds between two looks of a client at its topics
_CERTAIN = 5.0  # seconds until each broker knows of a change, also one that has just started


class Unchanged:
    """Compares what a client hears of its topics with what they were, each time that it hears.

    At first each topic had `partitions` partitions. `error` is None until one of them has another
    number, or is gone. `remade` has the names of those that were made anew with the same number.
    Any thread may look at both.
    """

    def __init__(
        self,
        metadata: Any,
        topics: Iterable[str],
        partitions: int,
        on_change: Callable[[TopicError], None] = lambda error: None,
    ) -> None:
        self.error: TopicError | None = None
        self.remade: set[str] = set()
        self._partitions, self._on_change = partitions, on_change
        self._ids: dict[str, str | None] = dict.fromkeys(topics)
        self._missed: dict[str, float] = {}  # since when a topic is gone, or another one
        metadata.add_listener(self._look)
        self._look(metadata)

    def _look(self, metadata: Any) -> None:
        for topic, known in self._ids.items():
            count = len(metadata.partitions_for_topic(topic) or ())
            found = str(metadata.topic_id(topic))
            if count and known in (None, found):
                self._ids[topic] = found
                self._missed.pop(topic, None)
                if count > self._partitions:
                    self._differs(count, topic)
            elif known is not None:
                since = self._missed.setdefault(topic, time.monotonic())
                if time.monotonic() - since > _CERTAIN:
                    self._is_another(count, topic)

    def _is_another(self, count: int, topic: str) -> None:
        if count == self._partitions:
            self.remade.add(topic)
        elif count:
            self._differs(count, topic)
        else:
            self._changed("the topic is gone: create it, and start this again", topic)

    def _differs(self, count: int, topic: str) -> None:
        self._changed(
            f"the topic has {count} partitions now, and had {self._partitions} when this began: "
            "start this again. The inputs and the table of a group need the same number",
            topic,
        )

    def _changed(self, what: str, topic: str) -> None:
        if self.error is None:
            self.error = TopicError(what, topic=topic)
            self._on_change(self.error)
