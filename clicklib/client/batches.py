"""Decodes record batches, one fetch of a partition at a time.

kafka-python makes a dozen calls to decode a record. One loop over a batch gives the same records
in a third of the time, and most of a poll's time is decoding (benchmarks/RESULTS.md). Kafka's
documentation describes the layout in "Record Batch" and "Record".
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec
from kafka.consumer.fetcher import Fetcher
from kafka.errors import CorruptRecordError
from kafka.record.util import decode_varint

__all__ = ["FetchedRecords", "Record", "decode"]

Headers = Sequence[tuple[str, bytes | None]]


class Record(msgspec.Struct, gc=False):
    """A record, with names of kafka-python's `ConsumerRecord`.

    The garbage collector does not look at it: it is in no cycle. A `ConsumerRecord` is a tuple,
    and to look at some ten thousand of them again and again took a quarter of a view's time.
    """

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: Headers
    serialized_key_size: int
    serialized_value_size: int


def decode(batch: Any, topic: str, partition: int) -> list[Record]:
    """The records of a kafka-python `DefaultRecordBatch`.

    Numbers are varints. A byte holds seven bits of the number, the lowest bits come first, and the
    lowest bit of all is the sign. The eighth bit is set in all bytes but the last. Nearly all
    lengths take one byte, and nearly all differences one or two. Those are decoded here, without
    a call: calls for the numbers would add 0.4 us to the 0.5 of a record.
    Raises CorruptRecordError if the batch does not agree with the lengths in it.
    """
    iter(batch)  # decompresses it
    data, at = bytes(batch._buffer), batch._pos
    base, first, latest = batch.base_offset, batch.first_timestamp, batch.max_timestamp
    by_broker = batch.timestamp_type == 1  # it has noted one time for the whole batch
    records = []
    try:
        for _ in range(batch.records_count):
            size = data[at]
            if size & 0x81:
                size, at = decode_varint(data, at)
            else:
                size, at = size >> 1, at + 1
            end = at + size

            at += 1  # attributes: none are in use
            delta = data[at]
            if delta < 0x80:
                delta, at = delta >> 1 ^ -(delta & 1), at + 1
            elif (more := data[at + 1]) < 0x80:
                delta, at = (delta & 0x7F | more << 7) >> 1 ^ -(delta & 1), at + 2
            else:
                delta, at = decode_varint(data, at)
            timestamp = latest if by_broker else first + delta

            delta = data[at]
            if delta < 0x80:
                delta, at = delta >> 1 ^ -(delta & 1), at + 1
            elif (more := data[at + 1]) < 0x80:
                delta, at = (delta & 0x7F | more << 7) >> 1 ^ -(delta & 1), at + 2
            else:
                delta, at = decode_varint(data, at)

            key_size = data[at]
            if key_size & 0x81:
                key_size, at = decode_varint(data, at)
            else:
                key_size, at = key_size >> 1, at + 1
            if key_size < 0:
                key = None
            else:
                key = data[at : at + key_size]
                at += key_size

            value_size = data[at]
            if value_size & 0x81:
                value_size, at = decode_varint(data, at)
            else:
                value_size, at = value_size >> 1, at + 1
            if value_size < 0:
                value = None
            else:
                value = data[at : at + value_size]
                at += value_size

            headers: Headers = ()  # a list for each record would take a fifth more time
            if data[at]:
                headers, at = _headers(data, at)
            else:
                at += 1
            if at != end:
                raise ValueError(f"a record of {size} bytes ends {at - end:+} bytes off")
            record = Record(
                topic, partition, base + delta, timestamp, key, value, headers, key_size, value_size
            )
            records.append(record)
        if at != len(data):
            raise ValueError(f"{len(data) - at} bytes follow its last record")
    except (IndexError, ValueError) as exc:
        raise _corrupt(batch, topic, partition, str(exc)) from None
    return records


def _headers(data: bytes, at: int) -> tuple[Headers, int]:
    """The headers that begin at `at`, and where they end."""

    def take() -> bytes | None:
        nonlocal at
        size, at = decode_varint(data, at)
        begin, at = at, at + max(size, 0)
        return data[begin:at] if size >= 0 else None

    headers: list[tuple[str, bytes | None]] = []
    count, at = decode_varint(data, at)
    if count < 0:
        raise ValueError(f"{count} headers")
    for _ in range(count):
        key, value = take(), take()
        if key is None:
            raise ValueError("a header without a key")
        headers.append((key.decode(), value))
    return headers, at


class FetchedRecords(Fetcher.PartitionRecords):
    """The fetched records of one partition, for a consumer that polls without a record limit."""

    @classmethod
    def serve(cls, consumer: Any) -> None:
        """Make `consumer` return records by way of this class."""
        consumer._fetcher.PartitionRecords = cls

    def _unpack_records(self, tp: Any, records: Any, *deserializers: Any) -> Iterator[Any]:
        """Like kafka-python's, but by the batch. Aborted and control batches are left out."""
        try:
            while records.has_next():
                if bytes(records._next_slice[16:17]) < b"\2":  # the format before Kafka 0.11
                    yield from super()._unpack_records(tp, records, *deserializers)
                    return
                batch = records.next_batch()
                if self.check_crcs and not batch.validate_crc():
                    raise _corrupt(batch, tp.topic, tp.partition, "its check sum does not match")
                self.leader_epoch = batch.leader_epoch
                if not self._left_out(batch):
                    self.bytes_read += batch.size_in_bytes
                    self.records_read += batch.records_count
                    yield from decode(batch, tp.topic, tp.partition)
                # After the batch, even if compaction removed its last records.
                self.next_fetch_offset = batch.next_offset
        finally:
            self.drain()  # after an error too: else the consumer would use this fetch for ever

    def _left_out(self, batch: Any) -> bool:
        if batch.has_producer_id():
            self._consume_aborted_transactions_up_to(batch.last_offset)
            # Compaction can remove the record of a control batch and keep the empty batch.
            if batch.records_count and self._contains_abort_marker(batch):
                self.aborted_producer_ids.discard(batch.producer_id)
            elif self._is_batch_aborted(batch):
                return True
        return batch.is_control_batch


def _corrupt(batch: Any, topic: str, partition: int, why: str) -> CorruptRecordError:
    return CorruptRecordError(
        f"{topic}, partition {partition}: the batch at offset {batch.base_offset} is corrupt: {why}"
    )
