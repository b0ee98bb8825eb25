"""A view's table as a DataFrame: each cell is the field that the codec decoded."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

import msgspec
import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from clicklib import View, clicks
from clicklib.codec import Json
from clicklib.errors import UsageError
from tests.support.values import Place, anything, same

Frame = Callable[..., pd.DataFrame]


@pytest.fixture
def frame(monkeypatch: pytest.MonkeyPatch) -> Frame:
    """Makes the frame of a table with these values."""

    def make(*values: Any) -> pd.DataFrame:
        rows = [(f"user-{number}", value) for number, value in enumerate(values)]
        monkeypatch.setattr(View, "items", lambda self, prefix="": iter(rows))
        return View("127.0.0.1:1", "t", Json(), storage="memory").to_frame()

    return make


class Own:
    """A class of one's own that msgspec does not know."""


@dataclass
class Price:
    amount: Decimal


@dataclass
class Order:
    price: Price
    at: time


class Tagged(msgspec.Struct, tag="t", omit_defaults=True, array_like=True):
    n: int = 5


def test_decimals_are_numbers(frame: Frame) -> None:
    table = frame({"price": Decimal("1.50")}, {"price": Decimal("1.50")})
    assert table["price"].sum() == Decimal("3.00")
    assert isinstance(table["price"].iloc[0], Decimal)
    assert frame(Decimal("1.50"), Decimal("1.50"))["value"].sum() == Decimal("3.00")


def test_times_are_times(frame: Frame) -> None:
    now = datetime(2026, 1, 31, 12, tzinfo=UTC)
    table = frame({"at": now, "took": timedelta(seconds=3)}, {"at": now, "took": timedelta(0)})
    assert table["at"].max() == now
    assert table["at"].dt.hour.tolist() == [12, 12]
    assert table["took"].sum() == timedelta(seconds=3)


@pytest.mark.parametrize(
    "value",
    [np.float32(0.1), np.int64(7), Fraction(1, 3), Own(), object(), 1 << 70, (1, 2), {1, 2}, b"x"],
    ids=lambda value: type(value).__name__,
)
def test_any_value_is_the_cell(frame: Frame, value: Any) -> None:
    assert frame(value)["value"].iloc[0] == value
    assert frame({"a": value, "b": 1})["a"].iloc[0] == value
    assert frame({"a": value}, {"b": 1})["a"].iloc[0] == value


def test_an_array_is_the_cell(frame: Frame) -> None:
    first, second = np.arange(3), np.arange(3)
    table = frame({"a": first}, {"a": second})
    assert table["a"].iloc[0] is first
    assert table["a"].iloc[1] is second


def test_fields_are_columns_and_stay_as_they_are(frame: Frame) -> None:
    price, at = Price(Decimal("1.50")), time(12)
    table = frame(Order(price, at))
    assert list(table.columns) == ["price", "at"]
    assert table.iloc[0].tolist() == [price, at]
    assert frame(clicks.User(3))["Clicks"].tolist() == [3]
    assert frame(Tagged())[["type", "n"]].iloc[0].tolist() == ["t", 5]
    assert frame(Place(3))["value"].tolist() == [Place(3)]


def test_numbers_have_the_types_that_plots_need(frame: Frame) -> None:
    table = frame({"a": 1, "b": 1.5, "c": True}, {"a": 2, "b": None, "c": False, "d": 7})
    assert [str(kind) for kind in table.dtypes] == ["int64", "float64", "bool", "float64"]


def test_a_number_that_a_gap_would_round_is_kept(frame: Frame) -> None:
    table = frame({"a": (1 << 53) + 1}, {})
    assert table["a"].iloc[0] == (1 << 53) + 1
    assert table["a"].isna().tolist() == [False, True]


def test_an_empty_table_is_an_empty_frame(frame: Frame) -> None:
    assert frame().shape == (0, 0)
    assert frame({}, {}).index.tolist() == ["user-0", "user-1"]


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(anything | st.dictionaries(st.sampled_from("ab"), anything), max_size=4))
@example([{("a", "b"): 1}, {"a": 2}]).via("a key that is a tuple")
@example([{1: 1}, {"a": 2}]).via("keys of two kinds")
def test_each_cell_is_the_field_that_was_decoded(frame: Frame, values: list[Any]) -> None:
    table = frame(*values)
    columns = list(table.columns)
    for number, value in enumerate(values):
        fields = value if isinstance(value, dict) else None
        if fields is None and not hasattr(value, "__dataclass_fields__"):
            fields = None if isinstance(value, msgspec.Struct) else {"value": value}
        for name, field in (fields or {}).items():
            cell = table.iloc[number, columns.index(name)]
            if cell is not field:
                missing = field is None or field != field
                assert pd.isna(cell) if missing else same(field, cell), (name, field, cell)


def test_a_read_that_is_refused_says_what_to_call_first() -> None:
    view = View("127.0.0.1:1", "t", Json(), storage="memory", connect_timeout=0.5)
    for stale in (False, True):  # it has no rows, so that stale=True would not help
        with pytest.raises(UsageError, match=r"call start\(\) and wait_running\(\) first$"):
            view.get("user-3", stale=stale)
    with view.start(), pytest.raises(UsageError, match=r"call wait_running\(\) first"):
        view.get("user-3")
