"""One partition of a group: what leaves when, and what a crash may repeat but never lose."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clicklib import Graph, Input, Persist, define_group
from clicklib.codec import Int64, String
from clicklib.context import Context
from clicklib.errors import CallbackError, CodecError, DataError, UsageError
from clicklib.stores.memory import MemoryStorage
from clicklib.table import Table
from clicklib.task import Task
from tests.support.records import clicks, record


def count(ctx: Context, msg: str) -> None:
    ctx.set_value((ctx.value() or 0) + 1)


def graph(callback: Callable[[Context, Any], None] = count) -> Graph:
    return define_group(
        "g",
        Input("clicks", String(), callback),
        Input("likes", String(), callback),
        Persist(Int64()),
    )


def task(callback: Callable[[Context, Any], None] = count, limit: int = 1 << 20) -> Task:
    return Task(graph(callback), 0, MemoryStorage(), limit)


def process(task: Task, records: list, start: int = 0) -> int:
    return task.process(task.graph.inputs[0], records, start)


# 1. Messages are handled one after the other.


def test_messages_are_handled_in_the_order_of_their_offsets() -> None:
    seen: list[int] = []
    work = task(lambda ctx, msg: seen.append(ctx.offset))
    assert process(work, clicks("abcab", first=7)) == 5
    assert seen == [7, 8, 9, 10, 11]
    assert (work.positions, work.handled) == ({"clicks": 12}, 5)


def test_before_the_first_message_there_is_no_position_and_nothing_to_take() -> None:
    work = task()
    assert process(work, []) == 0
    assert (work.positions, work.pending, work.take(), work.handled) == ({}, False, None, 0)


def test_it_goes_on_from_the_given_index() -> None:
    work = task()
    records = clicks("abc")
    assert process(work, records, 2) == 3
    assert process(work, records, 3) == 3
    assert [work.get(key) for key in "abc"] == [None, None, 1]


def test_attention_ends_it_after_the_message_in_hand() -> None:
    def callback(ctx: Context, msg: str) -> None:
        count(ctx, msg)
        work.attention = ctx.key == "b"

    work = task(callback)
    assert process(work, clicks("abc")) == 2
    assert (work.positions, work.get("b"), work.get("c")) == ({"clicks": 2}, 1, None)


def test_a_context_that_was_kept_never_has_the_next_message() -> None:
    """As that of a callback that leaves the work to a thread."""
    kept: list[Context] = []

    def callback(ctx: Context, msg: str) -> None:
        for earlier in kept:
            with pytest.raises(UsageError, match="until its callback returns"):
                earlier.set_value(100)
        if ctx.key in "ac":
            kept.append(ctx)
        count(ctx, msg)

    work = task(callback)
    assert process(work, clicks("abacdb")) == 6
    assert [work.get(key) for key in "abcd"] == [2, 2, 1, 1]
    batch = work.take()
    assert batch is not None
    assert (len(batch.rows), batch.offsets) == (4, {"clicks": 6})


def test_it_returns_when_the_gathered_rows_reach_the_limit() -> None:
    work = task(limit=250)
    records = clicks(["x" * 99 + str(i) for i in range(5)])
    assert process(work, records) == 3
    assert work.full
    work.take()
    assert not work.full
    assert process(work, records, 3) == 5


def test_a_row_that_is_written_again_and_again_takes_its_room_once() -> None:
    work = task(limit=250)
    assert process(work, clicks(["x" * 100] * 1_000)) == 1_000
    assert not work.full


def test_a_null_value_says_nothing_but_its_offset_counts() -> None:
    seen: list[str] = []
    work = task(lambda ctx, msg: seen.append(msg))
    process(work, [record(value=b"1"), record(value=None, offset=1), record(value=None, offset=2)])
    assert seen == ["1"]
    batch = work.take()
    assert batch is not None
    assert (dict(batch.rows), dict(batch.offsets)) == ({}, {"clicks": 3})


def test_empty_bytes_are_a_message() -> None:
    seen: list[str] = []
    process(task(lambda ctx, msg: seen.append(msg)), [record(value=b"")])
    assert seen == [""]


def test_a_missing_key_is_the_empty_one() -> None:
    work = task()
    process(work, [record(key=None), record(key=b"", offset=1)])
    batch = work.take()
    assert batch is not None
    assert dict(batch.rows) == {b"": b"2"}
    assert work.get("") == 2


def test_of_a_header_that_stands_twice_the_last_is_seen() -> None:
    seen: list[Any] = []
    work = task(lambda ctx, msg: seen.append(ctx.headers))
    process(work, [record(headers=(("h", b"1"), ("n", None), ("h", b"2")))])
    assert seen == [{"h": b"2", "n": None}]


# 2. and 3. What is gathered leaves in batches, one at a time.


def test_of_a_key_written_twice_only_the_last_value_leaves() -> None:
    work = task()
    process(work, clicks("aabaa", first=5))
    batch = work.take()
    assert batch is not None
    assert batch.partition == 0
    assert dict(batch.rows) == {b"a": b"4", b"b": b"1"}
    assert dict(batch.offsets) == {"clicks": 10}
    assert not work.pending


def test_a_deleted_row_leaves_as_a_tombstone() -> None:
    work = task(lambda ctx, msg: ctx.delete())
    process(work, clicks("a"))
    batch = work.take()
    assert batch is not None
    assert dict(batch.rows) == {b"a": None}


def test_a_batch_has_the_offsets_of_all_topics_since_the_last_one() -> None:
    work = task()
    work.process(work.graph.inputs[0], clicks("ab", first=3))
    work.process(work.graph.inputs[1], clicks("a", first=9))
    batch = work.take()
    assert batch is not None
    assert dict(batch.offsets) == {"clicks": 5, "likes": 10}
    work.acknowledged(1)
    work.process(work.graph.inputs[1], clicks("a", first=10))
    batch = work.take()
    assert batch is not None
    assert dict(batch.offsets) == {"likes": 11}
    assert work.positions == {"clicks": 5, "likes": 11}


def test_one_batch_at_a_time_is_under_way() -> None:
    work = task()
    process(work, clicks("a"))
    first = work.take()
    process(work, clicks("ab", first=1))
    assert work.under_way
    assert work.take() is None
    assert work.pending
    assert work.acknowledged(1) is first
    second = work.take()
    assert second is not None
    assert (dict(second.rows), dict(second.offsets)) == ({b"a": b"2", b"b": b"1"}, {"clicks": 3})


def test_a_batch_does_not_change_after_it_was_taken() -> None:
    work = task()
    process(work, clicks("a"))
    batch = work.take()
    assert batch is not None
    process(work, clicks("ab", first=1))
    assert (dict(batch.rows), dict(batch.offsets)) == ({b"a": b"1"}, {"clicks": 1})


def test_reads_see_the_gathered_rows_then_those_under_way_then_the_store() -> None:
    seen: list[Any] = []

    def callback(ctx: Context, msg: str) -> None:
        seen.append(ctx.value())
        if msg == "delete":
            ctx.delete()
        else:
            ctx.set_value(int(msg))

    work = task(callback)
    work.store.write({b"a": b"1"}, 1)
    for msg in (b"2", b"3"):
        process(work, [record(b"a", msg)])
    assert work.get("a") == 3
    work.take()
    process(work, [record(b"a", b"delete")])
    assert work.get("a") is None
    work.acknowledged(2)
    process(work, [record(b"a", b"5")])
    assert work.get("a") == 5
    assert seen == [1, 2, 3, None]
    assert work.store.get(b"a") == b"3"


def test_a_tombstone_under_way_hides_the_row_in_the_store() -> None:
    work = task(lambda ctx, msg: ctx.delete())
    work.store.write({b"a": b"1"}, 1)
    process(work, clicks("a"))
    work.take()
    assert work.get("a") is None
    assert work._read(b"a") is None


# 4. The store never knows more than Kafka.


def test_the_store_takes_rows_only_when_they_are_acknowledged() -> None:
    work = task()
    process(work, clicks("aab"))
    work.take()
    assert (len(work.store), work.store.position) == (0, None)
    work.acknowledged(17)
    assert (dict(work.store.items()), work.store.position) == ({b"a": b"2", b"b": b"1"}, 17)
    assert not work.under_way


def test_a_batch_without_rows_leaves_the_store_alone() -> None:
    work = task(lambda ctx, msg: None)
    work.store.write({b"a": b"1"}, 5)
    process(work, clicks("a"))
    work.take()
    assert dict(work.acknowledged(None).offsets) == {"clicks": 1}
    assert (work.store.position, work.under_way) == (5, False)


def test_an_answer_to_no_batch_is_a_defect() -> None:
    with pytest.raises(AssertionError, match="no batch of partition 0"):
        task().acknowledged(1)


def test_a_row_that_the_codec_cannot_read_is_an_error_with_its_place() -> None:
    work = task()
    work.store.write({b"a": b"garbage"}, 1)
    with pytest.raises(CodecError, match="garbage") as raised:
        work.get("a")
    error = raised.value
    assert (error.topic, error.partition, error.key) == ("g-table", 0, "a")


# 5. An error stops the task at its message.


def breaking(ctx: Context, msg: str) -> None:
    """Counts, and breaks over the message that says so."""
    count(ctx, msg)
    if msg == "raise":
        raise ValueError("no")
    if msg == "exit":
        raise SystemExit(3)
    if msg == "interrupt":
        raise KeyboardInterrupt
    if msg == "fail":
        ctx.fail("no")
    if msg == "swallow":
        try:
            ctx.set_value("text")
        except Exception:
            return


BROKEN = [
    (b"raise", CallbackError),
    (b"exit", CallbackError),
    (b"interrupt", CallbackError),
    (b"fail", CallbackError),
    (b"swallow", CodecError),
    (b"\xff", CodecError),
]


@pytest.mark.parametrize(("data", "kind"), BROKEN)
def test_a_failing_message_is_taken_back_and_what_came_before_it_stays(
    data: bytes, kind: type[DataError]
) -> None:
    work = task(breaking)
    records = [*clicks("aab", first=5), record(b"a", data, offset=8), *clicks("ab", first=9)]
    with pytest.raises(kind) as raised:
        process(work, records)
    error = raised.value
    assert (error.topic, error.partition, error.offset, error.key) == ("clicks", 0, 8, "a")
    batch = work.take()
    assert batch is not None
    assert dict(batch.rows) == {b"a": b"2", b"b": b"1"}
    assert dict(batch.offsets) == {"clicks": 8}
    assert work.handled == 3


@pytest.mark.parametrize(("data", "kind"), BROKEN)
def test_a_failing_first_message_leaves_nothing_to_take(data: bytes, kind: type[DataError]) -> None:
    work = task(breaking)
    with pytest.raises(kind):
        process(work, [record(b"a", data, offset=5), *clicks("a", first=6)])
    assert (work.pending, work.take(), work.positions) == (False, None, {})
    assert work.get("a") is None


def test_a_failing_message_hides_no_row_of_the_store_or_under_way() -> None:
    work = task(breaking)
    work.store.write({b"a": b"7"}, 1)
    process(work, clicks("b"))
    work.take()
    for key in (b"a", b"b"):
        with pytest.raises(CallbackError):
            process(work, [record(key, b"raise", offset=1)])
        assert work.get(key.decode()) == {b"a": 7, b"b": 1}[key]


def test_a_failing_message_that_wrote_several_times_is_taken_back_as_a_whole() -> None:
    def callback(ctx: Context, msg: str) -> None:
        for _ in range(3):
            count(ctx, msg)
        ctx.delete()
        if msg == "raise":
            raise ValueError

    work = task(callback)
    process(work, clicks("a"))
    with pytest.raises(CallbackError):
        process(work, [record(b"a", b"raise", offset=1)])
    batch = work.take()
    assert batch is not None
    assert dict(batch.rows) == {b"a": None}


def test_a_failing_message_that_wrote_nothing_takes_nothing_back() -> None:
    work = task(lambda ctx, msg: count(ctx, msg) if msg == "now" else ctx.fail("no"))
    process(work, clicks("a"))
    with pytest.raises(CallbackError):
        process(work, [record(b"a", b"fail", offset=1)])
    assert work.get("a") == 1


# Crashes, at any point between a message and its commit.


class Kafka:
    """One partition of the stream, of the table, and the group's offset, as a broker has them."""

    def __init__(self, keys: list[str]) -> None:
        self.log = clicks(keys)
        self.table: list = []
        self.committed = 0
        self.repeats = False  # rows arrived whose offset was never committed

    def send(self, rows: Any) -> int | None:
        self.table += [record(key, data, offset=len(self.table) + i) for i, (key, data) in
                       enumerate(rows.items())]  # fmt: skip
        return len(self.table) if rows else None


