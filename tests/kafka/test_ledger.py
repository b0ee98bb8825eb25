"""The ledger over a real Kafka: right through kills, new kernels, and clicks from elsewhere."""

from __future__ import annotations

import threading
import time

import pytest

from clicklib import Emitter, Processor, View, clicks
from clicklib.client.admin import GroupAdmin
from clicklib.client.offsets import TopicPartition, committable
from clicklib.client.topics import TopicManager
from clicklib.codec import Json, String
from clicklib.lessons import Victim
from clicklib.widgets import Ledger, audit
from tests.support.long import GUARANTEES
from tests.waiting import wait_until


def wait_figures(ledger, **wanted):
    def found():
        ledger.paint()
        return wanted.items() <= ledger.data["figures"].items()

    wait_until(f"the ledger shows {wanted}: {ledger.data}", found)


@pytest.fixture
def processor(cluster, graph):
    with Processor(cluster, graph, storage="memory") as processor:
        yield processor


@pytest.fixture
def view(cluster, graph, processor):
    with View(cluster, graph.table, clicks.UserCodec(), storage="memory") as view:
        yield view.wait_running()


@pytest.fixture
def open_ledger():
    made = []
    yield lambda *args, **options: made.append(Ledger(*args, **options)) or made[-1]
    for ledger in made:
        ledger.close()


def set_offset(cluster, graph, partition, offset):
    admin = GroupAdmin(cluster)
    place = TopicPartition(graph.topics[0], partition)
    admin._admin.alter_group_offsets(graph.group, committable({place: offset}))
    admin.close()


def test_it_knows_the_clicks_of_all_programs_and_what_became_of_them(
    cluster, topic, graph, emitter, processor, view, click, open_ledger
):
    click(5)
    ledger = open_ledger(emitter, processor, view)
    for _ in range(7):
        emitter.emit_sync("user-3", "now")  # in partition 8
    even = {"waiting": 0, "counted": 12, "lost": 0, "twice": 0}
    wait_figures(ledger, sent=7, acknowledged=7, others=5, **even)
    assert ledger.data["level"] == "even"
    fresh = open_ledger(None, None, view, topic=topic)
    wait_figures(fresh, sent=None, acknowledged=None, others=12, **even)

    processor.stop()
    click(10)
    wait_figures(ledger, others=15, **even | {"waiting": 10})
    set_offset(cluster, graph, 8, 4)  # at offset 0 is the click of `click`, then come seven
    processor.start()
    wait_figures(ledger, waiting=0, counted=26, lost=0, twice=4)
    processor.stop()
    emitter.emit_sync("user-3", "now"), emitter.emit_sync("user-3", "now")
    set_offset(cluster, graph, 8, 11)
    ledger.mark("skipped")
    # A click of this user was lost and another one is counted too often: the same as neither.
    wait_figures(ledger, sent=9, waiting=0, counted=26, lost=0, twice=2)
    set_offset(cluster, graph, 0, 0)
    emitter.emit_sync("user-11", "now")
    place = emitter.emit_sync("user-11", "now")
    set_offset(cluster, graph, place[0], place[1] + 1)
    wait_figures(ledger, counted=26, lost=2, twice=2)
    assert [text for _, text in ledger.data["marks"]] == ["skipped"]
    assert [level for level, _ in ledger.data["strip"]][-1] == "wrong"

    view.stop()
    wait_figures(ledger, sent=11, waiting=None, counted=None, lost=None, twice=None)
    assert ledger.data["why"] == "the view is stopped"
    view.start().wait_running()
    wait_figures(ledger, counted=26, lost=2, twice=2)


def test_of_a_stream_whose_beginning_is_not_read_it_counts_from_a_moment_of_rest(
    cluster, graph, emitter, processor, view, click, open_ledger, monkeypatch
):
    monkeypatch.setattr(audit, "_DEPTH", 10)
    click(40)
    wait_until("all are counted", lambda: sum(row.clicks for _, row in view.items()) == 40)
    processor.stop()
    emitter.emit_sync("user-3", "now")
    ledger = open_ledger(emitter, processor, view)
    wait_figures(ledger, waiting=1, counted=40, lost=None, twice=None, others=None)
    assert "oldest clicks" in ledger.data["why"]
    processor.start()
    wait_figures(ledger, waiting=0, counted=41, lost=0, twice=0)
    processor.stop()
    place = emitter.emit_sync("user-3", "now")
    set_offset(cluster, graph, place[0], place[1] + 1)
    wait_figures(ledger, waiting=0, counted=41, lost=1, twice=0)


@GUARANTEES
def test_after_a_kill_it_says_what_the_guarantee_promises(cluster, name, guarantee, open_ledger):
    with TopicManager(cluster) as topics:
        topics.ensure_stream(name, 1)
    victim = Victim(cluster, name, name, guarantee=guarantee).wait_running()
    view = View(cluster, victim.graph.table, Json(dict), storage="memory")
    with view, Emitter(cluster, name, String()) as emitter:
        ledger = open_ledger(emitter, None, view)
        emitter.emit_sync("user-3", "now")
        wait_figures(ledger, waiting=0, counted=1, lost=0, twice=0)
        victim.wait_committed()
        victim.freeze_before_commit()
        emitter.emit_sync("user-3", "now")
        victim.wait_frozen().kill()
        ledger.mark("kill -9")
        second = victim.again().wait_committed()
        again = guarantee == "at_least_once"
        wait_figures(ledger, waiting=0, counted=2 + again, lost=0, twice=int(again))
        second.stop()


def test_a_click_is_not_lost_because_the_view_is_late(
    cluster, graph, emitter, processor, open_ledger
):
    gate = threading.Event()
    late = {"storage": "memory", "on_update": lambda *_: gate.wait()}
    with View(cluster, graph.table, clicks.UserCodec(), **late) as view:
        ledger = open_ledger(emitter, processor, view.wait_running())
        try:
            emitter.emit_sync("user-3", "now")
            wait_figures(ledger, counted=1, lost=0)
            emitter.emit_sync("user-4", "now")
            wait_until(
                "it is committed", lambda: getattr(ledger._audit._group.latest(), "lag", None) == 0
            )
            wait_figures(ledger, counted=1, lost=None)
        finally:
            gate.set()
        wait_figures(ledger, counted=2, waiting=0, lost=0, twice=0)


def test_it_is_never_wrong_while_clicks_flow_and_members_come_and_go(
    cluster, graph, emitter, processor, view, open_ledger
):
    ledger = open_ledger(emitter, processor, view)
    wait_figures(ledger, lost=0)
    seen = []
    ledger.observe(lambda change: seen.append(change.new), "data")
    begin, sent = time.monotonic(), 0
    other = Processor(cluster, graph, storage="memory")
    while sent < 1_000:
        emitter.emit(f"user-{sent % 20}", "now")
        sent += 1
        time.sleep(max(0, begin + sent / 200 - time.monotonic()))
        if sent == 200:
            other.start()
        if sent == 700:
            other.stop()
    wait_figures(ledger, waiting=0, counted=1_000, lost=0, twice=0, others=0)
    figures = [each["figures"] for each in seen]
    assert {each["lost"] for each in figures} <= {0, None}
    assert {each["twice"] for each in figures} <= {0, None}
    assert {each["others"] for each in figures} <= {0, None}
    assert [each for each in figures if each["lost"] is None] == []
