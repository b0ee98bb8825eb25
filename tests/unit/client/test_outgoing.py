"""Whole batches out: the same bytes as kafka-python's, and an answer for each row."""

from __future__ import annotations

from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st
from kafka.producer.future import FutureProduceResult
from kafka.record.default_records import DefaultRecordBatchBuilder
from kafka.record.util import encode_varint

from clicklib.client import outgoing
from clicklib.client.outgoing import Answers

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
    assert outgoing._VARINTS[number] == theirs


def test_answers_are_complete_when_each_row_has_one() -> None:
    answers, told = Answers(3), []
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
    assert Answers(0).done


def test_a_row_of_a_batch_that_was_split_is_answered_by_its_last_batch() -> None:
    answers = Answers(2)
    split = outgoing._Split(answers, 0, 2)
    assert len(split) == 2
    halves = [FutureProduceResult(None) for _ in range(3)]
    rows = [split[index] for index in range(2)]
    rows[0].rebind(halves[0], 0)
    rows[1].rebind(halves[0], 1)
    rows[1].rebind(halves[1], 0)  # split again
    halves[0].success((70, -1, None))
    assert not answers.done
    halves[1].success((-1, -1, lambda index: OSError(f"row {index}")))
    assert answers.results[0] == 70
    assert str(answers.results[1]) == "row 0"
