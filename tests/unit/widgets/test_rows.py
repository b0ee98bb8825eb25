"""The rows of a table: when they are read, and the number in a row."""

from __future__ import annotations

import datetime
import json
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from types import SimpleNamespace
from typing import Any

import msgspec
import numpy as np
import pytest

from clicklib import State, clicks
from clicklib.widgets.rows import Rows, clicks_of, counted


def test_the_number_in_a_value_is_found() -> None:
    class Old(msgspec.Struct):
        name: str
        seen: int

    values = [7, 1.5, clicks.User(clicks=3), {"Clicks": 4}, {"clicks": 5}, Old("a", 6), "x", None]
    assert [clicks_of(value) for value in values] == [7, 1.5, 3, 4, 5, 6, 0, 0]


class Own:
    def __init__(self, clicks: Any) -> None:
        self.clicks = clicks


@dataclass
class Price:
    name: str
    amount: Decimal


@pytest.mark.parametrize(
    ("value", "number"),
    [
        (Decimal("1.50"), 1.5),
        (Fraction(1, 2), 0.5),
        (np.int64(7), 7),
        (np.float32(0.5), 0.5),
        (Own(Decimal(3)), 3),
        (Own("many"), 0),
        (Price("a", Decimal("2.5")), 2.5),
        ({"at": datetime.time(), "n": np.int64(4)}, 4),
        (math.nan, 0),
        (math.inf, 0),
        ({1, 2}, 0),
        (object(), 0),
        ((1 << 53) + 1, (1 << 53) + 1),
    ],
)
def test_the_number_of_any_value_is_one_that_a_browser_takes(value: Any, number: float) -> None:
    found = counted({"a": value}, clicks_of)
    assert found == {"a": number}
    assert json.loads(json.dumps(found, allow_nan=False)) == found


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