class Member:
    """A processor of that partition, driven by the steps of a test, over a store that stays."""

    def __init__(self, kafka: Kafka, store: MemoryStorage, limit: int) -> None:
        table = Table(0, store, 0, len(kafka.table))
        assert not table.dropped, "the store knows more than Kafka"
        table.apply(kafka.table[table.start :], len(kafka.table))
        self.kafka, self.task = kafka, Task(graph(), 0, store, limit)
        self.next = kafka.committed
        self.batch: Any = None
        self.position: int | None = None
        self.sent = False
        self.safe: int | None = None

    def process(self, records: int) -> None:
        found = self.kafka.log[self.next : self.next + records]
        self.next += process(self.task, found)

    def take(self) -> None:
        if self.batch is None:
            self.batch = self.task.take()

    def send(self) -> None:
        if self.batch is not None and not self.sent:
            self.position, self.sent = self.kafka.send(self.batch.rows), True

    def acknowledge(self) -> None:
        if self.sent:
            self.safe = self.task.acknowledged(self.position).offsets["clicks"]
            self.batch, self.sent = None, False

    def commit(self) -> None:
        if self.safe is not None:
            self.kafka.committed, self.safe = self.safe, None

    @property
    def has_uncommitted_rows(self) -> bool:
        return self.sent or self.safe is not None


