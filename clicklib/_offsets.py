"""Which input offsets may be committed, and what became of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

__all__ = ["Offsets", "Place"]


class Place(NamedTuple):
    """A partition of an input topic."""

    topic: str
    partition: int


class Offsets:
    """The rules of committing: only what is safe, one commit at a time, never backwards.

    An offset is the next one to read. It is safe when every effect of the messages before it is
    acknowledged. A commit that failed is due again.
    """

    def __init__(self) -> None:
        self._first: dict[Place, int] = {}
        self._safe: dict[Place, int] = {}
        self._sent: dict[Place, int] = {}
        self._committed: dict[Place, int] = {}
        self._resume: dict[Place, int] = {}

    def given(self, place: Place, offset: int) -> None:
        """The message at `offset` is about to be handled."""
        self._first.setdefault(place, offset)

    def safe(self, partition: int, offsets: Mapping[str, int]) -> None:
        """These may be committed. Raises AssertionError for one that goes backwards."""
        for topic, offset in offsets.items():
            place = Place(topic, partition)
            if offset < self._safe.get(place, 0):
                raise AssertionError(f"{place} goes back from {self._safe[place]} to {offset}")
            self._safe[place] = offset

    def committed(self, partition: int, offsets: Mapping[str, int]) -> None:
        """These were committed with their rows, in one transaction."""
        self.safe(partition, offsets)
        self._committed.update({Place(topic, partition): o for topic, o in offsets.items()})

    def due(self) -> dict[Place, int]:
        """What is safe and not committed yet."""
        safe = self._safe.copy()  # one step: another thread may add to it
        return {p: offset for p, offset in safe.items() if self._committed.get(p) != offset}

    def sent(self, offsets: Mapping[Place, int]) -> None:
        """A commit of `offsets` is on its way."""
        self._sent = dict(offsets)

    def answered(self, error: BaseException | None) -> None:
        """The commit on its way, if any, was taken, or failed with `error`."""
        if error is None:
            self._committed.update(self._sent)
        self._sent = {}

    def give_up(self) -> None:
        """The partitions are given back to the group, which may hand some of them out again."""
        self._resume = {**self._resume, **self._first, **self._safe}
        self._first, self._safe, self._sent, self._committed = {}, {}, {}, {}

    def keep(self, partitions: Iterable[int]) -> None:
        """The group handed out `partitions`; others may move on while another has them."""
        mine = set(partitions)
        self._resume = {p: offset for p, offset in self._resume.items() if p.partition in mine}

    def resume(self) -> dict[Place, int]:
        """Where to go on with partitions that were given up and handed out again.

        Without this the client would go on after the last message that it returned, handled or
        not.
        """
        resume, self._resume = self._resume, {}
        return resume

    def forget(self) -> None:
        """The partitions were lost: whoever gets them goes on at the committed offsets."""
        self.give_up()
        self._resume = {}
