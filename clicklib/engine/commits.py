"""Commits the input offsets that may be committed.

The loop of a membership calls `commit` at each turn. When partitions are revoked, and when the
processor ends, the membership commits what is `due`. Under exactly-once the flusher commits offsets
in a transaction with the rows, and only tells `note_safe` of it. A start at the newest message is
committed at once (`GroupReader.go_on`).

`commit_interval` is not used here: it decides when offsets become safe. Every `commit_interval`
seconds the membership asks each worker to hand over its rows (`Membership._look_after`,
`Worker.flush`). A worker that has caught up does it at once (`Worker._attend`).
"""

from __future__ import annotations

import time
from collections.abc import Mapping

from clicklib.client.group_reader import GroupReader
from clicklib.client.offsets import Offsets, TopicPartition

__all__ = ["Commits"]

_PAUSE = 0.1  # the shortest time between two commits, in seconds


class Commits:
    """The rules of committing: only safe offsets, one commit at a time, never backwards.

    An offset is the next one to read. It is safe when every effect of the messages before it is
    acknowledged. Offsets of a failed commit are due again. One thread commits; another may call
    `note_safe`.
    """

    def __init__(self) -> None:
        self._safe: dict[TopicPartition, int] = {}
        self._sent: dict[TopicPartition, int] = {}
        self._committed: dict[TopicPartition, int] = {}
        self._next = 0.0

    def note_safe(self, partition: int, offsets: Mapping[str, int], committed: bool) -> None:
        """Note that these offsets, by topic, are safe.

        If `committed`, a transaction has committed them already, together with rows.
        Raises AssertionError for an offset that goes backwards.
        """
        for topic, offset in offsets.items():
            place = TopicPartition(topic, partition)
            if offset < self._safe.get(place, 0):
                raise AssertionError(f"{place} goes back from {self._safe[place]} to {offset}")
            if committed:  # first, so that another thread never finds it safe and not committed
                self._committed[place] = offset
            self._safe[place] = offset

    def due(self) -> dict[TopicPartition, int]:
        """The offsets that are safe and not committed yet."""
        safe = self._safe.copy()  # one step: another thread may add to it
        return {p: offset for p, offset in safe.items() if offset > self._committed.get(p, -1)}

    def commit(self, reader: GroupReader) -> None:
        """Note the answer to the last commit, and commit what is due; not before the pause."""
        if time.monotonic() < self._next or not reader.commit_done:
            return
        self.answered(reader.commit_error)
        offsets = self.due()
        if offsets:
            reader.commit_async(offsets)
            self.sent(offsets)
            self._next = time.monotonic() + _PAUSE

    def sent(self, offsets: Offsets) -> None:
        """Note that a commit of `offsets` was sent."""
        self._sent = dict(offsets)

    def answered(self, error: BaseException | None) -> None:
        """Note that the commit that was sent, if any, succeeded, or failed with `error`."""
        if error is None:
            self._committed.update(self._sent)
        self._sent = {}
