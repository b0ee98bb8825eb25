"""The rules of recovery: where to read on, what to keep, and when it is done."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clicklib.codec import Int64
from clicklib.errors import CallbackError, CodecError
from clicklib.stores.memory import MemoryStorage
from clicklib.table import Table, progress, reach, starting_point, update_caller
from tests.support.records import record


def store_at(position: int | None) -> MemoryStorage:
    store = MemoryStorage()
    if position is not None:
        store.write({b"old": b"1"}, position)
    return store


@pytest.mark.parametrize(
    ("position", "begin", "end", "start", "keeps"),
    [
        pytest.param(None, 0, 10, 0, True, id="new store"),
        pytest.param(None, 5, 10, 5, True, id="new store, topic begins later"),
        pytest.param(None, 7, 7, 7, True, id="new store, empty topic"),
        pytest.param(4, 0, 10, 4, True, id="inside"),
        pytest.param(0, 0, 10, 0, True, id="at the begin"),
        pytest.param(5, 5, 10, 5, True, id="at a later begin"),
        pytest.param(10, 0, 10, 10, True, id="at the end"),
        pytest.param(0, 0, 0, 0, True, id="both empty"),
        pytest.param(11, 0, 10, 0, False, id="beyond the end"),
        pytest.param(3, 0, 0, 0, False, id="topic made anew"),
        pytest.param(4, 5, 10, 5, False, id="before the begin"),
        pytest.param(4, 7, 7, 7, False, id="before the begin of an empty topic"),
    ],
)
def test_recovery_starts_where_the_store_ends_if_the_topic_still_has_that(
    position: int | None, begin: int, end: int, start: int, keeps: bool
) -> None:
    assert starting_point(position, begin, end) == (start, keeps)
    store = store_at(position)
    table = Table(3, store, begin, end)
    assert (table.start, table.position, table.dropped) == (start, start, not keeps)
    assert store.get(b"old") == (b"1" if keeps and position is not None else None)
    assert table.recovered == (start >= end)


@given(st.none() | st.integers(0, 30), st.integers(0, 20), st.integers(0, 20))
def test_recovery_reads_only_what_the_topic_has(
    position: int | None, begin: int, length: int
) -> None:
    start, keeps = starting_point(position, begin, begin + length)
    assert begin <= start <= begin + length
    assert keeps or start == begin


@pytest.mark.parametrize(
    ("position", "offsets", "reaches"),
    [
        pytest.param(None, [0], 1, id="the first row"),
        pytest.param(4, [4, 5, 6], 7, id="they follow"),
        pytest.param(4, [5], 4, id="another wrote before"),
        pytest.param(4, [4, 6], 4, id="another wrote between"),
        pytest.param(4, [-1], 4, id="not known where"),
    ],
)
def test_a_store_reaches_as_far_as_its_own_rows_follow_it(
    position: int | None, offsets: list[int], reaches: int
) -> None:
    assert reach(position, offsets) == reaches


@pytest.mark.parametrize("offset", [0, 7])
def test_an_empty_table_is_recovered_at_once_and_known_as_such(offset: int) -> None:
    store = store_at(None)
    assert Table(3, store, offset, offset).recovered
    assert store.position == offset


def test_a_dropped_store_of_an_empty_topic_starts_over_at_once() -> None:
    store = store_at(9)
    table = Table(3, store, 0, 0)
    assert (table.recovered, table.dropped, store.position, len(store)) == (True, True, 0, 0)


def test_records_are_applied_in_order_and_the_last_value_of_a_key_counts() -> None:
    table = Table(3, store_at(None), 0, 5)
    rows = table.apply([record(b"a", b"1"), record(b"b", b"2"), record(b"a", b"3")], 3)
    assert rows == {b"a": b"3", b"b": b"2"}
    assert dict(table.store.items()) == rows
    assert (table.position, table.store.position, table.recovered) == (3, 3, False)


@pytest.mark.parametrize(
    ("records", "left"),
    [
        ([record(b"a", b"1"), record(b"a", None)], {}),
        ([record(b"a", None), record(b"a", b"")], {b"a": b""}),
        ([record(b"", b"1")], {b"": b"1"}),
        ([record(None, b"1"), record(b"a", b"1")], {b"a": b"1"}),
    ],
    ids=["removed", "an empty value", "the empty key", "no key"],
)
def test_null_removes_a_row_and_what_has_no_key_is_no_row(
    records: list, left: dict[bytes, bytes]
) -> None:
    table = Table(3, store_at(None), 0, 2)
    table.apply(records, 2)
    assert dict(table.store.items()) == left
    assert table.recovered


def test_holes_and_control_records_at_the_end_count_as_read() -> None:
    table = Table(3, store_at(None), 0, 10)
    table.apply([record(b"a", b"1", offset=6)], 7)
    assert not table.recovered
    table.apply((), 10)
    assert table.recovered
    assert (table.store.position, table.store.get(b"a")) == (10, b"1")


def test_records_beyond_the_end_are_applied_too() -> None:
    table = Table(3, store_at(None), 0, 1)
    table.apply([record(b"a", b"1", offset=0), record(b"b", b"2", offset=1)], 2)
    assert (table.recovered, table.position) == (True, 2)


def test_progress_counts_the_offsets_of_this_recovery() -> None:
    half, done, warm = (Table(p, store_at(s), 0, 10) for p, s in enumerate((None, None, 4)))
    half.apply((), 5)
    done.apply((), 12)
    assert progress([half]) == (5, 10)
    assert progress([done]) == (10, 10)
    assert progress([warm]) == (0, 6)
    assert progress([half, done, warm]) == (15, 26)
    assert progress([]) == (0, 0)


def test_an_update_is_told_as_key_and_value() -> None:
    told: list[tuple[str, int | None]] = []
    tell = update_caller(lambda key, value: told.append((key, value)), Int64(), "g-table")
    assert tell is not None
    tell(3, {b"a": b"1", b"b": None})
    assert told == [("a", 1), ("b", None)]
    assert update_caller(None, Int64(), "g-table") is None


def test_a_row_that_no_codec_reads_is_not_blamed_on_the_callback() -> None:
    tell: Any = update_caller(lambda key, value: None, Int64(), "g-table")
    with pytest.raises(CodecError, match="the table's codec cannot decode b'x'") as caught:
        tell(3, {b"a": b"x"})
    assert (caught.value.topic, caught.value.partition, caught.value.key) == ("g-table", 3, "a")


def test_what_the_callback_raises_says_at_which_row() -> None:
    def fail(key: str, value: int) -> None:
        raise KeyError(key)

    tell: Any = update_caller(fail, Int64(), "g-table")
    with pytest.raises(CallbackError, match=r"on_update raised KeyError\('a'\)") as caught:
        tell(3, {b"a": b"1"})
    assert (caught.value.topic, caught.value.partition, caught.value.key) == ("g-table", 3, "a")
