"""Sends whole record batches: records are written into the buffer of a batch, not one by one.

A batch is a header and records of one partition, in the order of their offsets. kafka-python
encodes a record in a dozen calls and makes a future for each. Here one join writes the same bytes,
and one object answers for all of them (benchmarks/RESULTS.md has the times). Kafka's documentation
describes the layout in "Record Batch" and "Record".

The batch is put into kafka-python's accumulator when it is begun. While it waits there, `append`
writes more records into it, under kafka-python's own lock of the partition. `send` puts in batches
that are whole. Everything else is kafka-python's: it waits for `linger`, takes the batch, closes
and compresses it, gives it sequence numbers and its place in a transaction, sends it again, counts
the time, and halves it if a broker finds it too large.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from time import time
from typing import Any

import kafka
from kafka.errors import IllegalStateError, MessageSizeTooLargeError
from kafka.producer.producer_batch import ProducerBatch
from kafka.record.memory_records import MemoryRecordsBuilder
from kafka.structs import TopicPartition

from clicklib.client.answers import Answers, Promise, results_of

__all__ = ["NO_HEADERS", "Outgoing", "headers_as_bytes"]

Row = tuple[bytes, bytes | None]

NO_HEADERS = b"\0"
_HEADER = 61  # bytes before the records of a batch
_SMALLEST = 7  # bytes of a record with nothing in it

# The varints of 0 to 16,383. It is a list, for Python finds an item of a list the quickest. A first
# byte has six bits of the number, and the sign; the others have seven.
_LAST = [bytes((byte,)) for byte in range(0, 0x80, 2)]
_FIRST = [bytes((byte,)) for byte in range(0x80, 0x100, 2)]
_REST = [bytes((byte,)) for byte in range(1, 0x80)]
_REST += [bytes((byte, 1)) for byte in range(0x80, 0x100)]
_READY = _LAST + [first + rest for rest in _REST for first in _FIRST]


def _varint(number: int) -> bytes:
    """A number from 0 on as Kafka writes it: seven bits a byte; the lowest bit is the sign."""
    left, data = number << 1, bytearray()
    while left > 0x7F:
        data.append(left & 0x7F | 0x80)
        left >>= 7
    data.append(left)
    return bytes(data)


def _sized(data: bytes | None) -> bytes:
    """The bytes after their length; None has the length -1."""
    return b"\1" if data is None else _varint(len(data)) + data


def headers_as_bytes(headers: Mapping[str, bytes]) -> bytes:
    """Headers as they stand at the end of a record."""
    parts = [_sized(name.encode()) + _sized(value) for name, value in headers.items()]
    return b"".join((_varint(len(parts)), *parts))


def _record(
    number: int, key: bytes, value: bytes | None, end: bytes = NO_HEADERS, late: int = 0
) -> bytes:
    """The record with this number in its batch, `late` milliseconds after the batch's own time."""
    ready = _READY
    try:
        if value is None:
            body = b"".join((b"\0", ready[late], ready[number], ready[len(key)], key, b"\1", end))
        else:
            size = ready[len(value)]
            body = b"".join(
                (b"\0", ready[late], ready[number], ready[len(key)], key, size, value, end)
            )
        return ready[len(body)] + body
    except IndexError:  # a number that is not ready
        parts = (b"\0", _varint(late), _varint(number), _sized(key), _sized(value), end)
        return _sized(b"".join(parts))


class _Batch(MemoryRecordsBuilder):
    """The records of one batch, in `data` after room for a header.

    Their results go into `answers`, from index `first` on.
    kafka-python asks it for its size and its count, and closes it under the partition's lock.
    """

    def __init__(
        self, outgoing: Outgoing, answers: Answers, first: int, count: int, data: bytearray
    ) -> None:
        super().__init__(2, outgoing.compression, outgoing.batch_size)
        self.answers, self.first, self.count, self.data = answers, first, count, data
        self.begun = self.last = int(time() * 1000)  # the time of a record in milliseconds
        self._builder._buffer, self._open = data, outgoing.open

    def next_offset(self) -> int:
        return self.count

    def close(self) -> None:
        if not self._closed:
            if self._open.get(self.answers.partition) is self:
                del self._open[self.answers.partition]
            builder = self._builder
            builder._num_records, builder._last_offset = self.count, self.count - 1
            builder._first_timestamp, builder._max_timestamp = self.begun, self.last
        super().close()

    def answered(self, answer: Any) -> None:
        if answer is not None:  # a `_Split` has put the answers
            self.answers.put(self.first, results_of(answer, range(self.count)))


class _Split:
    """Stands in for the list of the records' futures. Only a split batch needs that list."""

    def __init__(self, records: _Batch, future: Any) -> None:
        self._records, self._future = records, future

    def __len__(self) -> int:
        return self._records.count

    def __getitem__(self, index: int) -> _Part:
        return _Part(self._records.answers, self._records.first + index, self._future)


class _Part:
    """One record of a batch that was split: kafka-python binds it to the future of its new batch.

    kafka-python never completes the future of the batch that was split, and `flush` may wait for
    it. So it is completed here, with None, when all records are answered.
    """

    def __init__(self, answers: Answers, number: int, future: Any) -> None:
        self._answers, self._number, self._future = answers, number, future

    def rebind(self, future: Any, index: int) -> None:
        before, self._future = self._future, future

        def answered(answer: Any) -> None:
            if self._future is future:  # else it was split again
                self._answers.put(self._number, results_of(answer, range(index, index + 1)))

        future.add_callback(answered)
        self._answers.whenever_done(lambda _: before.is_done or before.success(None))


