"""Sends whole record batches: all rows of a partition are encoded in one loop.

kafka-python encodes a record in a dozen calls and makes a future for each. One loop writes the same
bytes into one buffer, and one future answers for all of them (benchmarks/RESULTS.md has the times).
Kafka's documentation describes the layout in "Record Batch" and "Record".

The batch goes whole into kafka-python's accumulator. From there on everything is kafka-python's:
sequence numbers, the transaction, requests, retries, time-outs, and the halves of a batch that a
broker finds too large.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from time import time
from typing import Any

import kafka
from kafka.errors import IllegalStateError, MessageSizeTooLargeError
from kafka.producer.producer_batch import ProducerBatch
from kafka.record.memory_records import MemoryRecordsBuilder
from kafka.structs import TopicPartition

__all__ = ["Answers", "Outgoing"]

Row = tuple[bytes, bytes | None]
Result = int | Exception  # the offset of a row, or why Kafka did not take it

_HEADER = 61  # bytes before the records of a batch
_KEPT = 1 << 14  # numbers below it keep their bytes


class _Varints(dict[int, bytes]):
    """Numbers from 0 on as Kafka writes them: seven bits a byte, the sign in the lowest one."""

    def __missing__(self, number: int) -> bytes:
        left, data = number << 1, bytearray()
        while left > 0x7F:
            data.append(left & 0x7F | 0x80)
            left >>= 7
        data.append(left)
        made = bytes(data)
        if number < _KEPT:
            self[number] = made
        return made


_VARINTS = _Varints()


class Answers:
    """What becomes of rows that were sent together: an offset or an error for each.

    `whenever_done(call)` calls once all are known, perhaps on the client's thread.
    """

    def __init__(self, count: int) -> None:
        self._results: list[Result | None] = [None] * count
        self._left = count
        self._lock = threading.Lock()
        self._calls: list[Callable[[Answers], None]] = []

    @property
    def done(self) -> bool:
        return not self._left

    @property
    def results(self) -> list[Result]:
        """An offset or an error for each row. Ask only when it is `done`."""
        assert self.done
        return self._results  # type: ignore[return-value]

    def whenever_done(self, call: Callable[[Answers], None]) -> None:
        with self._lock:
            if self._left:
                self._calls.append(call)
                return
        call(self)

    def put(self, first: int, results: Iterable[Result]) -> None:
        """Note the results of some rows, from row number `first` on."""
        found = list(results)
        with self._lock:
            self._results[first : first + len(found)] = found
            self._left -= len(found)
            calls, self._calls = ([], self._calls) if self._left else (self._calls, [])
        for call in calls:
            call(self)


class _Split:
    """In place of the futures of a batch's records, which only a batch that is split needs."""

    def __init__(self, answers: Answers, first: int, count: int) -> None:
        self._answers, self._first, self._count = answers, first, count

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, index: int) -> _OneRow:
        return _OneRow(self._answers, self._first + index)


class _OneRow:
    """One row of a batch that was split: kafka-python binds it to the future of its new batch."""

    def __init__(self, answers: Answers, number: int) -> None:
        self._answers, self._number = answers, number
        self._future: Any = None

    def rebind(self, future: Any, index: int) -> None:
        self._future = future
        number = self._number

        def answered(result: Any) -> None:
            if self._future is future:  # else it was split again
                self._answers.put(number, [_result(result, index)])

        future.add_callback(answered)


def _result(result: Any, index: int) -> Result:
    """The offset or the error of the record with this index in a batch that was answered."""
    base, _, error_of = result
    return base + index if error_of is None else error_of(index)


class Outgoing:
    """Puts whole batches of one topic into a producer. Any thread may call it."""

    def __init__(self, producer: kafka.KafkaProducer, topic: str) -> None:
        self._producer, self._topic = producer, topic
        self._accumulator = producer._accumulator
        self._batch_size = producer.config["batch_size"]
        self._largest = producer.config["max_request_size"]

    def send(self, partition: int, rows: Iterable[Row]) -> Answers:
        """Send rows to a partition, in this order. A row that is too large fails alone."""
        place = TopicPartition(self._topic, partition)
        rows = list(rows)
        answers = Answers(len(rows))
        manager = self._producer._transaction_manager
        if manager is not None and manager.is_transactional() and rows:
            manager.maybe_add_partition_to_transaction(place)
        first, count, data = 0, 0, bytearray(_HEADER)
        for number, (key, value) in enumerate(rows):
            record = _record(count, key, value)
            if len(data) + len(record) > self._batch_size or number - first != count:
                if count:
                    self._put(place, answers, first, count, data)
                first, count, data = number, 0, bytearray(_HEADER)
                record = _record(0, key, value)
            if _HEADER + len(record) > self._largest:
                answers.put(number, [self._too_large(len(record))])
                continue
            data += record
            count += 1
        if count:
            self._put(place, answers, first, count, data)
        return answers

    def _too_large(self, size: int) -> Exception:
        return MessageSizeTooLargeError(
            f"the row takes {size} bytes, and the largest request {self._largest}"
        )

    def _put(
        self, place: TopicPartition, answers: Answers, first: int, count: int, data: bytearray
    ) -> None:
        """Hand one batch to the accumulator, as its method `append` does it for one record."""
        records = MemoryRecordsBuilder(2, 0, self._batch_size)
        builder, now = records._builder, int(time() * 1000)
        builder._buffer, builder._num_records, builder._last_offset = data, count, count - 1
        builder._first_timestamp = builder._max_timestamp = now
        records._next_offset = count
        batch = ProducerBatch(place, records)
        batch._record_futures = _Split(answers, first, count)
        batch.produce_future.add_callback(
            lambda result: answers.put(first, (_result(result, index) for index in range(count)))
        )
        accumulator = self._accumulator
        accumulator._appends_in_progress.increment()
        try:
            with accumulator._tp_lock(place):
                if accumulator._closed:
                    batch.abort(IllegalStateError("the producer is closed"))
                    return
                accumulator._batches[place].append(batch)
                accumulator._incomplete.add(batch)
        finally:
            accumulator._appends_in_progress.decrement()
        self._producer._sender.wakeup()


def _record(number: int, key: bytes, value: bytes | None) -> bytes:
    """One record with no headers, at this number in its batch."""
    ready = _VARINTS
    if value is None:
        body = b"".join((b"\0\0", ready[number], ready[len(key)], key, b"\1\0"))
    else:
        body = b"".join(
            (b"\0\0", ready[number], ready[len(key)], key, ready[len(value)], value, b"\0")
        )
    return ready[len(body)] + body
