"""The watch over the books of a stream: it reads the stream, the group's commits and the rows."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

from clicklib.client.closing import Closing
from clicklib.client.faults import OutOfRange
from clicklib.client.groups import Groups
from clicklib.client.topic_reader import TopicReader
from clicklib.client.topics import TopicManager
from clicklib.engine.state import State
from clicklib.errors import TopicError
from clicklib.keys import decode_key
from clicklib.view import View
from clicklib.widgets.books import Balance, Books
from clicklib.widgets.group_watch import GroupWatch
from clicklib.widgets.rows import Count, Rows, counted
from clicklib.widgets.watch import Watch

__all__ = ["Audit"]

_DEPTH = 200_000  # the most old clicks that are read: some seconds of work, once


class Audit(Watch["_Stream", Balance | None]):
    """Balances the books twice a second; None while they cannot be balanced.

    The commits are older than the rows, and the rows are older than the stream. So a click that is
    counted at this very moment is neither lost nor counted too often. A new loss is believed only
    after the view has read the table to its end.
    """

    def __init__(
        self,
        view: View,
        topic: str,
        group: GroupWatch,
        count: Count,
        acknowledged: Callable[[], int],
    ) -> None:
        super().__init__(f"clicklib audits {topic}", self._open, self._balance, every=0.5)
        self._view, self._topic, self._group = view, topic, group
        self._acknowledged = acknowledged
        self._rows = Rows(view, lambda items: _added(items, count))
        self._books: Books | None = None
        self._id = ""
        self._lost: float | None = 0

    def _open(self) -> _Stream:
        """Connect, and go on with the books unless they are of another stream."""
        stream = _Stream(self._view, self._topic)
        if stream.id != self._id:
            self._books, self._id = None, stream.id
        return stream

    def _balance(self, stream: _Stream) -> Balance | None:
        try:
            return self._compare(stream, stream.books or stream.open(self._books))
        except OutOfRange:  # the stream lost clicks that were not read, or is another one
            self._books = None
            raise

    def _compare(self, stream: _Stream, books: Books) -> Balance | None:
        self._books, group = books, self._group.latest()
        for each in group.progress if group else ():
            if each.topic == self._topic and not books.commit(each.partition, each.committed or 0):
                self._books = stream.books = None  # the group's offsets were set back
                return None
        acknowledged, running = self._acknowledged(), self._view.state is State.RUNNING
        rows = self._rows.read()
        if not stream.read(books) or not running:
            return None
        found = books.balance(rows, acknowledged)
        if found.lost != self._lost or books.may_carry:
            if not stream.shown():
                return replace(found, lost=None)
            rows = self._rows.read(now=True)
            if not stream.read(books):
                return None
            books.carry(rows)
            found = books.balance(rows, acknowledged)
            self._lost = found.lost
        return found


class _Stream(Closing):
    """The stream as Kafka has it, and the end of the table. For one thread."""

    def __init__(self, view: View, topic: str) -> None:
        with TopicManager(view.cluster, 3.0) as topics:
            found = topics.find(topic)
        if found is None:
            raise TopicError("the stream is not there", topic=topic)
        self.id, self._view = found.id, view
        self.books: Books | None = None
        self._partitions = range(found.partitions)
        self._groups = Groups(view.cluster, timeout=3.0)
        self._reader = TopicReader(view.cluster, topic, 3.0)
        self._unchanged = self._reader.watch(found.partitions)

    def open(self, books: Books | None) -> Books:
        """Go on with these books, or begin new ones with the clicks that are there."""
        if books is None:
            bounds, most = self._reader.bounds(self._partitions), _DEPTH // len(self._partitions)
            books = Books({p: max(begin, end - most) for p, (begin, end) in bounds.items()})
        self._reader.read_from(books.positions)
        self.books = books
        return books

    def read(self, books: Books) -> bool:
        """Enter all clicks that Kafka has now; False if it takes more than a second."""
        ends = self._reader.stable_ends(self._partitions, 3.0)

        def entered() -> bool:
            if all(books.positions[p] >= end for p, end in ends.items()):
                return True
            for partition, records in self._reader.poll(0.05).items():
                for record in records:
                    books.click(partition, record.offset, decode_key(record.key))
            if self._unchanged.error or self._unchanged.remade:
                raise OutOfRange("the stream has grown or was made anew")
            for p in ends:  # past the markers of transactions, which no poll returns
                position = self._reader.position(p)
                if position is not None:  # else the next turn asks again
                    books.read_to(p, position)
            return False

        return _soon(entered)

    def shown(self) -> bool:
        """Whether the view has the rows that Kafka has now; waits for them, at most a second."""
        ends = self._groups.bounds(self._view.table)

        def read() -> bool:
            positions = self._view.positions
            return all(positions.get(p, -1) >= end for p, (_, end) in ends.items())

        return _soon(read)

    def close(self) -> None:
        """Free the connections; repeatable."""
        self._reader.close()
        self._groups.close()


def _soon(condition: Callable[[], bool]) -> bool:
    """Whether the condition comes true within a second."""
    deadline = time.monotonic() + 1
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


def _added(items: Iterable[tuple[str, Any]], count: Count) -> dict[str, float]:
    """The number of each user. Only a click without a user has a row in several partitions."""
    numbers: dict[str, float] = {}
    for user, value in items:
        numbers[user] = numbers.get(user, 0) + counted({user: value}, count)[user]
    return numbers
