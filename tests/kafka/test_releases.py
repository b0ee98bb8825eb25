"""Other releases of Kafka: the oldest that works, those between, and one that is too old."""

from __future__ import annotations

from collections import Counter
from contextlib import ExitStack
from pathlib import Path

import pytest
from click.testing import CliRunner

from clicklib import (
    Cluster,
    Emitter,
    Graph,
    Groups,
    KafkaError,
    Logs,
    Processor,
    TopicManager,
    View,
)
from clicklib import clicks as example
from clicklib.cli import cli
from clicklib.client import connect
from clicklib.codec import String
from clicklib.widgets import Dashboard, LogView
from tests.kafka.conftest import counts, wait_until_counted
from tests.support.long import cases
from tests.support.nodes import NEWEST, OLDER, new_node, running
from tests.waiting import wait_until

TOO_OLD, *WORKING = OLDER
PARTITIONS = 4
# What Kafka sets itself, where the local Kafka is set otherwise.
DEFAULTS = {
    "auto.create.topics.enable": "true",
    "broker.session.timeout.ms": 9000,
    "group.initial.rebalance.delay.ms": 3000,
    "group.min.session.timeout.ms": 6000,
    "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
    "log.retention.ms": 604_800_000,
    "offsets.retention.minutes": 10080,
}


def emit(cluster: Cluster, count: int = 40) -> Counter[str]:
    keys = [f"user-{n % 8}" for n in range(count)]
    with Emitter(cluster, example.TOPIC, String()) as emitter:
        for key in keys:
            emitter.emit(key, "now")
    return Counter(keys)


def use(cluster: Cluster, folder: Path, wanted: Counter[str]) -> None:
    """Count what was emitted, with both guarantees, and look at it in every way."""
    with ExitStack() as stack:
        running = []
        for guarantee in ("at_least_once", "exactly_once"):
            graph = example.graph(example.count, guarantee)
            options = {"state_dir": folder}
            processor = Processor(cluster, graph, guarantee=guarantee, **options).start()
            stack.callback(processor.stop)
            view = View(cluster, graph.table, example.UserCodec(), **options)
            running.append((graph, processor, view))
        for graph, processor, view in running:
            processor.wait_running()
            stack.enter_context(view)
            view.wait_running()
            wait_until_counted(view, wanted, 30)
            assert counts(view) == dict(wanted)
            look(cluster, graph, set(wanted))
        watch(cluster, processor, view)


def look(cluster: Cluster, graph: Graph, keys: set[str]) -> None:
    with Groups(cluster) as groups, Logs(cluster, graph.table) as logs:
        group = groups.describe(graph.group)
        assert (group.state, len(group.owners)) == ("Stable", PARTITIONS)
        wait_until("all is committed", lambda: groups.describe(graph.group).lag == 0)
        assert {record.key for log in logs.newest() for record in log.records} == keys
        assert logs.last("user-3")[1] is not None


def watch(cluster: Cluster, processor: Processor, view: View) -> None:
    with Emitter(cluster, example.TOPIC, String()) as emitter:
        dashboard, log = Dashboard(emitter, processor, view), LogView(cluster, view.table)

        def shown() -> bool:
            members = dashboard.partitions.data.get("members", ())
            whole = len(log.data.get("partitions", ())) == PARTITIONS
            return whole and [member["partitions"] for member in members] == ["0-3"]

        try:
            wait_until("the widgets show the owner and the log", shown)
            assert dashboard.flow.data["error"] == log.data["error"] == ""
        finally:
            dashboard.close(), log.close()


@cases("release", [], [*WORKING, NEWEST])
def test_all_works_with_a_release_and_its_defaults(release: str, tmp_path: Path) -> None:
    with new_node(tmp_path, DEFAULTS) as node:
        wanted: Counter[str] = Counter()
        for _ in range(2):  # the second time after a restart
            with running(node, release):
                cluster = Cluster((node.address,))
                with TopicManager(cluster) as topics:
                    topics.ensure_stream(example.TOPIC, PARTITIONS)
                    assert topics.cluster_id
                wanted += emit(cluster)
                use(cluster, tmp_path / "state", wanted)


def refuse(cluster: Cluster) -> None:
    words = r"is too old: it answers as Kafka [\d.]+ does, and clicklib needs [\d.]+ or newer"
    graph = example.graph(example.count)
    for attempt in (
        lambda: TopicManager(cluster),
        lambda: Emitter(cluster, example.TOPIC, String()).close(),
        lambda: Groups(cluster),
        lambda: Processor(cluster, graph, storage="memory").run(),
        lambda: View(cluster, graph.table, example.UserCodec(), storage="memory").run(),
    ):
        with pytest.raises(KafkaError, match=words):
            attempt()
    said = CliRunner().invoke(cli, ["view", "--brokers", str(cluster)])
    assert said.exit_code == 1
    assert "is too old" in said.stderr
    assert len(said.stderr.splitlines()) == 1, said.stderr


def test_a_broker_that_is_too_old_is_refused(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connect, "_OLDEST", (99, 0))
    refuse(cluster)


@pytest.mark.long
def test_a_release_that_is_too_old_is_refused(tmp_path: Path) -> None:
    with new_node(tmp_path, DEFAULTS) as node, running(node, TOO_OLD):
        refuse(Cluster((node.address,)))
