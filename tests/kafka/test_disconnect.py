"""Connections that break, hang, or crawl: emitter, processor and view go on when they are back."""

from __future__ import annotations

import itertools
import threading
from collections import Counter

import pytest

from clicklib import Emitter, Input, Persist, Processor, View, clicks, define_group
from clicklib.breaking.proxy import Proxy, proxies
from clicklib.client.groups import Groups
from clicklib.client.retry import Patience
from clicklib.client.topics import TopicManager
from clicklib.codec import Int64, String
from clicklib.engine import membership
from clicklib.errors import UnavailableError
from tests.kafka.conftest import counts, holds, wait_for_counts
from tests.kafka.test_emit import read
from tests.support.half_close import half_close
from tests.support.long import GUARANTEES, cases
from tests.waiting import wait_until

FAULTS = {
    "cut": Proxy.cut,
    "refuse": Proxy.refuse,
    "half closed": half_close,
    "frozen": Proxy.freeze,
    "delayed": lambda proxy: setattr(proxy, "delay", 1.0),
    "slow": lambda proxy: setattr(proxy, "rate", 20_000.0),
}
NOTHING_PASSES = ("refuse", "frozen")
QUICK = [  # the faults on a processor that `make test` tries
    *(("cut", "exactly_once"), ("half closed", "at_least_once"), ("frozen", "exactly_once")),
    ("slow", "exactly_once"),
]
CELLS = list(itertools.product(FAULTS, ["at_least_once", "exactly_once"]))


@pytest.fixture
def proxy(cluster):
    [proxy] = proxies(cluster)
    yield proxy
    proxy.close()


@cases("fault", ["cut", "refuse", "half closed", "frozen"], ["delayed", "slow"])
def test_an_emitter_delivers_each_message_once_and_in_order(cluster, topic, proxy, fault):
    with Emitter(proxy.address, topic, Int64(), linger=0.0) as emitter:
        for number in range(500):
            promise = emitter.emit("user-3", number)
            if number in (100, 300):
                FAULTS[fault](proxy)
            if number == 400 and fault in NOTHING_PASSES:
                assert not promise.done()
                proxy.heal()
        wait_until("the last one is acknowledged", promise.done)
    assert [int(record.value) for record in read(cluster, topic)] == list(range(500))


# A delayed transaction is fenced on a busy machine. The processor then starts over, and that takes
# some 25 answers of 2 s.
@pytest.mark.timeout(300)
@cases(("fault", "guarantee"), QUICK, [cell for cell in CELLS if cell not in QUICK])
def test_a_processor_loses_no_click(cluster, graph, click, state, proxy, guarantee, fault):
    options = {"guarantee": guarantee, "session_timeout": 6.0, "state_dir": state}
    processor = Processor(proxy.address, graph, **options)
    with (
        processor.start().wait_running(),
        View(cluster, graph.table, clicks.UserCodec(), storage="memory") as view,
    ):
        view.wait_running()
        wanted = click(200)
        wait_for_counts(view, wanted)
        FAULTS[fault](proxy)
        wanted += click(200)
        if fault in NOTHING_PASSES:
            with Groups(cluster) as groups:
                wait_until(
                    "the group has given it up",
                    lambda: groups.describe(graph.group).state == "Empty",
                )
            knows = ("reconnecting", "recovering")
            wait_until("it says so", lambda: processor.state in knows)
            proxy.heal()
        wait_until("all are counted", lambda: holds(view, wanted), timeout=150)
        proxy.heal()
        wanted += click(200)
        wait_until("it goes on", lambda: holds(view, wanted))
        if guarantee == "exactly_once":
            assert counts(view) == dict(wanted)
    assert processor.error is None


def test_rows_without_an_answer_start_the_partitions_over(
    cluster, graph, click, state, proxy, monkeypatch, caplog
):
    def count(ctx, msg):
        clicks.count(ctx, msg)
        if "starts its partitions over" not in caplog.text:
            proxy.freeze()

    monkeypatch.setattr(membership, "_DELIVERY_TIMEOUT", 1.0)
    [topic] = graph.topics
    frozen = clicks.graph(count, group=graph.group, topic=topic)
    processor = Processor(proxy.address, frozen, session_timeout=20.0, state_dir=state)
    with (
        processor.start().wait_running(),
        View(cluster, graph.table, clicks.UserCodec(), storage="memory").start() as view,
    ):
        wanted = click(1)
        wait_until("it starts over", lambda: "starts its partitions over" in caplog.text)
        proxy.heal()
        wait_until("it is counted", lambda: holds(view.wait_running(), wanted))
    assert processor.error is None


