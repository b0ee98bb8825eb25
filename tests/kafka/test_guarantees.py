"""Both guarantees under kill -9 and suspension: nothing lost, or exact."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time

import pytest
from kafka import KafkaConsumer, TopicPartition

from clicklib import Emitter, Input, Persist, Processor, View, clicks, define_group
from clicklib.codec import Bytes, Int64, String
from clicklib.errors import DeliveryError
from tests.kafka.conftest import Load, counts, wait_until_counted
from tests.support.long import GUARANTEES
from tests.waiting import wait_until

MEMBER = """
import sys, time
from clicklib import Processor, clicks

cluster, group, topic, state, guarantee, pause, interval = sys.argv[1:]

def count(ctx, msg):
    time.sleep(float(pause))
    clicks.count(ctx, msg)

Processor(
    cluster,
    clicks.graph(count, group, topic),
    state_dir=state,
    guarantee=guarantee,
    session_timeout=2.0,
    commit_interval=float(interval),
    on_rebalance=lambda owned: print(*owned, flush=True),
).run()
"""


class Member:
    """A processor in a process of its own, whose callback may be slow."""

    def __init__(self, cluster, graph, state, guarantee, pause=0.0, interval=5.0):
        args = [str(cluster), graph.group, graph.topics[0], str(state), guarantee]
        self.process = subprocess.Popen(
            [sys.executable, "-c", MEMBER, *args, str(pause), str(interval)],
            stdout=subprocess.PIPE,
            text=True,
        )

    def wait_for_partitions(self):
        line = self.process.stdout.readline()
        assert line.strip(), "it ended before it had partitions"
        return line

    def kill(self):
        self.process.kill()
        self.process.communicate()


@pytest.fixture
def member(cluster, graph, tmp_path):
    members = []

    def start(guarantee, number=0, **options):
        members.append(Member(cluster, graph, tmp_path / f"{number}", guarantee, **options))
        return members[-1]

    yield start
    for each in members:
        if each.process.poll() is None:
            each.process.send_signal(signal.SIGCONT)
            each.kill()


@pytest.mark.long
@pytest.mark.parametrize("guarantee", ["at_least_once", "exactly_once"])
def test_kills_at_random_moments(cluster, graph, topic, member, state, guarantee):
    load = Load(cluster, topic)
    try:
        choose = random.Random(7)
        for _ in range(6):
            victim = member(guarantee)
            victim.wait_for_partitions()
            victim.process.stdout.close()
            deadline = choose.uniform(0.0, 1.0)
            with pytest.raises(subprocess.TimeoutExpired):
                victim.process.wait(deadline)
            victim.process.kill()
            victim.process.wait()
    finally:
        acknowledged = load.stop()
    last = Processor(cluster, graph, guarantee=guarantee, state_dir=state)
    with last.start(), View(cluster, graph.table, clicks.UserCodec(), storage="memory") as view:
        last.wait_running(60)
        wait_until("no lag", lambda: last.stats().lag and not any(last.stats().lag.values()))
        view.wait_running()
        wait_until_counted(view, acknowledged, 30)
        if guarantee == "exactly_once":
            assert counts(view) == dict(acknowledged)


@GUARANTEES
def test_a_suspended_member_does_not_overwrite_its_successor(
    cluster, graph, topic, click, member, guarantee
):
    """It holds rows that it has not sent; its partitions move on; then it wakes."""
    slow = member(guarantee, 1, pause=0.02, interval=0.2)
    slow.wait_for_partitions()
    wanted = click(400, users=1)
    with View(cluster, graph.table, clicks.UserCodec(), storage="memory") as view:
        view.wait_running()
        wait_until("it works", lambda: counts(view).get("user-0", 0) > 20)
        slow.process.send_signal(signal.SIGSTOP)
        successor = member(guarantee, 2)
        successor.wait_for_partitions()
        wait_until(
            "the successor has counted all",
            lambda: counts(view).get("user-0", 0) >= wanted["user-0"],
        )
        before = counts(view)["user-0"]
        slow.process.send_signal(signal.SIGCONT)
        slow.wait_for_partitions()  # it is back in the group, with its share
        assert counts(view)["user-0"] >= before
        wanted += click(1, users=1)
        wait_until("the next click is counted", lambda: counts(view)["user-0"] > before)
        if guarantee == "exactly_once":
            assert counts(view) == dict(wanted)


def test_rows_and_offsets_are_one_transaction(cluster, graph, topic, click, state):
    wanted = click(1_000)
    processor = Processor(cluster, graph, guarantee="exactly_once", state_dir=state)
    with processor.start(), View(cluster, graph.table, clicks.UserCodec()) as view:
        wait_until("all came", lambda: processor.stats().records_in == 1_000)
        view.wait_running()
        wait_until("all are seen", lambda: counts(view) == dict(wanted))
        # The offsets are committed when the rows are: there is nothing between the two.
        consumer = KafkaConsumer(bootstrap_servers=list(cluster.addresses), group_id=graph.group)
        places = [TopicPartition(topic, p) for p in range(10)]
        ends = consumer.end_offsets(places)
        committed = {place: consumer.committed(place) or 0 for place in places}
        consumer.close()
        assert committed == ends
    assert processor.error is None


def test_a_click_is_seen_soon_under_exactly_once(cluster, graph, topic, state):
    processor = Processor(cluster, graph, guarantee="exactly_once", state_dir=state)
    with (
        processor.start().wait_running(),
        View(cluster, graph.table, clicks.UserCodec(), storage="memory") as view,
        Emitter(cluster, topic, String()) as emitter,
    ):
        view.wait_running()
        for n in range(1, 6):
            emitter.emit_sync("user-3", "now")
            wait_until("it is seen", lambda n=n: view.get("user-3") == clicks.User(n), timeout=5)


@pytest.mark.long
def test_a_killed_broker_leaves_the_counts_exact(own_cluster, graph, state):
    import psutil

    from clicklib import broker
    from clicklib.client.topics import TopicManager

    cluster, [topic] = own_cluster, graph.topics
    with TopicManager(cluster) as topics:
        topics.ensure_stream(topic)
    processor = Processor(cluster, graph, guarantee="exactly_once", state_dir=state)
    with processor.start(), View(cluster, graph.table, clicks.UserCodec()) as view:
        processor.wait_running()
        view.wait_running()
        load = Load(cluster, topic)
        try:
            for _ in range(2):
                before = sum(counts(view).values())
                wait_until("it counts", lambda b=before: sum(counts(view).values()) > b + 100)
                [java] = [pid for status in broker.status() for pid in status.java]
                psutil.Process(java).kill()
                wait_until(
                    "the broker is back",
                    lambda j=java: any(s.running and j not in s.java for s in broker.status()),
                )
        finally:
            acknowledged = load.stop()
        total = sum(acknowledged.values())
        wait_until("all are counted", lambda: sum(counts(view).values()) >= total)
        assert counts(view) == dict(acknowledged)
    assert processor.error is None


def test_a_row_too_large_fails_and_leaves_no_transaction_open(cluster, topic, name, state):
    def grow(ctx, msg):
        ctx.set_value(bytes(2 << 20) if msg == "bad" else b"good")

    graph = define_group(name, Input(topic, String(), grow), Persist(Bytes()))
    with Emitter(cluster, topic, String()) as emitter:
        emitter.emit_sync("user-3", "bad")
    with pytest.raises(DeliveryError, match="user-3"):
        Processor(cluster, graph, guarantee="exactly_once", state_dir=state).run()
    begun = time.monotonic()
    with View(cluster, graph.table, Bytes(), storage="memory").start() as view:
        view.wait_running(20)
        assert len(view) == 0
    assert time.monotonic() - begun < 15  # the transaction's time-out is 10 s


def test_two_members_share_the_partitions_under_exactly_once(cluster, graph, click, tmp_path):
    first, second = (
        Processor(cluster, graph, guarantee="exactly_once", state_dir=tmp_path / name)
        for name in "ab"
    )
    wanted = click(500)
    with first.start(), View(cluster, graph.table, clicks.UserCodec()) as view:
        first.wait_running()
        view.wait_running()
        with second.start():
            wait_until(
                "both have five",
                lambda: [len(p.partitions) for p in (first, second) if p.recovered] == [5, 5],
            )
            wanted += click(500)
        wanted += click(500)
        wait_until("all are counted", lambda: counts(view) == dict(wanted))
    assert (first.error, second.error) == (None, None)


def test_int64_sums_are_exact_over_a_clean_handover(cluster, topic, name, tmp_path):
    def add(ctx, number):
        ctx.set_value((ctx.value() or 0) + number)

    graph = define_group(name, Input(topic, Int64(), add), Persist(Int64()))
    with Emitter(cluster, topic, Int64()) as emitter:
        for run in range(3):
            for number in range(100):
                emitter.emit(f"k{number % 9}", number)
            emitter.flush()
            processor = Processor(
                cluster, graph, guarantee="exactly_once", state_dir=tmp_path / f"{run}"
            )
            with processor.start():
                wait_until("all came", lambda p=processor: p.stats().records_in == 100)
            assert processor.error is None
    with View(cluster, graph.table, Int64(), storage="memory").start().wait_running() as view:
        assert sum(value for _, value in view.items()) == 3 * sum(range(100))
