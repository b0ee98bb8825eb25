"""Following a table: apply what comes, step over holes, notice the end."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import pytest

from clicklib.engine.follower import Follower
from clicklib.stores.memory import MemoryStorage
from tests.support.records import record


class FakeReader:
    """Reads a table's topic as the test wrote it; None in a log is an offset without a record."""

    def __init__(self, logs: dict[int, list]) -> None:
        self.logs = logs
        self.begins: dict[int, int] = {}
        self.positions: dict[int, int] = {}
        self.most = 100
        self.known = True

    def bounds(
        self, partitions: Iterable[int], timeout: float = 10.0
    ) -> dict[int, tuple[int, int]]:
        return {p: (self.begins.get(p, 0), len(self.logs[p])) for p in partitions}

    def read_from(self, positions: Mapping[int, int]) -> None:
        self.positions = dict(positions)

    def poll(self, timeout: float) -> dict[int, list]:
        found = {}
        for partition, position in self.positions.items():
            span = self.logs[partition][position : position + self.most]
            self.positions[partition] = position + len(span)
            batch = [each for each in span if each is not None]
            if batch:
                found[partition] = batch
        return found

    def position(self, partition: int) -> int | None:
        return self.positions[partition] if self.known else None


def log(*rows: tuple[str, str] | None) -> list:
    return [
        row and record(row[0].encode(), row[1].encode(), offset=offset)
        for offset, row in enumerate(rows)
    ]


class Bench:
    def __init__(self, logs: dict[int, list]) -> None:
        self.reader = FakeReader(logs)
        self.stores = {p: MemoryStorage() for p in logs}
        self.updates: list[tuple[int, dict]] = []
        self.follower = Follower(
            self.reader,  # type: ignore[arg-type]
            self.stores.__getitem__,
            lambda partition, rows: self.updates.append((partition, dict(rows))),
        )

    def rows(self, partition: int) -> dict[bytes, bytes]:
        return dict(self.stores[partition].items())


def test_it_recovers_each_partition_up_to_its_end() -> None:
    bench = Bench({0: log(("a", "1"), ("a", "2")), 1: log(("b", "3"))})
    bench.follower.add([0, 1])
    assert not bench.follower.recovered
    assert bench.follower.poll(0)
    assert bench.follower.recovered
    assert (bench.rows(0), bench.rows(1)) == ({b"a": b"2"}, {b"b": b"3"})
    assert (bench.stores[0].position, bench.stores[1].position) == (2, 1)
    assert bench.follower.records == 3
    assert bench.updates == [(0, {b"a": b"2"}), (1, {b"b": b"3"})]


def test_it_stores_the_rows_also_where_nobody_asked_for_updates() -> None:
    bench = Bench({0: log(("a", "1"), ("a", "2"))})
    follower = Follower(bench.reader, bench.stores.__getitem__, None)  # type: ignore[arg-type]
    follower.add([0])
    assert follower.poll(0)
    assert (bench.rows(0), follower.recovered) == ({b"a": b"2"}, True)


def test_an_update_is_told_of_only_when_its_rows_are_stored() -> None:
    bench = Bench({0: log(("a", "1"))})
    seen: list[Any] = []
    follower = Follower(
        bench.reader,  # type: ignore[arg-type]
        bench.stores.__getitem__,
        lambda partition, rows: seen.append((bench.rows(partition), dict(rows))),
    )
    follower.add([0])
    follower.poll(0)
    assert seen == [({b"a": b"1"}, {b"a": b"1"})]


def test_an_empty_partition_is_recovered_at_once() -> None:
    bench = Bench({0: []})
    bench.follower.add([0])
    assert bench.follower.recovered


def test_it_reads_on_where_the_store_ends() -> None:
    bench = Bench({0: log(("a", "1"), ("b", "2"))})
    bench.stores[0].write({b"a": b"kept"}, 1)
    bench.follower.add([0])
    bench.follower.poll(0)
    assert bench.rows(0) == {b"a": b"kept", b"b": b"2"}


def test_while_the_position_is_not_known_recovery_goes_on() -> None:
    bench = Bench({0: log(("a", "1"), None)})
    bench.reader.known = False
    bench.follower.add([0])
    bench.follower.poll(0)
    assert not bench.follower.poll(0)
    assert not bench.follower.recovered
    bench.reader.known = True
    bench.follower.poll(0)
    assert bench.follower.recovered


@pytest.mark.parametrize(
    "rows", [(("a", "1"), None), (None,), (None, ("a", "1"), None, None)], ids=repr
)
def test_holes_and_control_records_at_the_end_do_not_stall_it(rows: tuple) -> None:
    bench = Bench({0: log(*rows)})
    bench.follower.add([0])
    for _ in range(2):
        bench.follower.poll(0)
    assert bench.follower.recovered
    assert bench.stores[0].position == len(rows)


def test_a_recovered_partition_is_released_once_and_read_no_more() -> None:
    bench = Bench({0: log(("a", "1")), 1: log(("b", "1"), ("b", "2"))})
    bench.reader.most = 1
    bench.follower.add([0, 1])
    assert bench.follower.release() == []
    bench.follower.poll(0)
    assert [table.partition for table in bench.follower.release()] == [0]
    assert bench.reader.positions == {1: 1}
    bench.follower.poll(0)
    assert [table.partition for table in bench.follower.release()] == [1]
    assert bench.follower.release() == []


def test_partitions_that_are_added_later_leave_the_others_where_they_are() -> None:
    bench = Bench({0: log(("a", "1"), ("a", "2")), 1: log(("b", "1"))})
    bench.reader.most = 1
    bench.follower.add([0])
    bench.follower.poll(0)
    bench.follower.add([1])
    assert bench.reader.positions == {0: 1, 1: 0}


def test_it_follows_what_comes_after_the_recovery() -> None:
    bench = Bench({0: log(("a", "1"))})
    bench.follower.add([0])
    bench.follower.poll(0)
    assert not bench.follower.poll(0)
    bench.reader.logs[0] = log(("a", "1"), ("a", "2"))
    assert bench.follower.poll(0)
    assert bench.rows(0) == {b"a": b"2"}


def test_a_look_tells_a_topic_that_went_on_from_one_that_was_cut() -> None:
    bench = Bench({0: log(("a", "1"), ("a", "2"))})
    bench.follower.add([0])
    bench.follower.poll(0)
    bench.reader.logs[0] = log(*[("a", "1")] * 5)
    assert bench.follower.look(1)
    assert not bench.follower.recovered
    bench.reader.logs[0] = log(("a", "1"))
    assert not bench.follower.look(1)


def test_it_can_be_made_to_follow_nothing() -> None:
    bench = Bench({0: log(("a", "1"))})
    bench.follower.add([0])
    bench.follower.clear()
    assert (dict(bench.follower.tables), bench.follower.recovered) == ({}, True)


def test_the_rows_of_a_truncated_topic_are_dropped() -> None:
    bench = Bench({0: log(("a", "1"))})
    bench.stores[0].write({b"old": b"1"}, 9)
    bench.follower.add([0])
    assert bench.rows(0) == {}
    bench.follower.poll(0)
    assert bench.rows(0) == {b"a": b"1"}


def test_nothing_is_lost_between_tables_of_several_polls() -> None:
    rows: list[Any] = [(f"u{i % 7}", str(i)) for i in range(50)]
    bench = Bench({0: log(*rows)})
    bench.reader.most = 3
    bench.follower.add([0])
    while not bench.follower.recovered:
        bench.follower.poll(0)
    assert bench.rows(0) == {key.encode(): value.encode() for key, value in rows}