@GUARANTEES
def test_a_processor_starts_over_on_a_link_that_takes_longer_than_a_first_answer_may(
    cluster, graph, click, state, proxy, guarantee, monkeypatch
):
    monkeypatch.setattr(Patience, "FIRST", 0.3)
    processor = Processor(proxy.address, graph, guarantee=guarantee, state_dir=state)
    with (
        processor.start().wait_running(),
        View(cluster, graph.table, clicks.UserCodec(), storage="memory") as view,
    ):
        view.wait_running()
        proxy.delay = 0.2  # seconds each way: 0.4 for an answer
        processor._membership.start_over_because(UnavailableError("asked to by the test"))
        wait_until("it starts over", lambda: processor.state == "recovering")
        wanted = click(20)
        wait_until("all are counted", lambda: holds(view, wanted), timeout=90)
    assert processor.error is None


@pytest.mark.long
@pytest.mark.timeout(200)
@pytest.mark.parametrize("guarantee", ["at_least_once", "exactly_once"])
def test_a_processor_starts_over_at_3_s_a_round_trip(
    cluster, graph, click, state, proxy, guarantee
):
    options = {"guarantee": guarantee, "state_dir": state, "connect_timeout": 30}
    processor = Processor(proxy.address, graph, **options)
    with (
        processor.start().wait_running(),
        View(cluster, graph.table, clicks.UserCodec(), storage="memory") as view,
    ):
        view.wait_running()
        proxy.delay = 1.5  # seconds each way
        processor._membership.start_over_because(UnavailableError("asked to by the test"))
        wait_until("it starts over", lambda: processor.state == "recovering")
        wanted = click(20)
        # Alone on a machine it takes 50 s, and a minute is promised.
        wait_until("all are counted", lambda: holds(view, wanted), timeout=120)
        proxy.delay = 0.0
    assert processor.error is None


@pytest.mark.long
@pytest.mark.timeout(200)
def test_a_processor_can_be_stopped_while_it_starts_over(graph, click, proxy, state, caplog):
    def count(ctx, msg):
        clicks.count(ctx, msg)
        proxy.freeze()  # what becomes of the transaction is never answered

    [topic] = graph.topics
    frozen = clicks.graph(count, group=graph.group, topic=topic)
    options = {"guarantee": "exactly_once", "state_dir": state}
    processor = Processor(proxy.address, frozen, **options).start().wait_running()
    click(1)
    wait_until("it starts over", lambda: "starts its partitions over" in caplog.text)
    assert processor.stop()
    assert processor.error is None
    assert processor.state == "stopped"


@cases("fault", ["frozen"], ["refuse"])
def test_a_processor_that_hears_nothing_is_not_running(cluster, graph, click, proxy, fault):
    settings = {"session_timeout": 1.0, "storage": "memory"}
    with Processor(proxy.address, graph, **settings).start().wait_running() as processor:
        click(1)
        wait_until("it is counted", lambda: processor.stats().records_in)
        FAULTS[fault](proxy)
        wait_until("it says so", lambda: processor.state == "reconnecting")
        proxy.heal()
        processor.wait_running(60)
        click(1)
        wait_until("it goes on", lambda: processor.stats().records_in >= 2)


def test_so_is_a_member_without_partitions_that_hears_nothing(cluster, name, proxy):
    with TopicManager(cluster) as topics:
        topics.ensure_stream(f"{name}-clicks", 1)
    graph = clicks.graph(clicks.count, name, f"{name}-clicks")
    settings = {"session_timeout": 1.0, "storage": "memory"}
    with (
        Processor(proxy.address, graph, **settings).start().wait_running() as first,
        Processor(proxy.address, graph, **settings).start().wait_running() as second,
    ):
        both = (first, second)
        wait_until("one is idle", lambda: sorted(len(p.partitions) for p in both) == [0, 1])
        wait_until("both run", lambda: {p.state for p in both} == {"running"})
        proxy.freeze()
        wait_until("both say so", lambda: {p.state for p in both} == {"reconnecting"})
        proxy.heal()


@cases("fault", ["cut", "refuse", "half closed", "slow"], ["frozen", "delayed"])
def test_a_view_reconnects(cluster, graph, click, state, proxy, fault):
    processor = Processor(cluster, graph, state_dir=state)
    view = View(proxy.address, graph.table, clicks.UserCodec(), state_dir=state)
    with processor.start().wait_running(), view.start().wait_running():
        wanted = click(200)
        wait_for_counts(view, wanted)
        if fault == "delayed":
            proxy.delay = 5.0  # more than a view waits for an answer
        else:
            FAULTS[fault](proxy)
        if fault in (*NOTHING_PASSES, "delayed"):
            wait_until("it notices", lambda: view.state == "reconnecting")
            assert holds(view, wanted)  # it answers meanwhile
            wanted += click(200)
            proxy.heal()
        else:
            wanted += click(200)
        wait_for_counts(view, wanted, timeout=60)
        wait_until("it is running", lambda: view.state == "running")
    assert view.error is None


