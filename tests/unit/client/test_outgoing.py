"""Whole batches out: the same bytes as kafka-python's, and an answer for each row."""

from __future__ import annotations

import time
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from kafka.errors import IllegalStateError, MessageSizeTooLargeError
from kafka.producer.future import FutureProduceResult
from kafka.producer.record_accumulator import RecordAccumulator
from kafka.record.default_records import DefaultRecordBatchBuilder
from kafka.record.memory_records import MemoryRecords
from kafka.record.util import encode_varint
from kafka.structs import TopicPartition

from clicklib.client import outgoing
from clicklib.client.answers import Answers
from clicklib.client.outgoing import Outgoing, headers_as_bytes

rows = st.lists(st.tuples(st.binary(max_size=40), st.none() | st.binary(max_size=300)), max_size=20)


@given(rows)
@example([(b"k" * 9_000, b"v" * 20_000)])
def test_records_are_the_bytes_that_kafka_python_writes(rows: list[Any]) -> None:
    builder = DefaultRecordBatchBuilder(2, 0, False, -1, -1, -1, 1 << 20)
    for number, (key, value) in enumerate(rows):
        builder.append(number, 1_000, key, value, [])
    ours = b"".join(outgoing._record(n, key, value) for n, (key, value) in enumerate(rows))
    assert ours == bytes(builder._buffer[61:])


@given(st.integers(0, 1 << 31))
def test_a_number_is_a_varint(number: int) -> None:
    theirs = bytearray()
    encode_varint(number, theirs.append)
    assert outgoing._varint(number) == theirs


def test_the_numbers_that_are_ready_are_in_their_places() -> None:
    assert [outgoing._varint(number) for number in range(16_384)] == outgoing._READY


def test_answers_are_complete_when_each_row_has_one() -> None:
    answers, told = Answers([b"a", b"b", b"c"]), []
    answers.whenever_done(told.append)
    answers.put(1, [41, 42])
    assert not answers.done
    assert told == []
    error = OSError("gone")
    answers.put(0, [error])
    assert answers.done
    assert answers.results == [error, 41, 42]
    answers.whenever_done(told.append)
    assert told == [answers, answers]
    assert Answers([]).done


def test_a_row_of_a_batch_that_was_split_is_answered_by_its_last_batch() -> None:
    answers, whole = Answers([b"a", b"b"]), FutureProduceResult(None)
    split = outgoing._Split(SimpleNamespace(answers=answers, first=0, count=2), whole)
    assert len(split) == 2
    halves = [FutureProduceResult(None) for _ in range(3)]
    rows = [split[index] for index in range(2)]
    rows[0].rebind(halves[0], 0)
    rows[1].rebind(halves[0], 1)
    rows[1].rebind(halves[1], 0)  # split again
    halves[0].success((70, -1, None))
    assert not answers.done
    assert not whole.is_done
    halves[1].success((-1, -1, lambda index: OSError(f"row {index}")))
    assert answers.results[0] == 70
    assert str(answers.results[1]) == "row 0"
    assert whole.wait(0), "a flush waits for ever for a batch that was split"


PLACE = TopicPartition("clicks", 1)


class Bench:
    """An outgoing end whose sender is the test."""

    def __init__(self, batch_size: int = 1_000, compression: int = 0) -> None:
        self.accumulator = RecordAccumulator(
            batch_size=batch_size, compression_attrs=compression, linger_ms=5
        )
        self.wakeups = 0
        producer: Any = SimpleNamespace(
            _accumulator=self.accumulator,
            config={"batch_size": batch_size, "max_request_size": 2_000},
            _transaction_manager=None,
            _sender=SimpleNamespace(wakeup=self._wake),
        )
        self.out = Outgoing(producer, "clicks", 3)

    def _wake(self) -> None:
        self.wakeups += 1

    def take(self) -> Any:
        """The first batch, as the sender takes it."""
        batch = self.accumulator._batches[PLACE].popleft()
        batch.records.close()
        return batch

    def read(self, batch: Any) -> list[Any]:
        return [record for each in MemoryRecords(bytes(batch.records.buffer())) for record in each]


def keys(records: list[Any]) -> list[bytes]:
    return [record.key for record in records]


@pytest.mark.parametrize("compression", [0, 1, 2])
def test_records_that_are_appended_are_read_as_they_were_given(compression: int) -> None:
    bench = Bench(200_000, compression)
    end = headers_as_bytes({"a": b"1", "ä" * 70: b"x" * 200})
    sent = [(b"a", b"1", outgoing.NO_HEADERS), (b"", None, outgoing.NO_HEADERS)]
    sent += [(b"user-%d" % number, b"v" * number, end) for number in range(300)]
    promises = [bench.out.append(1, *each) for each in sent]
    batch = bench.take()
    found = bench.read(batch)
    assert [(r.key, r.value) for r in found] == [each[:2] for each in sent]
    assert [r.offset for r in found] == list(range(302))
    assert found[0].headers == []
    assert found[301].headers == [("a", b"1"), ("ä" * 70, b"x" * 200)]
    assert (batch.record_count, bench.wakeups) == (302, 1)
    (header,) = MemoryRecords(bytes(batch.records.buffer()))
    assert (header.last_offset_delta, header.compression_type) == (301, compression)
    batch.complete(70, -1)
    assert [promise.result(0) for promise in promises] == [(1, 70 + n) for n in range(302)]


