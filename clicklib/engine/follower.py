"""Reads the topic of a table into the local stores of some of its partitions."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable

from clicklib.client.topic_reader import TopicReader
from clicklib.table import Storage, Table, Updated

__all__ = ["Follower"]


class Follower:
    """Recovers partitions of a table, and follows them until they are released.

    `store(partition)` opens a local store, and `keep(partitions)` closes all others.
    `updated(partition, rows)` is called with the rows of each batch that was stored. For one
    thread; any thread may look at `tables`.
    """

    def __init__(
        self,
        reader: TopicReader,
        store: Callable[[int], Storage],
        updated: Updated | None,
        keep: Callable[[Collection[int]], None] = lambda partitions: None,
    ) -> None:
        self.tables: dict[int, Table] = {}
        self.records = 0
        self._reader, self._store, self._updated, self.keep = reader, store, updated, keep

    def add(self, partitions: Iterable[int]) -> None:
        """Ask for the bounds of `partitions`, and read each from where its store ends."""
        found = {
            partition: Table(partition, self._store(partition), begin, end)
            for partition, (begin, end) in self._reader.bounds(partitions).items()
        }
        self.tables = {**self.tables, **found}
        self._read()

    def poll(self, timeout: float) -> bool:
        """Store the next records; says whether any came within `timeout` seconds.

        Raises OutOfRange if the topic was truncated or made anew.
        """
        records = self._reader.poll(timeout)
        for partition, batch in records.items():
            rows = self.tables[partition].apply(batch, batch[-1].offset + 1)
            self.records += len(batch)
            if self._updated is not None:
                self._updated(partition, rows)
        for partition, table in self.tables.items():
            if not table.recovered and partition not in records:
                # The position also passes control records and the holes of compaction, which no
                # poll returns. While it is not known, recovery goes on.
                position = self._reader.position(partition)
                if position is not None and position > table.position:
                    table.apply((), position)
        return bool(records)

    def release(self) -> list[Table]:
        """Stop following the tables that are recovered, and return them."""
        ready = [table for table in self.tables.values() if table.recovered]
        if ready:
            self.tables = {p: t for p, t in self.tables.items() if not t.recovered}
            self._read()
        return ready

    def clear(self) -> None:
        """Follow nothing."""
        self.tables = {}

    @property
    def recovered(self) -> bool:
        """Whether every partition has reached its end, as the broker last gave it."""
        return all(table.recovered for table in self.tables.values())

    def look(self, timeout: float) -> bool:
        """Ask again where the topic ends; False if a table's position is beyond that end."""
        for partition, (_, end) in self._reader.bounds(self.tables, timeout).items():
            self.tables[partition].end = end
        return all(table.position <= table.end for table in self.tables.values())

    def _read(self) -> None:
        self._reader.read_from({p: table.position for p, table in self.tables.items()})
