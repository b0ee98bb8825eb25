"""The map of a cluster: what a copy is, and what is not known."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from clicklib.client.layout import Copies, Layout
from clicklib.widgets import ClusterMap, cluster_map
from tests.unit.widgets.fakes import NOWHERE


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> Callable[..., dict[str, Any]]:
    """What the map shows of a layout."""

    def draw(found: Layout | None, error: str = "") -> dict[str, Any]:
        seen = SimpleNamespace(latest=lambda: found, error=error, rest=lambda: None)
        monkeypatch.setattr(cluster_map, "Watch", lambda *_, **__: seen)
        return ClusterMap(NOWHERE, "clicks", "team").data

    return draw


def test_a_copy_leads_is_in_step_behind_or_dead(drawn: Callable[..., dict[str, Any]]) -> None:
    places = {
        0: Copies(1, (1, 2, 3), (1,)),
        1: Copies(2, (1, 2), (1, 2)),
        2: Copies(-1, (3,), (3,)),
    }
    found = drawn(Layout((1, 2, 4), places, controller=2, coordinator=None))
    assert found["brokers"] == {"1": "alive", "2": "alive", "3": "dead", "4": "alive"}
    assert found["partitions"] == {
        "0": ["leader", "behind", "dead", ""],
        "1": ["in step", "leader", "", ""],
        "2": ["", "", "dead", ""],
    }
    assert found["tasks"] == {"controller": 2, "coordinator": None}


def test_of_a_cluster_that_does_not_answer_nothing_is_known(
    drawn: Callable[..., dict[str, Any]],
) -> None:
    known = Layout((1,), {0: Copies(1, (1,), (1,))}, controller=1, coordinator=1)
    found = drawn(known, "no broker answers")
    assert (found["brokers"], found["partitions"]) == ({"1": "?"}, {"0": ["?"]})
    assert set(found["tasks"].values()) == {None}
    assert drawn(None)["partitions"] == {}
