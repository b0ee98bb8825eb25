"""Parts that are started long before their broker, and a broker that comes back empty."""

from __future__ import annotations

import random
import threading

import pytest

from clicklib import Emitter, Processor, View, broker, clicks
from clicklib.broker.ports import is_free
from clicklib.client.topics import TopicManager
from clicklib.codec import String
from clicklib.errors import UsageError
from tests.kafka.conftest import counts
from tests.support.long import cases
from tests.waiting import wait_until


@pytest.fixture
def port():
    """A port that no other local Kafka takes while the test's own is away."""
    while True:
        port = random.SystemRandom().randrange(20_000, 30_000)
        if is_free(port) and is_free(port + 1):
            return port


@pytest.fixture
def own_cluster(cluster, port, tmp_path, monkeypatch):
    monkeypatch.setenv("CLICKLIB_HOME", str(tmp_path / "home"))
    yield broker.start(port=port, progress=False)
    broker.stop()


@pytest.mark.timeout(240)
@cases("seconds", [3], [20])
def test_everything_may_be_started_before_the_broker(own_cluster, port, name, state, seconds):
    cluster = own_cluster
    graph = clicks.graph(clicks.count, name, f"{name}-clicks")
    with TopicManager(cluster) as topics:
        topics.ensure_stream(f"{name}-clicks")
    broker.stop()
    tried = threading.Event()
    acknowledged = []

    def emit():
        tried.set()
        with Emitter(cluster, f"{name}-clicks", String(), connect_timeout=90) as emitter:
            acknowledged.append(emitter.emit_sync("user-3", "now", timeout=60))

    emitting = threading.Thread(target=emit)
    processor = Processor(cluster, graph, state_dir=state, connect_timeout=90)
    view = View(cluster, graph.table, clicks.UserCodec(), state_dir=state, connect_timeout=90)
    with processor.start(), view.start():
        emitting.start()
        assert tried.wait(10)
        assert not processor.wait(seconds), "it waits for the broker"
        assert {processor.state, view.state} == {"starting"}
        broker.start(port=port, progress=False)
        for part in (processor, view):
            part.wait_running(60)
        emitting.join(60)
        assert acknowledged
        wait_until("the click is counted", lambda: view.get("user-3") == clicks.User(1))
    assert (processor.error, view.error) == (None, None)


@pytest.mark.timeout(240)
def test_a_running_view_meets_a_broker_whose_data_are_gone(own_cluster, port, name, state):
    cluster = own_cluster
    topic, graph = f"{name}-clicks", clicks.graph(clicks.count, name, f"{name}-clicks")

    def count_clicks(users):
        """In a topic that is made where it is missing."""
        with TopicManager(cluster) as topics:
            topics.ensure_stream(topic)
        with (
            Processor(cluster, graph, storage="memory").start().wait_running(),
            Emitter(cluster, topic, String()) as emitter,
            View(cluster, graph.table, clicks.UserCodec(), storage="memory") as table,
        ):
            for user in users:
                emitter.emit_sync(user, "now")
            table.wait_running()
            wait_until("they are counted", lambda: set(users) <= counts(table).keys())

    count_clicks([f"old-{n}" for n in range(30)])
    with View(cluster, graph.table, clicks.UserCodec(), state_dir=state).start() as view:
        view.wait_running()
        assert len(view) == 30
        broker.wipe(stop=True)
        wait_until("it notices", lambda: view.state == "reconnecting")
        assert view.get("old-3") == clicks.User(1)
        broker.start(port=port, progress=False)
        count_clicks([f"new-{n}" for n in range(40)])

        def rows():
            try:
                return counts(view)
            except UsageError:  # it starts over
                return {}

        wanted = {f"new-{n}": 1 for n in range(40)}
        wait_until("it shows the new table", lambda: rows() == wanted)
        wait_until("it is running", lambda: view.state == "running")
    assert view.error is None