def run(keys: list[str], steps: list[str | int], limit: int = 1 << 20) -> tuple[Kafka, Counter]:
    """Take the steps, then finish without a crash; gives the broker and the table's counts."""
    kafka, store = Kafka(keys), MemoryStorage()
    member = Member(kafka, store, limit)
    for step in steps:
        if step == "crash":
            kafka.repeats |= member.has_uncommitted_rows
            member = Member(kafka, store, limit)
        elif isinstance(step, int):
            member.process(step)
        else:
            getattr(member, step)()
    while kafka.committed < len(keys):
        member.process(3)
        for finish in (member.take, member.send, member.acknowledge, member.commit):
            finish()
    recovered = MemoryStorage()
    Table(0, recovered, 0, len(kafka.table)).apply(kafka.table, len(kafka.table))
    assert dict(recovered.items()) == dict(store.items())
    return kafka, Counter({key.decode(): int(data) for key, data in recovered.items()})


keys = st.lists(st.sampled_from(["a", "b", "", "ä"]), max_size=30)
steps = st.lists(
    st.sampled_from([1, 2, 5, "take", "send", "acknowledge", "commit"]),
    max_size=40,
)
crashing = st.lists(
    st.sampled_from([1, 2, 5, "take", "send", "acknowledge", "commit", "crash"]),
    max_size=60,
)


