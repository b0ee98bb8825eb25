"""Three brokers, three copies: new topics are met at once, and a killed broker costs nothing."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import ExitStack

import psutil
import pytest

from clicklib import Cluster, Emitter, Processor, View, broker, clicks
from clicklib.breaking import BreakingPanel
from clicklib.breaking.brokers import BreakableBroker
from clicklib.client.admin import GroupAdmin
from clicklib.client.topics import TopicManager
from clicklib.codec import String
from clicklib.lessons import kill_broker
from clicklib.widgets import ClusterMap
from tests.kafka.conftest import Load, counts, wait_until_counted
from tests.support.long import cases
from tests.waiting import wait_until


@pytest.fixture(scope="module")
def three(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A cluster of three, whose Kafka was fetched for `cluster`."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CLICKLIB_HOME", str(tmp_path_factory.mktemp("three")))
        yield broker.use(nodes=3, progress=False)
        broker.stop()
        broker.release(3)


def new_name(number: int) -> str:
    return f"{number}-{uuid.uuid4().hex[:8]}"


@cases("times", [4], [12])
def test_a_topic_is_used_the_moment_after_it_was_made(three: Cluster, times: int) -> None:
    """Brokers hear of a new topic one after the other, and answer until then that there is none."""
    for number in range(times):
        graph = clicks.graph(clicks.count, new_name(number), new_name(number))
        [stream] = graph.topics
        with TopicManager(three) as topics:
            topics.ensure_stream(stream, replication=3)
        processor = Processor(three, graph, storage="memory")
        view = View(three, graph.table, clicks.UserCodec(), storage="memory")
        with processor.start(), view.start(), Emitter(three, stream, String()) as emitter:
            emitter.emit_sync("user-3", "now")
            view.wait_running(30)
            wait_until("it is counted", lambda v=view: counts(v) == {"user-3": 1})


@cases(("guarantee", "kills"), [("exactly_once", 1)], [("exactly_once", 3), ("at_least_once", 3)])
def test_each_broker_is_killed_in_turn(
    three: Cluster, name: str, guarantee: str, kills: int
) -> None:
    graph = clicks.graph(clicks.count, name, f"{name}-clicks")
    with TopicManager(three) as topics:
        topics.ensure_stream(f"{name}-clicks", replication=3)
    processor = Processor(three, graph, guarantee=guarantee, storage="memory")
    with processor.start(), View(three, graph.table, clicks.UserCodec()) as view:
        view.wait_running()
        load = Load(three, f"{name}-clicks")
        try:
            for number in range(kills):
                before = sum(counts(view).values())
                wait_until("it counts", lambda b=before: sum(counts(view).values()) > b + 200)
                [status] = [each for each in broker.status() if each.nodes == 3]
                psutil.Process(status.java[number]).kill()
                wait_until(
                    "three brokers run again",
                    lambda dead=status.java[number]: any(
                        len(each.java) == 3 and dead not in each.java for each in broker.status()
                    ),
                )
        finally:
            wanted = load.stop()
        wait_until_counted(view, wanted, 60)
        if guarantee == "exactly_once":
            assert counts(view) == dict(wanted)
    assert processor.error is None


@pytest.mark.long
def test_a_processor_without_a_broker_for_some_partitions_is_not_running(
    three: Cluster, name: str
) -> None:
    def unknown(processor: Processor) -> int:
        return [*processor.stats().lag.values()].count(None)

    graph = clicks.graph(clicks.count, name, f"{name}-clicks")
    with TopicManager(three) as topics:
        topics.ensure_stream(f"{name}-clicks", 6, replication=1)
        topics.ensure_table(graph.table, 6, replication=3)
    with (
        GroupAdmin(three) as admin,
        Processor(three, graph, storage="memory") as processor,
        View(three, f"{name}-clicks", String(), storage="memory") as view,
        Emitter(three, f"{name}-clicks", String()) as emitter,
        ExitStack() as stack,
    ):
        processor.wait_running(60)
        view.wait_running(60)
        emitter.emit_many((f"user-{n}", "now") for n in range(100))
        emitter.flush()
        wait_until("all are counted", lambda: processor.stats().records_in == 100)
        coordinator = admin.layout(f"{name}-clicks", name).coordinator
        broken = BreakableBroker(three, min({1, 2, 3} - {coordinator}))
        stack.callback(broken.heal)
        broken.kill()
        wait_until("it says so", lambda: processor.state == "reconnecting")
        # Two lags; all of them where a busy machine lets it start over.
        wait_until("its lag is not known", lambda: processor._facts()["lag"] == "unknown")
        wait_until("nor is the view's", lambda: view.stats().lag is None)
        assert view._facts()["lag"] == "unknown"
        broken.heal()
        processor.wait_running(60)
        wait_until("all are known", lambda: processor.stats().lag and not unknown(processor))
        wait_until("so is the view's", lambda: view.stats().lag == 0)


def test_the_map_follows_a_broker_that_dies_and_comes_back(three: Cluster, name: str) -> None:
    with TopicManager(three) as topics:
        topics.ensure_stream(name, 6, replication=3)
    picture = ClusterMap(three, name, name)

    def words(place: int) -> set[str]:
        return {copies[place] for copies in picture.data["partitions"].values()}

    def whole() -> bool:
        picture.paint()
        copies = picture.data["partitions"].values()
        return (
            list(picture.data["brokers"].items()) == [(str(n), "alive") for n in (1, 2, 3)]
            and all(sorted(each) == ["in step", "in step", "leader"] for each in copies)
            and {*picture.data["tasks"].values()} <= {1, 2, 3}
        )

    def fell_out(number: int) -> bool:
        """It is dead, or back so soon that the cluster only saw its copies fall behind."""
        picture.paint()
        copies = picture.data["partitions"].values()
        return words(number - 1) <= {"dead", "behind"} and all("leader" in each for each in copies)

    try:
        wait_until("all copies are in step", whole)
        killed = picture.data["tasks"]["coordinator"]
        kill_broker(three, killed)
        wait_until("others lead in its place", lambda: fell_out(killed))
        wait_until("it is back, and its copies are in step", whole)
        assert picture.data["tasks"]["coordinator"] != killed
    finally:
        picture.close()


@pytest.mark.long
@pytest.mark.parametrize("fault", ["suspend", "kill"])
def test_a_broker_that_the_panel_breaks_is_healed_and_no_click_is_lost(
    three: Cluster, name: str, fault: str
) -> None:
    stream = f"{name}-clicks"
    graph = clicks.graph(clicks.count, name, stream)
    with TopicManager(three) as topics:
        topics.ensure_stream(stream, 4, replication=3)
    processor = Processor(three, graph, guarantee="exactly_once", storage="memory")
    panel, picture = BreakingPanel([], three), ClusterMap(three, stream)

    def shown() -> set[str]:
        """What the copies of the second broker are."""
        picture.paint()
        return {copies[1] for copies in picture.data["partitions"].values()}

    def going() -> str:
        panel.paint()
        assert not panel.data["error"]
        return panel.data["targets"][1]["on"]

    with processor, View(three, graph.table, clicks.UserCodec(), storage="memory") as view:
        view.wait_running()
        load = Load(three, stream)
        try:
            wait_until("it counts", lambda: sum(counts(view).values()) > 200)
            wait_until("all is well", lambda: shown() and shown() <= {"leader", "in step"})
            panel.press(fault, 1)
            wait_until("others lead in its place", lambda: shown() <= {"dead", "behind"})
            wait_until("it is healed by itself", lambda: not going())
            wait_until("it is in step again", lambda: shown() <= {"leader", "in step"})
        finally:
            wanted = load.stop()
            panel.close(), picture.close()
        wait_until_counted(view, wanted, 60)
        assert counts(view) == dict(wanted)
    assert processor.error is None
