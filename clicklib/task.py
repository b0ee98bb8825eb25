"""One partition of a group: what its messages do to its part of the table.

A task has no thread, no clock and no client, so that its rules can be read and tested alone:

1. Messages are handled one after the other, in the order of their offsets.
2. What the callback writes is gathered as encoded bytes; of a key written twice only the last
   value leaves, as compaction would leave it.
3. `take()` hands out the gathered rows together with the input offsets that they stand for. One
   such batch is under way at a time, and reads see: the gathered rows, the rows under way, the
   store.
4. The store takes rows only when Kafka has acknowledged them (`acknowledged`), and the offsets of
   a batch may be committed only then. So the store never knows more than Kafka, and a crash
   repeats messages but loses none.
5. An error stops the task at its message, whose own rows are taken back. What came before it may
   still be taken and committed; the message itself is not.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from clicklib.codec import encode_key
from clicklib.context import Context
from clicklib.errors import CallbackError, CodecError
from clicklib.graph import Graph, Input
from clicklib.stores.storage import Storage
from clicklib.table import decode_row

__all__ = ["Batch", "Task"]


@dataclass(frozen=True)
class Batch:
    """Rows of one partition of the table, and the next input offsets once they are safe."""

    partition: int
    rows: Mapping[bytes, bytes | None]
    offsets: Mapping[str, int]


class Task:
    """Handles the messages of one partition; only one thread at a time may use it.

    `attention` may be set by any thread: `process` then returns after the message in hand.
    `handled` counts messages; `positions` are the offsets after the last ones, by topic.
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
        """Handle `records` from index `start`; returns the index to go on from.

        It returns early when `attention` is set or `limit` bytes are gathered. Raises CodecError
        and CallbackError with the message's place; the records before it count as handled.
        """
        context, callback, decode = self._context, edge.callback, edge.codec.decode
        index = start
        if start >= len(records):
            return start
        try:
            for index in range(start, len(records)):
                record = context._record = records[index]
                data = record.value
                if data is not None:  # a tombstone on a stream says nothing: skipped, as in Goka
                    try:
                        message = decode(data)
                    except Exception as exc:
                        raise CodecError(
                            f"the codec of the input cannot decode {data[:60]!r}: {exc}",
                            **context._where(),
                        ) from exc
                    callback(context, message)
                    if context.error is not None:
                        raise context.error
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
        """Whether the gathered rows have reached the limit."""
        return self._context.size > self.limit

    @property
    def pending(self) -> bool:
        """Whether something is gathered that `take` would hand out."""
        return bool(self._offsets)

    @property
    def under_way(self) -> bool:
        """Whether a batch was taken and is not acknowledged yet."""
        return self._under_way is not None

    def take(self) -> Batch | None:
        """The gathered rows and offsets, or None: nothing gathered, or a batch still under way."""
        if not self._offsets or self._under_way is not None:
            return None
        context = self._context
        batch = Batch(self.partition, context.rows, self._offsets)
        # In this order, so that another thread's `get` finds a row in at least one place.
        self._under_way = batch
        context.rows, context.size, self._offsets = {}, 0, {}
        return batch

    def acknowledged(self, position: int | None) -> Batch:
        """Put the batch under way into the store; `position` is the next offset of the table."""
        batch = self._under_way
        if batch is None:
            raise AssertionError(f"no batch of partition {self.partition} is under way")
        if position is not None:
            self.store.write(batch.rows, position)
        self._under_way = None
        return batch

    def get(self, key: str) -> Any:
        """The decoded value of `key` as the callback would see it, or None. For any thread."""
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
