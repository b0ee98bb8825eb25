"""kill -9 of a processor, a view and the broker under load: no acknowledged click is lost."""

from __future__ import annotations

import psutil
import pytest

from clicklib import Emitter, Processor, View, broker, clicks
from clicklib.client.topics import TopicManager
from clicklib.codec import String
from tests.kafka.conftest import Load, counts, wait_for_counts, wait_until_counted
from tests.support.long import cases
from tests.waiting import wait_until


@pytest.fixture
def load(cluster, topic):
    load = Load(cluster, topic)
    yield load
    load.stop()


def process(run, cluster, graph, state):
    """A processor in a process of its own."""
    [topic] = graph.topics
    return run(
        *("process", "--quiet", "--brokers", str(cluster), "--topic", topic),
        *("--group", graph.group, "--state-dir", str(state)),
    )


@pytest.mark.long
def test_a_killed_processor_loses_no_click(cluster, graph, load, run, state):
    program = process(run, cluster, graph, state)
    with View(cluster, graph.table, clicks.UserCodec(), storage="memory") as view:
        view.wait_running()
        for _ in range(4):
            before = sum(counts(view).values())
            wait_until("it counts", lambda b=before: sum(counts(view).values()) > b + 200)
            program.kill()
            program = process(run, cluster, graph, state)
        program.wait_for("started")
        wanted = load.stop()
        wait_until_counted(view, wanted, 40)
        program.stop()


def test_another_member_takes_over_from_a_killed_one(cluster, graph, load, run, state, tmp_path):
    survivor = Processor(cluster, graph, state_dir=tmp_path / "other", session_timeout=2.0)
    with survivor.start(), View(cluster, graph.table, clicks.UserCodec(), storage="memory") as view:
        survivor.wait_running()
        view.wait_running()
        program = process(run, cluster, graph, state)
        wait_until("each has five", lambda: len(survivor.partitions) == 5)
        program.kill()
        wait_until("one has all", lambda: len(survivor.partitions) == 10)
        wanted = load.stop()
        wait_until_counted(view, wanted, 30)


def test_a_killed_view_goes_on_where_it_was(cluster, graph, click, run, state):
    wanted = click(2_000)
    with Processor(cluster, graph, storage="memory").start():
        for _ in range(3):
            program = run(
                *("view", "--port", "0", "--brokers", str(cluster)),
                *("--group", graph.group, "--state-dir", str(state)),
            )
            program.wait_for("opened")
            wait_until("it has a store", lambda: list(state.rglob("data.mdb")))
            program.kill()
            wanted += click(500)
        with View(cluster, graph.table, clicks.UserCodec(), state_dir=state).start() as view:
            view.wait_running()
            wait_for_counts(view, wanted)


@cases("kills", [1], [3])
def test_a_killed_broker_loses_no_acknowledged_click(own_cluster, graph, state, kills):
    cluster, [topic] = own_cluster, graph.topics
    with TopicManager(cluster) as topics:
        topics.ensure_stream(topic)
    processor = Processor(cluster, graph, state_dir=state)
    view = View(cluster, graph.table, clicks.UserCodec(), state_dir=state)
    with processor.start(), view.start():
        processor.wait_running()
        view.wait_running()
        load = Load(cluster, topic)
        try:
            for _ in range(kills):
                before = sum(counts(view).values())
                wait_until(
                    "the view follows", lambda b=before: sum(counts(view).values()) > b + 200
                )
                [java] = [pid for status in broker.status() for pid in status.java]
                psutil.Process(java).kill()
                wait_until("the broker is back", lambda j=java: is_back(j))
                assert view.get("user-3") is not None
        finally:
            wanted = load.stop()
        wait_until_counted(view, wanted, 60)
    assert (processor.error, view.error) == (None, None)


def is_back(killed):
    return any(s.running and s.java and killed not in s.java for s in broker.status())


@pytest.mark.long
def test_a_view_says_that_it_is_reconnecting_and_answers_meanwhile(own_cluster, name, state):
    with TopicManager(own_cluster) as topics:
        topics.ensure_stream(f"{name}-clicks")
    graph = clicks.graph(clicks.count, name, f"{name}-clicks")
    view = View(own_cluster, graph.table, clicks.UserCodec(), state_dir=state)
    with Processor(own_cluster, graph, state_dir=state).start() as processor, view.start():
        with Emitter(own_cluster, f"{name}-clicks", String()) as emitter:
            emitter.emit_sync("user-3", "now")
        view.wait_running()
        wait_until("it is counted", lambda: view.get("user-3") == clicks.User(1))
        processor.stop()
        java = [psutil.Process(pid) for status in broker.status() for pid in status.java]
        for process in java:
            process.suspend()
        try:
            wait_until("it notices", lambda: view.state == "reconnecting")
            assert view.get("user-3") == clicks.User(1)
        finally:
            for process in java:
                process.resume()
        wait_until("it is running again", lambda: view.state == "running")
        with (
            processor.start(),
            Emitter(own_cluster, f"{name}-clicks", String()) as emitter,
        ):
            emitter.emit_sync("user-3", "now")
            wait_until("it goes on", lambda: view.get("user-3") == clicks.User(2))