@pytest.mark.long
def test_a_view_recovers_over_connections_that_are_cut(cluster, graph, click, state, proxy):
    wanted = click(20_000, users=5_000)
    with Processor(cluster, graph, state_dir=state).start() as processor:
        wait_until("all came", lambda: processor.stats().records_in == 20_000)
    proxy.rate = 100_000.0
    view = View(proxy.address, graph.table, clicks.UserCodec(), storage="memory")
    with view.start():
        for part in (0.2, 0.6):
            wait_until("it is under way", lambda part=part: under_way(view) > part)
            proxy.cut()
        proxy.rate = 0.0
        view.wait_running(60)
        wait_for_counts(view, wanted)
    assert view.error is None


def under_way(view: View) -> float:
    done, total = view.progress
    return done / total if total else 0.0


def test_a_processor_starts_when_its_broker_can_be_reached_only_later(
    cluster, graph, click, state, proxy
):
    proxy.refuse()
    wanted = click(10)
    processor = Processor(proxy.address, graph, state_dir=state, connect_timeout=0.5)
    with pytest.raises(UnavailableError, match="no broker answers"):
        processor.run()
    proxy.heal()
    with (
        processor.start(),
        Emitter(proxy.address, graph.topics[0], String()) as emitter,
        View(proxy.address, graph.table, clicks.UserCodec(), storage="memory") as view,
    ):
        emitter.emit_sync("user-0", "now")
        wanted["user-0"] += 1
        view.wait_running()
        wait_for_counts(view, wanted)


@GUARANTEES
def test_a_start_goes_on_after_connections_that_are_cut(cluster, graph, state, proxy, guarantee):
    [topic] = graph.topics
    processor = Processor(proxy.address, graph, guarantee=guarantee, state_dir=state)
    view = View(proxy.address, graph.table, clicks.UserCodec(), state_dir=state)
    ending = threading.Event()

    def cut():
        """Sooner than a start takes, then ever more rarely."""
        pause = 0.02
        while not ending.wait(pause):
            proxy.cut()
            pause *= 1.2

    cutting = threading.Thread(target=cut)
    cutting.start()
    try:
        with processor.start(), view.start(), Emitter(proxy.address, topic, String()) as emitter:
            emitter.emit_sync("user-3", "now", timeout=60)
            for part in (processor, view):
                part.wait_running(60)
            wait_for_counts(view, Counter({"user-3": 1}), timeout=60)
    finally:
        ending.set()
        cutting.join()
    assert (processor.error, view.error) == (None, None)


def test_rows_that_arrive_after_those_of_the_next_owner_are_refused(cluster, graph, topic, proxy):
    """They left the processor, and its connection was held up until others had its partitions."""
    entered, release = threading.Event(), threading.Event()

    def wait_and_count(ctx, msg):
        entered.set()
        release.wait(60)
        count(ctx, msg)

    def count(ctx, msg):
        ctx.set_value((ctx.value() or 0) + 1)

    def member(brokers, callback):
        graph = define_group(name, Input(topic, String(), callback), Persist(Int64()))
        return Processor(brokers, graph, storage="memory", session_timeout=6.0)

    name = graph.group
    first, second = member(proxy.address, wait_and_count), member(cluster, count)
    with (
        first.start().wait_running(),
        Emitter(cluster, topic, String()) as emitter,
        View(cluster, graph.table, Int64(), storage="memory") as view,
    ):
        view.wait_running()
        emitter.emit_sync("user-3", "now")
        assert entered.wait(10)
        proxy.freeze()
        release.set()
        with second.start():
            wait_until("the second has all", lambda: len(second.partitions) == 10)
            for _ in range(9):
                emitter.emit_sync("user-3", "now")
            wait_until("it has counted them", lambda: view.get("user-3") == 10)
            proxy.heal()
            wait_until(
                "the first works again",
                lambda: len(first.partitions) == 5 and first.recovered and second.recovered,
            )
            emitter.emit_sync("user-0", "now")
            wait_until("another is counted", lambda: view.get("user-0") == 1)
            assert view.get("user-3") == 10
    assert (first.error, second.error) == (None, None)
