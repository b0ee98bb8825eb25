"""When a worker hands over what it gathered, what it stores, and what it reports."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from clicklib import Input, Persist, define_group
from clicklib.codec import Int64, String
from clicklib.context import Context
from clicklib.engine.worker import Worker
from clicklib.errors import CallbackError
from clicklib.stores.memory import MemoryStorage
from clicklib.task import Batch, Task
from tests.support.owner import Owner
from tests.support.records import Record, clicks, record
from tests.waiting import wait_until


def count(ctx: Context, msg: str) -> None:
    ctx.set_value((ctx.value() or 0) + 1)
    if msg == "fail":
        ctx.fail("asked to")


class Bench:
    """One worker, whose batches and errors are kept for the test to look at."""

    def __init__(
        self, callback: Callable[[Context, Any], None] = count, limit: int = 1 << 20
    ) -> None:
        edge = Input("clicks", String(), callback)
        self.store = MemoryStorage()
        self.task = Task(define_group("g", edge, Persist(Int64())), 3, self.store, limit)
        self.batches: queue.Queue[Batch] = queue.Queue()
        self.updates: list[tuple[int, dict, int | None]] = []
        self.owner = Owner()
        self.errors = self.owner.errors
        self.worker = Worker(
            self.owner,
            self.task,
            self.submit,
            lambda partition, rows: self.updates.append(
                (partition, dict(rows), self.store.position)
            ),
        )
        self.worker.start()

    def submit(self, worker: Worker, batch: Batch) -> None:
        assert worker is self.worker
        self.batches.put(batch)

    def give(self, records: list[Record], handled: int | None = None) -> None:
        """Queue records; with `handled`, wait until so many are done since the begin."""
        self.worker.give(self.task.graph.inputs[0], records)
        if handled is not None:
            wait_until(f"{handled} handled", lambda: self.task.handled == handled, every=0.001)

    def batch(self) -> tuple[dict, dict]:
        """The rows and offsets of the next batch that is handed over."""
        batch = self.batches.get(timeout=5)
        return dict(batch.rows), dict(batch.offsets)

    def ended(self) -> bool:
        self.worker.join(5)
        return not self.worker.is_alive()

    def close(self) -> None:
        self.worker.abandon()
        assert self.ended()


@pytest.fixture
def bench() -> Iterator[Bench]:
    bench = Bench()
    yield bench
    bench.close()


@pytest.fixture
def behind(bench: Bench) -> Bench:
    """A worker whose topic has more to come."""
    bench.worker.behind.add("clicks")
    return bench


def test_its_thread_is_named_after_its_owner_and_its_partition(bench: Bench) -> None:
    assert (bench.worker.name, bench.worker.owner) == ("bench partition 3", bench.owner)


# The window of a flush.


def test_caught_up_it_hands_over_at_once(bench: Bench) -> None:
    bench.give(clicks("aab"))
    assert bench.batch() == ({b"a": b"2", b"b": b"1"}, {"clicks": 3})


def test_behind_it_gathers_until_a_flush_is_asked_for(behind: Bench) -> None:
    behind.give(clicks("a"), handled=1)
    behind.give(clicks("a", first=1), handled=2)
    behind.give(clicks("a", first=2), handled=3)
    assert behind.batches.empty()
    behind.worker.flush()
    assert behind.batch() == ({b"a": b"3"}, {"clicks": 3})


def test_a_flush_of_nothing_hands_over_nothing(behind: Bench) -> None:
    behind.worker.flush()
    wait_until("the flush was seen", behind.worker._inbox.empty, every=0.001)
    assert behind.batches.empty()


def test_it_hands_over_when_it_has_caught_up_meanwhile(behind: Bench) -> None:
    behind.give(clicks("a"), handled=1)
    behind.worker.behind.discard("clicks")
    behind.give(clicks("b", first=1))
    assert behind.batch() == ({b"a": b"1", b"b": b"1"}, {"clicks": 2})


def test_behind_it_hands_over_a_full_batch() -> None:
    bench = Bench(limit=250)
    bench.worker.behind.add("clicks")
    bench.give(clicks([str(i) * 100 for i in range(4)]))
    assert bench.batch() == ({b"0" * 100: b"1", b"1" * 100: b"1", b"2" * 100: b"1"}, {"clicks": 3})
    bench.close()


def test_one_batch_at_most_is_under_way(bench: Bench) -> None:
    bench.give(clicks("a"), handled=1)
    assert bench.batch() == ({b"a": b"1"}, {"clicks": 1})
    bench.give(clicks("a", first=1), handled=2)
    bench.worker.flush()
    bench.give(clicks("a", first=2), handled=3)
    assert bench.batches.empty()
    bench.worker.answer(1)
    assert bench.batch() == ({b"a": b"3"}, {"clicks": 3})


def test_a_second_full_batch_waits_for_the_answer_to_the_first() -> None:
    bench = Bench(limit=50)
    bench.worker.behind.add("clicks")
    bench.give(clicks([str(i) * 100 for i in range(3)]), handled=2)
    assert bench.batch()[1] == {"clicks": 1}
    assert bench.batches.empty()
    bench.worker.answer(1)
    assert bench.batch()[1] == {"clicks": 2}
    bench.worker.answer(2)
    wait_until("the third is handled", lambda: bench.task.handled == 3, every=0.001)
    bench.close()


def test_the_store_and_the_update_follow_the_answer(bench: Bench) -> None:
    bench.give(clicks("a"), handled=1)
    bench.batch()
    assert (len(bench.store), bench.updates) == (0, [])
    bench.worker.answer(17)
    wait_until("the batch is stored", lambda: bench.updates, every=0.001)
    assert bench.updates == [(3, {b"a": b"1"}, 17)]
    assert dict(bench.store.items()) == {b"a": b"1"}


def test_messages_without_rows_are_handed_over_for_their_offsets() -> None:
    bench = Bench(lambda ctx, msg: None)
    bench.give(clicks("a"))
    assert bench.batch() == ({}, {"clicks": 1})
    bench.worker.answer(None)
    bench.give(clicks("a", first=1))
    assert bench.batch() == ({}, {"clicks": 2})
    assert bench.store.position is None
    bench.close()


def test_what_waits_in_its_inbox_is_counted_in_bytes() -> None:
    gate, inside = threading.Event(), threading.Event()

    def callback(ctx: Context, msg: str) -> None:
        inside.set()
        gate.wait(5)

    bench = Bench(callback)
    assert bench.worker.queued == 0
    bench.give([record(value=b"x" * 1_000), record(value=None, offset=1)])
    assert inside.wait(5)
    bench.give([record(value=b"x" * 1_000, offset=2)])
    assert 2_000 < bench.worker.queued < 5_000
    gate.set()
    wait_until("the inbox is empty", lambda: bench.worker.queued == 0, every=0.001)
    bench.close()


# The end.


def test_finishing_hands_over_the_rest_and_waits_until_it_is_stored(behind: Bench) -> None:
    behind.give(clicks("ab"), handled=2)
    behind.worker.finish()
    assert behind.batch() == ({b"a": b"1", b"b": b"1"}, {"clicks": 2})
    assert behind.worker.is_alive()
    behind.worker.answer(2)
    assert behind.ended()
    assert (len(behind.store), behind.store.position) == (2, 2)


def test_finishing_waits_for_what_is_under_way_before_it_hands_over_the_rest(
    bench: Bench,
) -> None:
    bench.give(clicks("a"), handled=1)
    bench.batch()
    bench.give(clicks("a", first=1), handled=2)
    bench.worker.finish()
    bench.worker.answer(1)
    assert bench.batch() == ({b"a": b"2"}, {"clicks": 2})
    bench.worker.answer(2)
    assert bench.ended()
    assert [position for *_, position in bench.updates] == [1, 2]


def test_finishing_ends_after_the_message_in_hand() -> None:
    gate, inside = threading.Event(), threading.Event()

    def callback(ctx: Context, msg: str) -> None:
        count(ctx, msg)
        inside.set()
        gate.wait(5)

    bench = Bench(callback)
    bench.give(clicks("aaa"))
    bench.give(clicks("aaa", first=3))
    assert inside.wait(5)
    bench.worker.finish()
    gate.set()
    assert bench.batch() == ({b"a": b"1"}, {"clicks": 1})
    bench.worker.answer(1)
    assert bench.ended()
    assert bench.task.handled == 1


def test_with_nothing_to_hand_over_finishing_ends_at_once(bench: Bench) -> None:
    bench.worker.finish()
    assert bench.ended()
    assert bench.batches.empty()


def test_an_abandoned_worker_hands_over_nothing_more(behind: Bench) -> None:
    behind.give(clicks("ab"), handled=2)
    behind.worker.abandon()
    assert behind.ended()
    assert behind.batches.empty()
    assert (len(behind.store), behind.errors) == (0, [])


def test_an_abandoned_worker_stores_nothing_of_what_is_under_way(bench: Bench) -> None:
    bench.give(clicks("a"), handled=1)
    bench.batch()
    bench.worker.abandon()
    bench.worker.answer(1)
    assert bench.ended()
    assert (len(bench.store), bench.store.position, bench.updates) == (0, None, [])


def test_an_abandoned_worker_that_waits_for_an_answer_ends() -> None:
    bench = Bench(limit=50)
    bench.worker.behind.add("clicks")
    bench.give(clicks([str(i) * 100 for i in range(3)]), handled=2)
    bench.worker.abandon()
    assert bench.ended()
    assert (bench.batch()[1], bench.batches.empty()) == ({"clicks": 1}, True)


def test_an_abandoned_worker_can_be_finished_and_abandoned_again(bench: Bench) -> None:
    for end in (bench.worker.finish, bench.worker.abandon, bench.worker.abandon):
        end()
    assert bench.ended()


# Errors.


def test_an_error_flushes_what_came_before_it_and_takes_its_own_rows_back(behind: Bench) -> None:
    behind.give([*clicks("aab"), record(b"a", b"fail", offset=3), *clicks("a", first=4)])
    assert behind.batch() == ({b"a": b"2", b"b": b"1"}, {"clicks": 3})
    (error,) = behind.errors
    assert isinstance(error, CallbackError)
    assert (error.offset, error.key) == (3, "a")
    behind.worker.answer(2)
    assert behind.ended()
    assert dict(behind.store.items()) == {b"a": b"2", b"b": b"1"}


def test_an_error_at_the_first_message_hands_over_nothing(bench: Bench) -> None:
    bench.give([record(b"a", b"fail")])
    assert bench.ended()
    assert len(bench.errors) == 1
    assert bench.batches.empty()


def test_an_error_waits_for_what_is_under_way(bench: Bench) -> None:
    bench.give(clicks("a"), handled=1)
    bench.batch()
    bench.give([record(b"a", b"fail", offset=1)])
    wait_until("it failed", lambda: bench.errors, every=0.001)
    bench.worker.answer(1)
    assert bench.ended()
    assert bench.updates == [(3, {b"a": b"1"}, 1)]


def test_an_update_that_raises_is_reported(bench: Bench) -> None:
    def updated(partition: int, rows: Any) -> None:
        raise ZeroDivisionError

    bench.worker._updated = updated
    bench.give(clicks("a"), handled=1)
    bench.batch()
    bench.worker.answer(1)
    assert bench.ended()
    assert [type(error) for error in bench.errors] == [ZeroDivisionError]


def test_it_stores_the_rows_also_where_nobody_asked_for_updates(bench: Bench) -> None:
    bench.worker._updated = None
    bench.give(clicks("a"), handled=1)
    bench.batch()
    bench.worker.answer(1)
    bench.worker.finish()
    assert bench.ended()
    assert (dict(bench.store.items()), bench.errors) == ({b"a": b"1"}, [])


def test_what_befalls_an_abandoned_worker_in_its_callback_is_not_reported() -> None:
    gate, inside = threading.Event(), threading.Event()

    def callback(ctx: Context, msg: str) -> None:
        count(ctx, "now")
        if msg == "fail":
            inside.set()
            gate.wait(5)
            ctx.fail("too late")

    bench = Bench(callback)
    bench.worker.behind.add("clicks")
    bench.give([*clicks("a"), record(b"a", b"fail", offset=1)])
    assert inside.wait(5)
    assert not bench.worker.abandoned
    bench.worker.abandon()
    assert bench.worker.abandoned
    gate.set()
    assert bench.ended()
    assert (bench.errors, bench.batches.empty(), len(bench.store)) == ([], True, 0)


def test_what_befalls_an_abandoned_worker_in_an_update_is_not_reported(bench: Bench) -> None:
    gate, inside = threading.Event(), threading.Event()

    def updated(partition: int, rows: Any) -> None:
        inside.set()
        gate.wait(5)
        raise ZeroDivisionError

    bench.worker._updated = updated
    bench.give(clicks("a"), handled=1)
    bench.batch()
    bench.worker.answer(1)
    assert inside.wait(5)
    bench.worker.abandon()
    gate.set()
    assert bench.ended()
    assert bench.errors == []


def test_an_error_after_which_it_is_abandoned_is_reported_once(bench: Bench) -> None:
    bench.give(clicks("a"), handled=1)
    bench.batch()
    bench.give([record(b"a", b"fail", offset=1)])
    wait_until("it failed", lambda: bench.errors, every=0.001)
    bench.worker.abandon()
    assert bench.ended()
    assert (len(bench.errors), bench.updates) == (1, [])
