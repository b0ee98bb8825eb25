"""The table of a view."""

from __future__ import annotations

import math
import re
from decimal import Decimal
from fractions import Fraction
from types import SimpleNamespace

import pytest

from clicklib import clicks
from clicklib.client.logs import LogRecord
from clicklib.widgets import TableView
from clicklib.widgets import table as module
from tests.unit.widgets.fakes import rows, view
from tests.waiting import wait_until


def test_a_row_tells_where_it_lies(monkeypatch: pytest.MonkeyPatch) -> None:
    found = {f"user-{i}": clicks.User(clicks=i) for i in range(120)}
    logs = SimpleNamespace(last=lambda _: (8, LogRecord(41, "", b"", 0)), close=lambda: None)
    monkeypatch.setattr(module, "Logs", lambda *args, **kwargs: logs)
    picture = TableView(view(), rows=rows(found))
    assert picture.data["rows"][:2] == [
        ["user-0", 0, '{"Clicks":0}'],
        ["user-1", 1, '{"Clicks":1}'],
    ]
    assert picture.data["more"] == 20
    picture.told({"sort": "count"})
    picture.paint()
    assert picture.data["rows"][0][:2] == ["user-119", 119]
    picture.told({"select": "user-103"})
    wait_until("it was found", lambda: picture.paint() or "offset" in picture.data["detail"])
    assert re.fullmatch(
        r"user-103: hash -?\d+, partition 8, last offset 41", picture.data["detail"]
    )
    picture.told({"select": "nobody"})
    picture.paint()
    assert picture.data["detail"] == ""


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"a": [1, "x"]}, '{"a":[1,"x"]}'),
        (math.nan, "nan"),
        (b"abc", "b'abc'"),
        (Decimal("1.50"), "Decimal('1.50')"),
        ({"a": (1, 2)}, "{'a': (1, 2)}"),
        ({1: 2}, "{1: 2}"),
        (clicks.User(math.nan), "User(clicks=nan)"),  # type: ignore[arg-type]
        (Fraction(1, 2), "Fraction(1, 2)"),
    ],
)
def test_a_value_is_shown_as_it_is(value: object, text: str) -> None:
    assert TableView(view(), rows=rows({"a": value})).data["rows"][0][2] == text
