"""A task handles one partition of a group: its messages, and its part of the table.

A task has no thread, no clock and no client, so its rules can be read and tested alone:

1. Messages are handled one after the other, in the order of their offsets.
2. Rows that the callback writes are gathered as encoded bytes. If a key is written twice, only
   its last value is sent, as after compaction.
3. `take()` returns a batch: the gathered rows, and the input offsets to commit after them. Only
   one batch is under way at a time: taken, and not acknowledged. A read looks in the gathered
   rows, then in the rows under way, then in the store.
4. When Kafka has acknowledged a batch (`acknowledged`), and not before, its rows go to the store
   and its offsets may be committed. So the store never has a row that Kafka lacks, and a crash
   repeats messages but loses none.
5. An error stops the task at the message that caused it, and the rows of that message are undone.
   Rows of earlier messages may still be taken and committed; the message itself is not committed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from sys import getrefcount
from typing import Any

from clicklib.codec import cannot_decode
from clicklib.context import Context
from clicklib.errors import CallbackError, CodecError
from clicklib.given import is_unfinished, unfinished
from clicklib.graph import Graph, Input
from clicklib.keys import encode_key
from clicklib.table import Rows, Storage, decode_row

__all__ = ["Batch", "Task"]


@dataclass(frozen=True)
class Batch:
    """Rows of one partition of the table, and the input offsets to commit when Kafka has them."""

    partition: int
    rows: Rows
    offsets: Mapping[str, int]


class Task:
    """Handles the messages of one partition; only one thread at a time may use it.

    `attention` may be set by any thread: `process` then returns after the current message.
    `handled` counts messages. `positions` has, by topic, the offset after the last of them.
    """

    def __init__(self, graph: Graph, partition: int, store: Storage, limit: int = 16 << 20) -> None:
        self.graph = graph
        self.partition = partition
        self.store = store
        self.limit = limit
        self.attention = False
        self.handled = 0
        self.positions: dict[str, int] = {}
        self._offsets: dict[str, int] = {}
        self._under_way: Batch | None = None
        self._context = Context(graph.group, graph.persist.codec, self._read)
        self._snapshot = store.snapshot()

    def process(self, edge: Input, records: Sequence[Any], start: int = 0) -> int:
        """Handle `records` from index `start`; return the index of the first that is not handled.

        It returns early when `attention` is set or more than `limit` bytes are gathered. Raises
        CodecError and CallbackError that name the failed message; those before it are handled.
        """
        context, callback, decode = self._context, edge.callback, edge.codec.decode
        index = start
        if start >= len(records):
            return start
        alone = getrefcount(context)
        try:
            for index in range(start, len(records)):
                record = context._record = records[index]
                data = record.value
                if data is not None:  # a tombstone in an input is skipped, as in Goka
                    try:
                        message = decode(data)
                    except Exception as exc:
                        where = context._where()
                        raise cannot_decode("the codec of the input", data, exc, **where) from exc
                    returned = callback(context, message)
                    if returned is not None and is_unfinished(type(returned)):
                        error = unfinished(returned, "the callback", **context._where())
                        context.error = context.error or error
                    if context.error is not None:
                        raise context.error
                    if getrefcount(context) > alone:
                        # The callback kept it, perhaps for a thread, and must not find the next
                        # message in it. (A new context for each message would take 0.2 us.)
                        context = self._context = context.parted()
                if self.attention or context.size > self.limit:
                    break
            index += 1
        except BaseException as exc:
            context.undo()
            if context.error is not None:  # the first error, even if the callback raised another
                raise context.error from context.error.__cause__
            if isinstance(exc, CodecError):
                raise
            raise CallbackError(f"the callback raised {exc!r}", **context._where()) from exc
        finally:
            self._snapshot.release()
            context.leave()
            self.handled += index - start
            if index > start:
                after = records[index - 1].offset + 1
                self._offsets[edge.topic] = self.positions[edge.topic] = after
        return index

    @property
    def full(self) -> bool:
        """Whether the gathered rows exceed the limit."""
        return self._context.size > self.limit

    @property
    def pending(self) -> bool:
        """Whether messages were handled since the last `take`."""
        return bool(self._offsets)

    @property
    def under_way(self) -> bool:
        """Whether a batch was taken and is not acknowledged yet."""
        return self._under_way is not None

    def take(self) -> Batch | None:
        """The gathered rows and offsets; None if there are none or if a batch is under way."""
        if not self._offsets or self._under_way is not None:
            return None
        context = self._context
        batch = Batch(self.partition, context.rows, self._offsets)
        # In this order, so that another thread's `get` finds a row in at least one place.
        self._under_way = batch
        context.rows, context.size, self._offsets = {}, 0, {}
        return batch

    def acknowledged(self, position: int | None) -> Batch:
        """Store the batch under way. `position`: the table's next offset, None without rows."""
        batch = self._under_way
        if batch is None:
            raise AssertionError(f"no batch of partition {self.partition} is under way")
        if position is not None:
            self.store.write(batch.rows, position)
        self._under_way = None
        return batch

    def get(self, key: str) -> Any:
        """The decoded value of `key` that the callback would see, or None. Any thread may ask."""
        raw = encode_key(key)
        rows, under_way = self._context.rows, self._under_way
        if raw in rows:
            data = rows[raw]
        elif under_way is not None and raw in under_way.rows:
            data = under_way.rows[raw]
        else:
            data = self.store.get(raw)
        if data is None:
            return None
        return decode_row(self.graph.persist.codec, self.graph.table, self.partition, raw, data)

    def _read(self, key: bytes) -> bytes | None:
        if self._under_way is not None and key in self._under_way.rows:
            return self._under_way.rows[key]
        return self._snapshot.get(key)