@given(keys, steps, st.sampled_from([1, 5, 1 << 20]))
def test_without_a_crash_the_counts_are_exact_however_batches_fall(
    keys: list[str], steps: list[str | int], limit: int
) -> None:
    assert run(keys, steps, limit)[1] == Counter(keys)


@given(keys, crashing, st.sampled_from([1, 5, 1 << 20]))
def test_a_crash_loses_no_click_and_repeats_only_what_kafka_has_and_no_commit_covers(
    keys: list[str], steps: list[str | int], limit: int
) -> None:
    kafka, counts = run(keys, steps, limit)
    if kafka.repeats:
        assert counts >= Counter(keys)
    else:
        assert counts == Counter(keys)


@pytest.mark.parametrize(
    ("steps", "counted"),
    [
        pytest.param([2, "crash"], 4, id="gathered"),
        pytest.param([2, "take", "crash"], 4, id="taken"),
        pytest.param([2, "take", "send", "crash"], 6, id="sent"),
        pytest.param([2, "take", "send", "acknowledge", "crash"], 6, id="stored"),
        pytest.param([2, "take", "send", "acknowledge", "commit", "crash"], 4, id="committed"),
        pytest.param([2, "take", "send", 2, "acknowledge", "commit", "crash"], 4, id="and more"),
    ],
)
def test_what_a_crash_repeats(steps: list[str | int], counted: int) -> None:
    assert run(["a"] * 4, steps)[1] == Counter({"a": counted})
