"""Decoded batches are what kafka-python makes of them, whatever is in them."""

from __future__ import annotations

import contextlib
import gc
import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kafka.consumer.fetcher import Fetcher, IsolationLevel
from kafka.errors import CorruptRecordError
from kafka.protocol.consumer import FetchResponse
from kafka.record import MemoryRecords
from kafka.record.default_records import DefaultRecordBatch, DefaultRecordBatchBuilder
from kafka.record.memory_records import MemoryRecordsBuilder
from kafka.record.util import calc_crc32c
from kafka.structs import TopicPartition

from clicklib.client.batches import FetchedRecords, Record, decode

PLACE = TopicPartition("clicks", 3)
NOW = 1_764_000_000_000

sizes = st.one_of(st.integers(0, 70), st.sampled_from([127, 128, 8191, 8192, 70_000]))
data = st.none() | st.binary(max_size=70) | sizes.map(lambda size: b"x" * size)
headers = st.lists(st.tuples(st.text(max_size=70), st.none() | st.binary(max_size=200)), max_size=3)
rows = st.tuples(
    st.integers(0, 3) | st.sampled_from([70, 9000, 3_000_000]),  # how far the offset goes on
    st.integers(-200, 200) | st.sampled_from([-NOW, 10**6, 10**10, 3 * 10**12]),
    data,
    data,
    headers,
)


def batch(
    entries: list[Any],
    base: int = 0,
    compression: int = 0,
    *,
    transactional: bool = False,
    producer: int = -1,
    control: bool = False,
    append_time: bool = False,
) -> bytes:
    """A batch of `entries`; offsets begin at `base` and may have holes."""
    builder = DefaultRecordBatchBuilder(2, compression, transactional, producer, 0, 0, 1 << 30)
    offset = 0
    for skipped, time, key, value, head in entries:
        offset += skipped
        builder.append(offset, NOW + time, key, value, list(head))
        offset += 1
    built = bytearray(builder.build())
    struct.pack_into(">q", built, 0, base)
    struct.pack_into(">i", built, 12, 7)  # the leader's epoch
    attributes = struct.unpack_from(">h", built, 21)[0] | control << 5 | append_time << 3
    struct.pack_into(">h", built, 21, attributes)
    signed(built)
    return bytes(built)


def signed(built: bytearray) -> None:
    """Mend the check sum."""
    struct.pack_into(">I", built, 17, calc_crc32c(memoryview(built)[21:]))


def read(kind: Any, fetched: bytes, begin: int = 0, aborted: Any = ()) -> Any:
    """The records, and the consumer's state behind them."""
    part = kind(
        begin,
        PLACE,
        MemoryRecords(fetched),
        isolation_level=IsolationLevel.READ_COMMITTED,
        aborted_transactions=list(aborted),
    )
    records = [
        Record(*(getattr(record, name) for name in Record.__struct_fields__))
        for record in part.take(1_000_000)
    ]
    for record in records:
        record.headers = list(record.headers)
    return records, part.next_fetch_offset, part.leader_epoch, bool(part), part.records_read


def both(fetched: bytes, begin: int = 0, aborted: Any = ()) -> Any:
    """What we read, once it was compared with what kafka-python reads."""
    ours = read(FetchedRecords, fetched, begin, aborted)
    theirs = read(Fetcher.PartitionRecords, fetched, begin, aborted)
    assert ours[:4] == theirs[:4]
    return ours[0]


@given(
    st.lists(st.lists(rows, min_size=1, max_size=8), max_size=3),
    st.sampled_from([0, 1, 2, 3, 4]),
    st.booleans(),
    st.integers(0, 20),
)
def test_the_same_records(batches: Any, compression: int, append_time: bool, begin: int) -> None:
    fetched, base = b"", 0
    for entries in batches:
        fetched += batch(entries, base, compression, append_time=append_time)
        base += sum(1 + skipped for skipped, *_ in entries)
    both(fetched, begin)


def test_the_garbage_collector_does_not_look_at_records() -> None:
    entries = [(0, 0, b"a", b"b", ()), (0, 0, b"a", b"b", [("trace", b"1")])]
    records = decode(DefaultRecordBatch(batch(entries)), "clicks", 3)
    assert not any(map(gc.is_tracked, records))


