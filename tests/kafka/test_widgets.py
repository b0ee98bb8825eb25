"""The widgets over a real Kafka, driven in-process, without a browser."""

from __future__ import annotations

import threading

import pytest
from ipywidgets.widgets import widget as registry

from clicklib import Processor, View, clicks
from clicklib.widgets import Dashboard, HistoryPlot, LogView
from tests.waiting import wait_until


@pytest.fixture
def processor(cluster, graph):
    processor = Processor(cluster, graph, storage="memory")
    yield processor
    processor.stop()


@pytest.fixture
def view(cluster, graph):
    view = View(cluster, graph.table, clicks.UserCodec(), storage="memory")
    yield view
    view.stop()


@pytest.fixture
def dashboard(emitter, processor, view):
    dashboard = Dashboard(emitter, processor, view)
    yield dashboard
    dashboard.close()
    assert list(registry._instances.values()) == []


def states(dashboard):
    return [node["state"] for node in dashboard.flow.data["nodes"]]


def wait_states(dashboard, **wanted):
    parts = ("emitter", "topic", "processor", "table", "view")

    def seen():
        found = dict(zip(parts, states(dashboard), strict=True))
        return all(found[part] == state for part, state in wanted.items())

    wait_until(f"the flow shows {wanted}", seen)


def owners(dashboard):
    return {m["letter"]: m["partitions"] for m in dashboard.partitions.data.get("members", ())}


def test_a_dashboard_follows_its_parts_through_their_lives(
    dashboard, emitter, processor, view, cluster, graph
):
    wait_states(dashboard, processor="idle", view="idle", topic="10 partitions")
    processor.start().wait_running()
    view.start().wait_running()
    wait_states(dashboard, processor="running", view="running")
    wait_until("the map has the owner", lambda: owners(dashboard) == {"A": "0-9"})

    dashboard.pad.click("user-3")
    dashboard.pad.click_everyone()
    wait_until("the bars show it", lambda: dashboard.counts.data["total"] == 11)
    wait_until(
        "the table shows it",
        lambda: ["user-3", 2, '{"Clicks":2}'] in (dashboard.table.data["rows"]),
    )
    dashboard.table.select("user-3")
    wait_until("it is found", lambda: "partition 8, last off" in dashboard.table.data["detail"])

    with Processor(cluster, graph, storage="memory").start():
        shared = ["0-4", "5-9"]
        wait_until("two share", lambda: sorted(owners(dashboard).values()) == shared)
        wait_states(dashboard, processor="2 members")
    wait_until("one has all", lambda: owners(dashboard) == {"A": "0-9"})
    strip = [owner for owner, _, _ in dashboard.partitions.data["strips"]["0"]]
    assert "A" in strip
    assert "B" in owners(dashboard) or "B" in dashboard.partitions.data["colours"]

    processor.stop()
    wait_states(dashboard, processor="stopped")
    wait_until("nobody is left", lambda: owners(dashboard) == {})
    dashboard.pad.click("user-3")
    wait_until("lag", lambda: sum(dashboard.partitions.data["lags"].values()) == 1)
    processor.start().wait_running()
    wait_until("it was counted", lambda: dashboard.counts.data["total"] == 12)

    view.stop()
    wait_states(dashboard, view="stopped")
    dashboard.counts.paint()
    assert (dashboard.counts.data["total"], dashboard.counts.data["state"]) == (12, "stopped")
    view.start().wait_running()
    emitter.close()
    dashboard.pad.click("user-3")
    wait_until("the pad says why", lambda: "closed" in dashboard.pad.picture.data["error"])
    wait_states(dashboard, emitter="closed", view="running")


def test_a_poisoned_processor_is_shown_with_its_message(dashboard, emitter, processor, view):
    processor.start().wait_running()
    view.start().wait_running()
    emitter._writer.append(8, b"user-3", b"\xff")
    wait_states(dashboard, processor="failed", view="running")
    assert "partition 8" in dashboard.flow.data["error"]
    assert dashboard.flow.data["nodes"][2]["level"] == "failed"


def test_parts_may_start_and_stop_while_they_are_drawn(dashboard, processor, view, click):
    click(20)
    seen = set()
    pictures = (dashboard.counts, dashboard.flow, dashboard.table, dashboard.partitions)
    for picture in pictures:
        picture.observe(lambda change: seen.add(change.new.get("error", "")), "data")
    for _ in range(4):
        processor.start(), view.start()
        view.wait_running()
        for _ in range(20):
            for picture in pictures:
                picture.paint()
        view.stop(), processor.stop()
    assert seen <= {""}
    assert dashboard.counts.data["total"] <= 20


def test_a_log_that_is_not_there_yet_appears(cluster, name):
    from clicklib.client.topics import TopicManager

    log = LogView(cluster, name)
    wait_until("it says so", lambda: "not there" in log.data["error"])
    with TopicManager(cluster) as topics:
        topics.ensure_stream(name, 3)
    wait_until("it appears", lambda: len(log.data["partitions"]) == 3 and not log.data["error"])
    log.close()


def test_the_history_has_clicks_and_owners_on_one_axis(cluster, processor, view, click):
    processor.start().wait_running()
    view.start().wait_running()
    plot = HistoryPlot(view, processor)
    click(30)
    wait_until("ten lines", lambda: len(plot.data["lines"]) == 10)
    wait_until("the owner's bars", lambda: [p for p, *_ in plot.data["owners"]] == [*range(10)])
    data = plot.data
    assert [line["name"] for line in data["lines"][:2]] == ["user-0", "user-1"]
    assert data["lines"][0]["y"][-1] == 3
    assert {letter for _, letter, _, _ in data["owners"]} == {"A"} == data["colours"].keys()
    assert all(-1 < begin <= data["times"][-1] for _, _, begin, _ in data["owners"])

    other = HistoryPlot(view, processor, draw=False)
    assert plot.closed
    other.close()
    assert list(registry._instances.values()) == []


def test_nothing_is_left_when_it_is_closed(emitter, processor, view):
    before = set(threading.enumerate())
    dashboard = Dashboard(emitter, processor, view)
    wait_until("it watches", lambda: len(set(threading.enumerate()) - before) >= 3)
    dashboard.close()
    wait_until(
        "its threads have ended",
        lambda: not [t for t in threading.enumerate() if t.name.startswith("clicklib")],
    )
