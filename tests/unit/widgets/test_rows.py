"""The rows of a table: when they are read, and the number in a row."""

from __future__ import annotations

import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from clicklib import State, clicks
from clicklib.widgets.rows import Rows, clicks_of


def test_the_number_in_a_value_is_found() -> None:
    class Old(msgspec.Struct):
        name: str
        seen: int

    values = [7, 1.5, clicks.User(clicks=3), {"Clicks": 4}, {"clicks": 5}, Old("a", 6), "x", None]
    assert [clicks_of(value) for value in values] == [7, 1.5, 3, 4, 5, 6, 0, 0]


def test_a_table_is_read_only_when_it_changed() -> None:
    reads, stats = [], SimpleNamespace(records_in=0)
    source: Any = SimpleNamespace(
        state=State.RUNNING,
        stats=lambda: stats,
        items=lambda stale: reads.append(stale) or [("a", stats.records_in)],
    )
    table = Rows(source)

    def read() -> Any:
        table._next = 0
        return table.read()

    assert [read(), read()] == [{"a": 0}, {"a": 0}]
    assert len(reads) == 1
    stats.records_in = 2
    assert read() == {"a": 2}
    source.state, stats.records_in = State.STOPPED, 3
    assert read() == {"a": 2}


def burn(seconds: float) -> None:
    """Take so much of the processor's time."""
    end = time.thread_time() + seconds
    while time.thread_time() < end:
        pass


@pytest.mark.parametrize(
    ("cost", "seen"), [(time.sleep, 2), (burn, 1)], ids=["it waited", "it worked"]
)
def test_a_table_that_is_much_work_to_read_is_read_less_often(
    cost: Callable[[float], None], seen: int
) -> None:
    stats = SimpleNamespace(records_in=1)

    def items(stale: bool) -> list[tuple[str, int]]:
        cost(0.2)
        return [("a", stats.records_in)]

    source: Any = SimpleNamespace(state=State.RUNNING, stats=lambda: stats, items=items)
    table = Rows(source)
    table.read()
    stats.records_in = 2
    table._next -= 0.5  # this much later
    assert table.read() == {"a": seen}
