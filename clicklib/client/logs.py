"""The log of a topic as Kafka has it: its newest records, and the holes between them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from clicklib.client.closing import Holding
from clicklib.client.cluster import Brokers, Cluster
from clicklib.client.limit import allowed, time_left, within
from clicklib.client.topic_reader import TopicReader
from clicklib.client.topics import TopicManager
from clicklib.errors import TopicError, UnavailableError
from clicklib.given import check
from clicklib.keys import decode_key, encode_key, partition_of

__all__ = ["LogRecord", "Logs", "PartitionLog"]


@dataclass(frozen=True)
class LogRecord:
    """A record of a log. A value of None is a tombstone: it deletes its key from a table."""

    offset: int
    key: str
    value: bytes | None
    timestamp: int


@dataclass(frozen=True)
class PartitionLog:
    """The newest records of a partition, oldest first, and where its log begins and ends.

    `holes` lists the runs of offsets, `(first, count)`, that hold no record between `read_from`
    and `end`: compaction removed them, they are a transaction's control records, or they belong to
    a transaction that is still open or was given up. `open_from` is the first offset of a
    transaction that is still open: from there on nothing can be read yet.
    """

    partition: int
    begin: int
    end: int
    read_from: int
    records: tuple[LogRecord, ...]
    open_from: int | None = None

    @property
    def holes(self) -> tuple[tuple[int, int], ...]:
        """The runs of missing offsets, as `(first, count)`."""
        found, expected = [], self.read_from
        for offset in (*(record.offset for record in self.records), self.end):
            if offset > expected:
                found.append((expected, offset - expected))
            expected = offset + 1
        return tuple(found)


class Logs(Holding[TopicReader]):
    """Reads the log of one topic, again and again, without a group. For one thread at a time.

    Raises TopicError when the topic is not there or has grown. Each call raises UnavailableError
    when it has not all answers after `timeout` seconds.
    """

    def __init__(self, brokers: Brokers, topic: str, timeout: float = 10.0) -> None:
        check(topic=topic, timeout=timeout)
        self.cluster, self.topic = Cluster.of(brokers), topic
        with within(timeout):
            with TopicManager(self.cluster, timeout) as topics:
                found = topics.find(topic)
            if found is None:
                raise TopicError("the topic is not there", topic=topic)
            self.partitions = found.partitions
            super().__init__(TopicReader(self.cluster, topic, timeout))
        self._unchanged = self._client.watch(found.partitions)

    def newest(self, depth: int = 100, timeout: float = 10.0) -> list[PartitionLog]:
        """The records among the last `depth` offsets of each partition, read again."""
        check(depth=depth, timeout__wait=timeout)
        with within(timeout):
            bounds = self._client.bounds(range(self.partitions))
            starts = {p: max(begin, end - depth) for p, (begin, end) in bounds.items()}
            stable = self._client.stable_ends(bounds)
            opened = {p: stable[p] for p, (_, end) in bounds.items() if stable[p] < end}
            ends = {p: opened.get(p, end) for p, (_, end) in bounds.items()}
            records = self._read(starts, ends)
        return [
            PartitionLog(p, begin, end, starts[p], tuple(map(_record, records[p])), opened.get(p))
            for p, (begin, end) in sorted(bounds.items())
        ]

    def last(self, key: str, timeout: float = 10.0) -> tuple[int, LogRecord | None]:
        """The partition of `key`, and its newest record there; None if it has none."""
        check(timeout__wait=timeout)
        raw = encode_key(key, self.topic)
        partition = partition_of(raw, self.partitions)
        with within(timeout):
            found = self._find(partition, raw)
        return partition, None if found is None else _record(found)

    def _find(self, partition: int, raw: bytes) -> Any:
        """The newest record of a key; ever larger pieces of the log are read, from its end on."""
        found, depth = None, 1_000
        begin, _ = self._client.bounds([partition])[partition]
        end = upper = self._client.stable_ends([partition])[partition]
        while found is None and upper > begin:
            start = max(begin, end - depth)
            for record in self._read({partition: start}, {partition: upper})[partition]:
                found = record if record.key == raw else found
            depth, upper = depth * 4, start
        return found

    def _read(self, starts: dict[int, int], ends: dict[int, int]) -> dict[int, list[Any]]:
        """The records of each partition from its start to its end; holes are passed over."""
        records: dict[int, list[Any]] = {p: [] for p in starts}
        left = {p for p in starts if starts[p] < ends[p]}
        self._client.read_from({p: starts[p] for p in left})
        if self._unchanged.error is not None:
            raise self._unchanged.error
        while left:
            if not time_left():
                text = f"the log was not read within {allowed():g} s"
                raise UnavailableError(text, topic=self.topic)
            for p, batch in self._client.poll(0.1).items():
                records[p] += [record for record in batch if record.offset < ends[p]]
            positions = {p: self._client.position(p) for p in left}
            # A partition is read on while its position is not known.
            left = {p for p, at in positions.items() if at is None or at < ends[p]}
        return records


def _record(found: Any) -> LogRecord:
    return LogRecord(found.offset, decode_key(found.key), found.value, found.timestamp)