def test_each_record_has_its_own_time(monkeypatch: pytest.MonkeyPatch) -> None:
    bench, clock = Bench(), iter([10.0, 10.0, 12.5, 9.0])
    monkeypatch.setattr(outgoing, "time", lambda: next(clock))
    for key in (b"a", b"b", b"c"):
        bench.out.append(1, key, b"x")
    batch = bench.take()
    found = bench.read(batch)
    (header,) = MemoryRecords(bytes(batch.records.buffer()))
    assert (header.first_timestamp, header.max_timestamp) == (10_000, 12_500)
    assert [r.timestamp for r in found] == [10_000, 12_500, 10_000]  # the clock was set back


def test_a_batch_that_is_full_or_taken_gets_no_more_records() -> None:
    bench = Bench()
    first = [bench.out.append(1, b"a", b"x" * 400) for _ in range(2)]
    bench.out.append(1, b"b", b"x" * 400)
    assert bench.wakeups == 2
    one = bench.take()
    assert keys(bench.read(one)) == [b"a", b"a"]
    bench.out.append(1, b"c", b"x")
    two = bench.take()
    bench.out.append(1, b"d", b"x")
    assert keys(bench.read(two)) == [b"b", b"c"]
    assert keys(bench.read(bench.take())) == [b"d"]
    assert not bench.out.open
    one.complete(5, -1)
    assert [promise.result(0) for promise in first] == [(1, 5), (1, 6)]


@given(rows)
@example([(b"k", b"v" * size) for size in (300, 700, 1_500, 3_000, 200)])
@example([(b"", None), (b"", b"")] * 100)
def test_rows_that_are_sent_fill_batches_and_come_out_in_their_order(rows: list[Any]) -> None:
    bench = Bench()
    answers = bench.out.send(1, rows)
    found = []
    while bench.accumulator._batches[PLACE]:
        batch = bench.take()
        records = bench.read(batch)
        assert batch.records.size_in_bytes() <= 1_000 or len(records) == 1
        assert [record.offset for record in records] == list(range(len(records)))
        found += [(record.key, record.value) for record in records]
        batch.complete(0, -1)
    small = [row for row in rows if len(row[1] or b"") < 2_000]
    assert found == small
    assert [isinstance(each, Exception) for each in answers.results] == [
        row not in small for row in rows
    ]


def test_rows_that_are_sent_do_not_overtake_and_are_not_overtaken() -> None:
    bench = Bench()
    bench.out.append(1, b"a", b"1")
    bench.out.send(1, [(b"b", b"1"), (b"c", b"1")])
    bench.out.append(1, b"d", b"1")
    taken = [bench.take() for _ in range(3)]
    assert [keys(bench.read(batch)) for batch in taken] == [[b"a"], [b"b", b"c"], [b"d"]]


def test_a_record_that_is_too_large_is_refused_and_one_of_the_largest_size_is_not() -> None:
    bench = Bench()
    bench.out.append(1, b"a", b"x")
    overhead = 61 + len(outgoing._record(0, b"a", b"x" * 1_900)) - 1_900
    with pytest.raises(MessageSizeTooLargeError):
        bench.out.append(1, b"a", b"x" * (2_001 - overhead))
    largest = bench.out.append(1, b"a", b"x" * (2_000 - overhead))
    bench.take()
    batch = bench.take()
    assert batch.records.size_in_bytes() == 2_000
    batch.complete(9, -1)
    assert largest.result(0) == (1, 9)


def test_a_batch_that_is_split_answers_each_of_its_records_and_whoever_flushes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(FutureProduceResult, "error_on_callbacks", True)
    bench = Bench()
    promises = [bench.out.append(1, b"%d" % number, b"x") for number in range(5)]
    whole = bench.take()
    assert bench.accumulator.split_and_reenqueue(whole) == 2
    left, right = bench.take(), bench.take()
    assert bench.accumulator.split_and_reenqueue(right) == 2
    last, lost = bench.take(), bench.take()
    left.complete(10, -1)
    last.complete(13, -1)
    assert not whole.produce_future.wait(0)
    lost.complete_exceptionally(OSError("large"), lambda _: OSError("large"))
    assert [p.result(0) for p in promises[:4]] == [(1, 10), (1, 11), (1, 12), (1, 13)]
    assert str(promises[4].exception(0)) == "large"
    assert whole.produce_future.wait(0)
    assert right.produce_future.wait(0)


def test_a_producer_that_is_closed_takes_nothing_and_answers_all() -> None:
    bench = Bench()
    waiting = [bench.out.append(1, b"a", b"x") for _ in range(3)]
    bench.accumulator.close()
    with pytest.raises(IllegalStateError):
        bench.out.append(2, b"a", b"x")
    (refused,) = bench.out.send(2, [(b"a", b"x")]).results
    assert isinstance(refused, IllegalStateError)
    bench.accumulator.abort_incomplete_batches()
    assert all(isinstance(promise.exception(0), IllegalStateError) for promise in waiting)
    with pytest.raises(IllegalStateError):
        bench.out.append(1, b"a", b"x")


def test_a_batch_that_waited_for_too_long_fails_as_a_whole() -> None:
    bench = Bench()
    promises = [bench.out.append(1, b"a", b"x") for _ in range(3)]
    (batch,) = bench.accumulator.expired_batches(now=time.monotonic() + 1_000)
    bench.out.append(1, b"b", b"x")
    assert keys(bench.read(batch)) == [b"a"] * 3
    batch.complete_exceptionally(OSError("late"), lambda _: OSError("late"))
    assert [str(promise.exception(0)) for promise in promises] == ["late"] * 3
