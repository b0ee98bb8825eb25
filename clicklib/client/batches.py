"""Record batches decoded, a fetch of one partition at a time.

kafka-python decodes a record by a dozen calls. Decoding a batch in one loop gives the same records
in a third of the time, and decoding is most of what polling costs (benchmarks/RESULTS.md). The
layout is that of Kafka's documentation, "Record Batch" and "Record".
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from kafka.consumer.fetcher import ConsumerRecord, Fetcher
from kafka.errors import CorruptRecordError
from kafka.record.util import decode_varint

__all__ = ["FetchedRecords", "decode"]

Headers = Sequence[tuple[str, bytes | None]]


def decode(batch: Any, topic: str, partition: int) -> list[ConsumerRecord]:
    """The records of a kafka-python `DefaultRecordBatch`.

    Numbers are varints: seven bits a byte, the lowest first and its lowest bit the sign; all but
    the last byte have the eighth bit set. Nearly all take one or two bytes, those are decoded here,
    written out for each number: a call for each made decoding half as slow again (1.3 for 0.9 us).
    Raises CorruptRecordError where the batch is not as its lengths say.
    """
    iter(batch)  # decompresses it
    data, at = bytes(batch._buffer), batch._pos
    base, first, latest = batch.base_offset, batch.first_timestamp, batch.max_timestamp
    kind, epoch = batch.timestamp_type, batch.leader_epoch
    new = tuple.__new__  # a namedtuple's own is three times as slow
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
            timestamp = latest if kind else first + delta

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

            headers: Headers = ()  # a list each would cost a fifth more
            headers_size = -1
            if data[at]:
                headers, headers_size, at = _headers(data, at)
            else:
                at += 1
            if at != end:
                raise ValueError(f"a record of {size} bytes ends {at - end:+} bytes off")
            fields = (
                topic, partition, epoch, base + delta, timestamp, kind, key, value, headers,
                None, key_size, value_size, headers_size,
            )  # fmt: skip
            records.append(new(ConsumerRecord, fields))
        if at != len(data):
            raise ValueError(f"{len(data) - at} bytes follow its last record")
    except (IndexError, ValueError) as exc:
        raise _corrupt(batch, topic, partition, str(exc)) from None
    return records


def _headers(data: bytes, at: int) -> tuple[Headers, int, int]:
    """The headers that begin at `at`, the bytes of their keys and values, and where they end."""

    def take() -> bytes | None:
        nonlocal at
        size, at = decode_varint(data, at)
        begin, at = at, at + max(size, 0)
        return data[begin:at] if size >= 0 else None

    headers: list[tuple[str, bytes | None]] = []
    total = 0
    count, at = decode_varint(data, at)
    if count < 0:
        raise ValueError(f"{count} headers")
    for _ in range(count):
        key, value = take(), take()
        if key is None:
            raise ValueError("a header without a key")
        headers.append((key.decode(), value))
        total += len(key) + len(value or b"")
    return headers, total, at


class FetchedRecords(Fetcher.PartitionRecords):
    """What a fetch brought of one partition, for a consumer that polls without a record limit."""

    @classmethod
    def serve(cls, consumer: Any) -> None:
        """Make `consumer` return records by way of this class."""
        consumer._fetcher.PartitionRecords = cls

    def _unpack_records(self, tp: Any, records: Any, *deserializers: Any) -> Iterator[Any]:
        """As kafka-python's, but for whole batches: aborted and control ones are left out."""
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
                # Past what compaction took from the end of the batch, too.
                self.next_fetch_offset = batch.next_offset
        finally:
            self.drain()  # after an error too: the consumer would look here for ever

    def _left_out(self, batch: Any) -> bool:
        if batch.has_producer_id():
            self._consume_aborted_transactions_up_to(batch.last_offset)
            # Compaction leaves a control batch without its record.
            if batch.records_count and self._contains_abort_marker(batch):
                self.aborted_producer_ids.discard(batch.producer_id)
            elif self._is_batch_aborted(batch):
                return True
        return batch.is_control_batch


def _corrupt(batch: Any, topic: str, partition: int, why: str) -> CorruptRecordError:
    return CorruptRecordError(
        f"{topic}, partition {partition}: the batch at offset {batch.base_offset} is corrupt: {why}"
    )