class Outgoing:
    """Puts records of one topic into a producer. Any thread may call it.

    `on_answers` gets the answers to records of `append` before others do.
    """

    def __init__(
        self,
        producer: kafka.KafkaProducer,
        topic: str,
        partitions: int,
        on_answers: Callable[[Answers], None] | None = None,
    ) -> None:
        self._producer, self._on_answers = producer, on_answers
        self._accumulator = producer._accumulator
        self._largest = producer.config["max_request_size"]
        self.batch_size = producer.config["batch_size"]
        self._most = self.batch_size // _SMALLEST + 1  # rows of a batch
        self.compression = self._accumulator.config["compression_attrs"]
        self._places = [TopicPartition(topic, partition) for partition in range(partitions)]
        self._locks = [self._accumulator._tp_lock(place) for place in self._places]
        self.open: dict[int, _Batch] = {}  # of each partition the batch that takes more records

    def append(
        self, partition: int, key: bytes, value: bytes | None, end: bytes = NO_HEADERS
    ) -> Promise:
        """Send one record, perhaps together with later ones; `end` has its headers.

        Raises MessageSizeTooLargeError, and IllegalStateError if the producer is closed.
        """
        now = int(time() * 1000)
        with self._locks[partition]:
            batch = self.open.get(partition)
            if batch is not None:
                number, late = batch.count, now - batch.begun
                record = _record(number, key, value, end, late if late > 0 else 0)
                if len(batch.data) + len(record) <= self.batch_size:
                    # No call stands between these lines, so no Ctrl-C comes between them.
                    batch.data += record
                    batch.count = number + 1
                    if now > batch.last:
                        batch.last = now
                    batch.answers.keys.append(key)
                    return Promise(batch.answers, number)
            data = bytearray(_HEADER) + _record(0, key, value, end)
            if error := self._too_large(data, 1):
                raise error
            answers = Answers([key], partition, self._on_answers)
            batch = _Batch(self, answers, 0, 1, data)
            self._enter(batch)
            self.open[partition] = batch
        self._producer._sender.wakeup()
        return Promise(answers, 0)

    def send(
        self,
        partition: int,
        rows: Iterable[Row],
        end: bytes = NO_HEADERS,
        on_answers: Callable[[Answers], None] | None = None,
    ) -> Answers:
        """Send rows to a partition, in this order. A row that is too large fails alone."""
        rows = list(rows)
        answers = Answers([key for key, _ in rows], partition, on_answers)
        manager = self._producer._transaction_manager
        if manager is not None and manager.is_transactional() and rows:
            manager.maybe_add_partition_to_transaction(self._places[partition])
        first = 0
        while first < len(rows):
            count, data = self._filled(rows[first : first + self._most], end)
            if error := self._too_large(data, count):
                answers.put(first, [error])
            else:
                self._put(answers, first, count, data)
            first += count
        return answers

    def _filled(self, rows: list[Row], end: bytes) -> tuple[int, bytearray]:
        """A batch of as many rows as fit, but one at least: their number, and its bytes."""
        data, full, ready = bytearray(_HEADER), self.batch_size, _READY
        for number, (key, value) in enumerate(rows):
            try:  # as `_record`, without its call
                if value is None:
                    body = b"".join((b"\0\0", ready[number], ready[len(key)], key, b"\1", end))
                else:
                    size = ready[len(value)]
                    body = b"".join(
                        (b"\0\0", ready[number], ready[len(key)], key, size, value, end)
                    )
                data += ready[len(body)]
                data += body
            except IndexError:
                data += _record(number, key, value, end)
            if len(data) > full and number:
                del data[-len(_record(number, key, value, end)) :]
                return number, data
        return len(rows), data

    def _too_large(self, data: bytearray, count: int) -> Exception | None:
        """The error for a batch of one record, if no request can hold it."""
        if count > 1 or len(data) <= self._largest:
            return None
        return MessageSizeTooLargeError(
            f"it takes {len(data) - _HEADER} bytes, and the largest request {self._largest}"
        )

    def _put(self, answers: Answers, first: int, count: int, data: bytearray) -> None:
        """Send a batch that is whole."""
        try:
            with self._locks[answers.partition]:
                self._enter(_Batch(self, answers, first, count, data))
        except IllegalStateError as exc:
            answers.put(first, [exc] * count)
        else:
            self._producer._sender.wakeup()

    def _enter(self, records: _Batch) -> None:
        """Hand a batch to the accumulator, as its method `append` does it, and with the lock held.

        An earlier batch of the partition takes no more records: they would come before this one's.
        """
        partition = records.answers.partition
        place, accumulator = self._places[partition], self._accumulator
        batch = ProducerBatch(place, records)
        batch._record_futures = _Split(records, batch.produce_future)
        batch.produce_future.add_callback(records.answered)
        accumulator._appends_in_progress.increment()
        try:
            if accumulator._closed:
                raise IllegalStateError("the producer is closed")
            accumulator._batches[place].append(batch)
            accumulator._incomplete.add(batch)
            self.open.pop(partition, None)
        finally:
            accumulator._appends_in_progress.decrement()
