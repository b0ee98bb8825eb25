"""Partitions that come and go: they wait, are recovered, are worked on, are dropped."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from clicklib.client.faults import OutOfRange
from clicklib.client.offsets import TopicPartition
from clicklib.engine.handover import Handover
from clicklib.table import Table
from clicklib.task import Batch


class FakeWorker:
    """A worker that ends when the test says so."""

    def __init__(self, table: Any) -> None:
        self.task = SimpleNamespace(partition=table.partition, under_way=False, handled=0)
        self.story: list[str] = []
        self.ended = False

    def start(self) -> None:
        self.story.append("start")

    def finish(self) -> None:
        self.story.append("finish")

    def abandon(self) -> None:
        self.story.append("abandon")

    def is_alive(self) -> bool:
        return not self.ended


class FakeFollower:
    """Recovers a partition when the test says so."""

    def __init__(self) -> None:
        self.tables: dict[int, Any] = {}
        self.done: set[int] = set()
        self.error: Exception | None = None
        self.kept: set[int] = set()

    def keep(self, partitions: set[int]) -> None:
        self.kept = partitions

    @property
    def recovered(self) -> bool:
        return self.tables.keys() <= self.done

    def add(self, partitions: set[int]) -> None:
        self.tables |= {p: SimpleNamespace(partition=p) for p in partitions}

    def poll(self, timeout: float) -> None:
        if self.error is not None:
            raise self.error

    def release(self) -> list[Table]:
        return [self.tables.pop(p) for p in sorted(self.done & self.tables.keys())]

    def clear(self) -> None:
        self.tables = {}


class Bench:
    def __init__(self) -> None:
        self.follower = FakeFollower()
        self.lingering: list[Any] = []
        self.halted = 0
        begin: Any = FakeWorker
        self.handover = Handover(self.follower, begin, self.lingering)  # type: ignore[arg-type]

    def work_on(self, *partitions: int) -> list[Any]:
        """Bring these partitions to the stage of work; returns their workers."""
        self.handover.assigned(partitions)
        assert self.handover.adopt()
        self.handover.recover(self.handover.can_recover())
        self.follower.done |= set(partitions)
        assert self.handover.work() == sorted(partitions)
        return [self.handover.workers[p] for p in partitions]

    def drop(self) -> None:
        def halt() -> None:
            self.halted += 1

        self.handover.drop(halt)


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_an_assignment_is_adopted_once_and_sorted(bench: Bench) -> None:
    assert not bench.handover.adopt()
    bench.handover.assigned([3, 1, 3, 2])
    assert bench.handover.owned == ()
    assert bench.handover.adopt()
    assert bench.handover.owned == (1, 2, 3)
    assert bench.handover.can_recover() == {1, 2, 3}
    assert not bench.handover.adopt()


def test_a_partition_is_recovered_before_it_is_worked_on(bench: Bench) -> None:
    handover = bench.handover
    assert handover.all_working
    handover.assigned([1, 2])
    handover.adopt()
    assert not handover.all_working
    handover.recover(handover.can_recover())
    assert (handover.recovering, handover.all_working, handover.work()) == (True, False, [])
    bench.follower.done = {1}
    handover.step()
    assert handover.work() == [1]
    assert (list(handover.workers), handover.all_working) == ([1], False)
    bench.follower.done = {2}
    assert handover.work() == [2]
    assert (handover.recovering, handover.all_working) == (False, True)
    assert handover.workers[2].story == ["start"]


def test_a_recovery_that_met_another_topic_begins_again(bench: Bench) -> None:
    bench.handover.assigned([1, 2])
    bench.handover.adopt()
    bench.handover.recover({1, 2})
    bench.follower.error = OutOfRange("made anew")
    bench.handover.step()
    assert bench.handover.can_recover() == {1, 2}
    assert not bench.handover.recovering


def test_a_partition_waits_for_the_worker_that_lingers_with_it(bench: Bench) -> None:
    one, two = bench.work_on(1, 2)
    two.ended = True
    bench.drop()
    assert bench.lingering == [one]
    bench.handover.assigned([1, 2])
    bench.handover.adopt()
    assert bench.handover.can_recover() == {2}
    one.ended = True
    assert bench.handover.can_recover() == {1, 2}
    assert bench.lingering == []


def test_what_is_dropped_is_abandoned_and_forgotten_but_counted(bench: Bench) -> None:
    one, two = bench.work_on(1, 2)
    one.task.handled, two.task.handled = 5, 7
    bench.handover.assigned([3])
    assert bench.handover.handled == 12
    bench.drop()
    assert one.story == two.story == ["start", "abandon"]
    assert (bench.handover.owned, bench.handover.workers) == ((), {})
    assert not bench.handover.adopt()
    assert bench.handover.can_recover() == set()
    assert bench.handover.handled == 12


@pytest.mark.parametrize("under_way", [False, True])
def test_rows_are_halted_only_where_some_are_under_way_and_after_all_are_abandoned(
    bench: Bench, under_way: bool
) -> None:
    one, two = bench.work_on(1, 2)
    two.task.under_way = under_way

    def halt() -> None:
        bench.halted += 1
        assert one.story == two.story == ["start", "abandon"]

    bench.handover.drop(halt)
    assert bench.halted == under_way


def test_a_batch_becomes_safe_only_while_its_worker_has_the_partition(bench: Bench) -> None:
    [before] = bench.work_on(1)
    place, batch = TopicPartition("clicks", 1), Batch(1, {}, {"clicks": 7})
    bench.handover.note_safe(before, batch, committed=False)
    assert bench.handover.commits.due() == {place: 7}
    before.ended = True
    bench.drop()
    assert bench.handover.commits.due() == {}
    [after] = bench.work_on(1)
    bench.handover.note_safe(before, Batch(1, {}, {"clicks": 9}), committed=False)
    assert bench.handover.commits.due() == {}
    bench.handover.note_safe(after, batch, committed=True)
    assert bench.handover.commits.due() == {}


def test_workers_that_finish_are_busy_until_they_end(bench: Bench) -> None:
    workers = bench.work_on(1, 2)
    bench.handover.finish()
    assert [worker.story for worker in workers] == [["start", "finish"]] * 2
    workers[0].ended = True
    assert bench.handover.busy
    workers[1].ended = True
    assert not bench.handover.busy


def test_at_a_revocation_workers_end_then_all_is_dropped_and_only_then_committed(
    bench: Bench,
) -> None:
    [worker] = bench.work_on(1)
    committed: list[Any] = []

    async def sleep(seconds: float) -> None:
        """Meanwhile Kafka acknowledges the last batch, and the worker ends."""
        bench.handover.note_safe(worker, Batch(1, {}, {"clicks": 7}), committed=False)
        worker.ended = True

    async def commit(offsets: Any) -> None:
        committed.append((offsets, bench.handover.owned))

    asyncio.run(bench.handover.revoked(sleep, lambda: False, bench.drop, commit))
    assert worker.story == ["start", "finish", "abandon"]
    assert committed == [({TopicPartition("clicks", 1): 7}, ())]


def test_stores_are_closed_but_for_owned_partitions_and_those_that_a_worker_may_use(
    bench: Bench,
) -> None:
    workers = bench.work_on(1, 2, 3)
    workers[0].ended = workers[1].ended = True
    bench.drop()
    bench.work_on(2, 5)
    bench.handover.close_others()
    assert bench.follower.kept == {2, 3, 5}