def test_thousands_in_a_batch() -> None:
    entries = [(0, i // 3, b"user-%d" % (i % 10), b"%d" % i, ()) for i in range(20_000)]
    records = both(batch(entries))
    assert [record.offset for record in records] == list(range(20_000))
    assert records[-1].value == b"19999"


def _aborted(producer: int, first: int) -> Any:
    answer = FetchResponse.FetchableTopicResponse.PartitionData.AbortedTransaction
    return answer(producer_id=producer, first_offset=first)


def test_aborted_and_control_records_are_left_out() -> None:
    one = [(0, 0, b"a", b"1", ())]
    abort, commit = struct.pack(">hh", 0, 0), struct.pack(">hh", 0, 1)
    marker: Any = {"transactional": True, "control": True}
    fetched = b"".join(
        [
            batch(one, 0, transactional=True, producer=5),
            batch(one, 1, transactional=True, producer=6),
            batch(one, 2, producer=5),  # of no transaction: it stays
            batch([(0, 0, abort, b"\0" * 6, ())], 3, producer=5, **marker),
            batch([(0, 0, commit, b"\0" * 6, ())], 4, producer=6, **marker),
            batch(one, 5, transactional=True, producer=5),  # the next one, committed
        ]
    )
    records = both(fetched, aborted=[_aborted(5, 0)])
    assert [record.offset for record in records] == [1, 2, 5]


def test_the_format_before_kafka_0_11() -> None:
    builder = MemoryRecordsBuilder(1, 0, 1 << 20)
    for i in range(3):
        builder.append(NOW, b"k", b"%d" % i)
    builder.close()
    assert [record.value for record in both(bytes(builder.buffer()))] == [b"0", b"1", b"2"]


def test_the_old_format_after_the_new() -> None:
    builder = MemoryRecordsBuilder(1, 0, 1 << 20, offset=1)
    builder.append(NOW, b"k", b"old")
    builder.close()
    fetched = batch([(0, 0, b"k", b"new", ())]) + bytes(builder.buffer())
    assert [record.value for record in both(fetched)] == [b"new", b"old"]


def test_a_batch_that_compaction_emptied() -> None:
    one = [(0, 0, b"a", b"1", ())]
    empty = bytearray(batch(one, 0)[:61])
    struct.pack_into(">i", empty, 8, 61 - 12)
    struct.pack_into(">i", empty, 57, 0)
    signed(empty)
    assert [record.offset for record in both(bytes(empty) + batch(one, 1))] == [1]
    struct.pack_into(">h", empty, 21, 0x30)  # transactional, control
    struct.pack_into(">q", empty, 43, 5)  # of producer 5
    signed(empty)
    records, behind, *_ = read(FetchedRecords, bytes(empty) + batch(one, 1))
    assert [record.offset for record in records] == [1]
    assert behind == 2


def test_a_fetch_that_was_cut_within_a_batch() -> None:
    one = [(0, 0, b"a", b"1", ())]
    assert [record.offset for record in both(batch(one, 0) + batch(one, 1)[:-5])] == [0]


def test_what_is_said_of_a_corrupt_batch() -> None:
    built = bytearray(batch([(0, 0, b"a", b"1", ())], 42))
    built[-1] = 0x80  # a number that goes on
    said = "clicks, partition 3: the batch at offset 42 is corrupt"
    with pytest.raises(CorruptRecordError, match=said) as caught:
        decode(DefaultRecordBatch(bytes(built)), "clicks", 3)
    assert caught.value.__cause__ is None  # it would be told in place of this


def test_after_an_error_nothing_is_left_to_look_at() -> None:
    """kafka-python's consumer asks for more, and for ever, as long as there is something."""
    fetched = bytearray(batch([(0, 0, b"a", b"1", ())], 42))
    fetched[-3] ^= 1
    part = FetchedRecords(0, PLACE, MemoryRecords(bytes(fetched)))
    with pytest.raises(CorruptRecordError):
        part.take(10)
    assert not part


def test_a_wrong_check_sum() -> None:
    fetched = bytearray(batch([(0, 0, b"a", b"1", ())], 42))
    fetched[-3] ^= 1
    with pytest.raises(CorruptRecordError, match=r"clicks, partition 3: .*offset 42"):
        read(FetchedRecords, bytes(fetched))


@given(st.integers(61, 110), st.integers(0, 127))
def test_a_broken_batch_is_an_error_or_read_as_kafka_python_does(where: int, byte: int) -> None:
    """Bytes that Kafka signed but no client wrote: never another exception, never other records."""
    entries = [(0, i, b"user-%d" % i, b"value", [("h", b"1")] if i == 1 else ()) for i in range(3)]
    built = bytearray(batch(entries))
    built[min(where, len(built) - 1)] = byte
    found: list[Any] = []
    with contextlib.suppress(CorruptRecordError):
        found = decode(DefaultRecordBatch(bytes(built)), "clicks", 3)
    if not found:
        return
    theirs = list(DefaultRecordBatch(bytes(built)))
    assert [(r.offset, r.timestamp, r.key, r.value, list(r.headers)) for r in found] == [
        (r.offset, r.timestamp, r.key, r.value, r.headers) for r in theirs
    ]
