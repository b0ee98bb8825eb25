"""The dashboard: its pages, and what is left when it ends."""

from __future__ import annotations

import pytest
from ipywidgets.widgets import widget as registry

from clicklib import Processor, clicks
from clicklib.widgets import Dashboard
from tests.unit.widgets.fakes import NOWHERE, FakeEmitter, names, view
from tests.waiting import wait_until


def board() -> Dashboard:
    processor = Processor(NOWHERE, clicks.graph(clicks.count))
    return Dashboard(FakeEmitter(), processor, view())  # type: ignore[arg-type]


def test_a_closed_dashboard_leaves_no_widget_and_no_thread() -> None:
    dashboard = board()
    assert "clicklib painter" in names()
    assert names().count("clicklib pad") == 1
    dashboard.close()
    dashboard.close()
    assert list(registry._instances.values()) == []
    wait_until("its threads have ended", lambda: names() == [])


def test_a_new_dashboard_closes_the_one_before() -> None:
    first = board()
    count = len(registry._instances)
    for _ in range(5):
        second = board()
    assert first.closed
    assert not second.closed
    assert len(registry._instances) == count


def test_pages_that_are_not_seen_rest() -> None:
    dashboard = board()
    resting = [page.resting for page in dashboard._pages[:-1]]
    assert resting == [False, True, True]
    dashboard._tabs.selected_index = 1
    assert [page.resting for page in dashboard._pages[:-1]] == [True, False, True]


def test_a_dashboard_needs_a_view() -> None:
    with pytest.raises(TypeError, match="needs a view"):
        Dashboard(FakeEmitter())  # type: ignore[arg-type]
