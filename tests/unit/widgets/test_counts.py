"""The bars of clicks by user."""

from __future__ import annotations

from clicklib import clicks
from clicklib.widgets import CountsPlot
from tests.unit.widgets.fakes import rows, view


def test_bars_are_few_and_sum_up_the_others() -> None:
    found = {f"user-{i}": clicks.User(clicks=i) for i in range(1_000)}
    plot = CountsPlot(view(), rows=rows(found))
    plot.paint()
    assert plot.data["bars"][:2] == [["user-999", 999], ["user-998", 998]]
    assert plot.data["others"] == [991, 499_500 - sum(range(991, 1_000))]
    assert (plot.data["total"], plot.data["users"], plot.data["state"]) == (499_500, 1_000, "idle")
