"""Test a group without Kafka: a Tester runs the processor's rules in memory, without waiting.

def test_three_clicks_are_counted():
    tester = Tester(graph)
    tester.consume("user-clicks", "user-3", "now", times=3)
    assert tester.table_value("user-3") == User(clicks=3)
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from clicklib.codec import cannot_encode, encode
from clicklib.errors import UsageError
from clicklib.given import check
from clicklib.graph import Graph, Input
from clicklib.keys import decode_key, encode_key, partition_of
from clicklib.stores.memory import MemoryStorage
from clicklib.table import decode_row
from clicklib.task import Task

__all__ = ["Tester"]


class _Record(NamedTuple):
    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...]


class Tester:
    """Runs the callbacks of `graph`, one message at a time, in the caller's thread.

    Messages and values pass through their codecs as they do with Kafka. `consume` raises the
    error that `Processor.run` would raise. A failed message changes nothing, and the next message
    is handled as after a restart.
    """

    __test__ = False  # pytest would take it for a test class

    def __init__(self, graph: Graph, partitions: int = 10) -> None:
        check(graph=graph, partitions=partitions)
        self.graph, self._partitions = graph, partitions
        self._edges = {edge.topic: edge for edge in graph.inputs}
        self._ends: dict[tuple[str, int], int] = {}
        self._stores = [MemoryStorage() for _ in range(partitions)]
        self._tasks = [self._task(partition) for partition in range(partitions)]

    def consume(
        self,
        topic: str,
        key: str,
        msg: Any,
        *,
        times: int = 1,
        headers: Mapping[str, bytes] | None = None,
        timestamp: int = 0,
    ) -> None:
        """Call the callback of `topic` with `msg`, `times` times. None is a tombstone, and skipped.

        Raises CodecError or CallbackError as the processor would, UsageError for a topic that
        the graph doesn't read.
        """
        check(topic=topic, key=key, times=times, headers__read=headers, timestamp=timestamp)
        edge = self._edge(topic)
        try:
            data = None if msg is None else encode(edge.codec, msg)
        except Exception as exc:
            raise cannot_encode("the codec of the input", msg, exc, topic=topic, key=key) from exc
        for _ in range(times):
            self.consume_bytes(topic, key, data, headers=headers, timestamp=timestamp)

    def consume_bytes(
        self,
        topic: str,
        key: str,
        data: bytes | None,
        *,
        headers: Mapping[str, bytes] | None = None,
        timestamp: int = 0,
    ) -> None:
        """Like `consume`, but with the encoded value, as another program may have written it."""
        check(topic=topic, key=key, data=data, headers__read=headers, timestamp=timestamp)
        edge, raw = self._edge(topic), encode_key(key)
        partition = partition_of(raw, self._partitions)
        offset = self._ends.get((topic, partition), 0)
        extra = tuple((headers or {}).items())
        record = _Record(topic, partition, offset, timestamp, raw, data, extra)
        task = self._tasks[partition]
        try:
            task.process(edge, [record])
        except BaseException:
            self._tasks[partition] = self._task(partition)
            raise
        finally:
            self._ends[topic, partition] = offset + 1
        task.take()
        task.acknowledged((self._stores[partition].position or 0) + 1)

    def table_value(self, key: str) -> Any:
        """The decoded value of `key` in the table, or None."""
        raw = encode_key(key)
        return self._tasks[partition_of(raw, self._partitions)].get(key)

    def set_table_value(self, key: str, value: Any) -> None:
        """Give `key` a value before the test, or remove it with None. May raise CodecError."""
        raw = encode_key(key)
        store = self._stores[partition_of(raw, self._partitions)]
        try:
            data = None if value is None else encode(self.graph.persist.codec, value)
        except Exception as exc:
            where = {"topic": self.graph.table, "key": key}
            raise cannot_encode("the table's codec", value, exc, **where) from exc
        store.write({raw: data}, (store.position or 0) + 1)

    def table(self) -> dict[str, Any]:
        """The whole table, decoded, sorted by key."""
        rows = sorted((*row, p) for p, store in enumerate(self._stores) for row in store.items())
        codec, topic = self.graph.persist.codec, self.graph.table
        return {decode_key(k): decode_row(codec, topic, p, k, data) for k, data, p in rows}

    def _edge(self, topic: str) -> Input:
        if topic not in self._edges:
            raise UsageError(
                f"group {self.graph.group} reads {', '.join(self._edges)}", topic=topic
            )
        return self._edges[topic]

    def _task(self, partition: int) -> Task:
        return Task(self.graph, partition, self._stores[partition])
