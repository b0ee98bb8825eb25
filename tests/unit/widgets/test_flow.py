"""The way of a click, part by part."""

from __future__ import annotations

import inspect
from types import SimpleNamespace
from typing import Any

from clicklib import Emitter, Processor, clicks
from clicklib.engine.state import State
from clicklib.errors import DeliveryError
from clicklib.widgets import FlowMap
from tests.unit.widgets.fakes import NOWHERE, FakeEmitter, FakeWatch, group, member, view


def test_the_flow_says_what_each_part_is() -> None:
    processor = Processor(NOWHERE, clicks.graph(clicks.count))
    watch = FakeWatch(None)
    emitter: Any = FakeEmitter()
    flow = FlowMap(emitter, processor, view(), watch=watch)  # type: ignore[arg-type]

    def levels() -> list[tuple[str, str]]:
        flow.paint()
        return [(node["state"], node["level"]) for node in flow.data["nodes"]]

    assert levels() == [
        ("ready", "ok"),
        ("…", "off"),
        ("idle", "off"),
        ("…", "off"),
        ("idle", "off"),
    ]
    watch.seen, emitter.closed = group(member("m1", 0), member("m2")), True
    assert levels()[:3] == [("closed", "off"), ("1 partition", "ok"), ("2 members", "ok")]
    emitter.error, watch.error = DeliveryError("lost", topic="clicks"), "no broker"
    assert levels()[:2] == [("failed", "failed"), ("unreachable", "failed")]
    assert flow.data["error"] == "lost (topic clicks); no broker"
    flow.emitter = flow.processor = flow.view = None
    assert [level for _, level in levels()] == ["off", "failed", "ok", "failed", "off"]


def test_a_view_with_one_row_has_no_rows() -> None:
    found = SimpleNamespace(records_in=2, rows=1)
    of: Any = SimpleNamespace(get=None, items=None, state=State.RUNNING, error=None)
    of.table, of.stats = "g-table", lambda: found
    flow = FlowMap(FakeEmitter(), None, of, watch=FakeWatch(None))  # type: ignore[arg-type]

    def note() -> str:
        flow.paint()
        return str(flow.data["nodes"][-1]["note"])

    assert note() == "1 row"
    found.rows = 2_000
    assert note() == "2,000 rows"


def test_widgets_know_emitters_only_by_what_they_have() -> None:
    """FakeEmitter stands for it."""
    for name in ("closed", "emit", "error", "stats", "topic"):
        assert hasattr(Emitter, name) or f"self.{name}" in inspect.getsource(Emitter.__init__)
