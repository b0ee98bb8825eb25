"""Stopping and starting again: the counts go on, wherever the local store is."""

from __future__ import annotations

import logging
import shutil
from collections import Counter
from contextlib import closing

import pytest
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer
from kafka.structs import OffsetAndMetadata, TopicPartition

from clicklib import Emitter, Processor, View, clicks
from clicklib.client.topics import TopicManager
from clicklib.codec import String
from clicklib.keys import partition_of
from tests.kafka.conftest import wait_for_counts
from tests.support.long import cases
from tests.waiting import wait_until


@pytest.mark.parametrize(
    ("offset", "deleted", "counted"),
    [(2, 5, 5), (99, 0, 10)],
    ids=["deleted before it was counted", "beyond the end"],
)
def test_an_offset_that_kafka_does_not_have_is_told(
    cluster, name, caplog, offset, deleted, counted
):
    place, seen = TopicPartition(f"{name}-clicks", 0), []
    addresses = list(cluster.addresses)
    with TopicManager(cluster) as topics:
        topics.ensure_stream(place.topic, 1)
    with Emitter(cluster, place.topic, String()) as emitter:
        emitter.emit_many(("user-3", str(i)) for i in range(10))
    with closing(KafkaConsumer(bootstrap_servers=addresses, group_id=name)) as consumer:
        consumer.commit({place: OffsetAndMetadata(offset, "", -1)})
    with closing(KafkaAdminClient(bootstrap_servers=addresses)) as admin:
        admin.delete_records({place: deleted})
    graph = clicks.graph(lambda ctx, msg: seen.append(ctx.offset), name, place.topic)
    with Processor(cluster, graph, storage="memory").start():
        wait_until("the others are counted", lambda: len(seen) == counted)
    assert seen == list(range(10 - counted, 10))
    assert f"partition 0 of {place.topic} has no message {offset}," in caplog.text


@pytest.fixture
def process(cluster, graph, state):
    """Run a processor until all that was emitted is handled; returns it, stopped."""

    def until(records: int) -> Processor:
        with Processor(cluster, graph, state_dir=state).start() as processor:
            processor.wait_running()
            wait_until("all came", lambda: processor.stats().records_in >= records)
        assert processor.error is None
        assert processor.stats().records_in == records
        return processor

    return until


def check(cluster, graph, wanted, state):
    with View(cluster, graph.table, clicks.UserCodec(), state_dir=state).start() as view:
        view.wait_running()
        wait_for_counts(view, wanted)


def test_the_counts_go_on_and_no_message_is_handled_again(cluster, graph, click, state, process):
    wanted = click(1_000)
    process(1_000)
    wanted += click(500)
    process(500)
    process(0)
    check(cluster, graph, wanted, state)


def test_one_processor_can_be_started_again_and_again(cluster, graph, click, state):
    processor = Processor(cluster, graph, state_dir=state)
    wanted = click(0)
    for _ in range(3):
        wanted += click(100)
        with processor.start():
            processor.wait_running()
            wait_until("all came", lambda: processor.stats().records_in == 100)
        assert processor.stop()
        assert processor.state == "stopped"
    check(cluster, graph, wanted, state)


def test_a_store_takes_what_another_program_wrote_between_its_own_rows(
    cluster, graph, topic, state
):
    """As the successor does of a member that was suspended and taken for dead."""
    one, two = [f"user-{n}" for n in range(100) if partition_of(b"user-%d" % n, 10) == 7][:2]
    processor = Processor(cluster, graph, state_dir=state)
    with (
        View(cluster, graph.table, clicks.UserCodec(), storage="memory").start() as view,
        Emitter(cluster, topic, String()) as emitter,
    ):
        with processor.start().wait_running():
            for user in (one, two):
                emitter.emit_sync(user, "now")
            wait_for_counts(view.wait_running(), Counter([one, two]))
            with closing(KafkaProducer(bootstrap_servers=list(cluster.addresses))) as other:
                row = clicks.UserCodec().encode(clicks.User(40))
                other.send(graph.table, key=two.encode(), value=row, partition=7).get(10)
            emitter.emit_sync(one, "now")
            wait_for_counts(view, Counter({one: 2, two: 40}))
        with processor.start().wait_running():
            assert (processor.get(one), processor.get(two)) == (clicks.User(2), clicks.User(40))
            emitter.emit_sync(two, "now")
            wait_for_counts(view, Counter({one: 2, two: 41}))


def test_a_warm_store_is_not_read_again_from_kafka(cluster, graph, click, state, process):
    wanted = click(1_000)
    process(1_000)
    for records in (10, 0):
        with View(cluster, graph.table, clicks.UserCodec(), state_dir=state).start() as view:
            view.wait_running()
            assert (view.stats().records_in > 0) == (records > 0)
            wait_for_counts(view, wanted)


@cases("damage", ["truncated"], ["lost", "garbage"])
def test_a_lost_or_damaged_store_is_rebuilt_from_kafka(
    cluster, graph, click, state, process, damage, caplog
):
    wanted = click(1_000)
    process(1_000)
    check(cluster, graph, wanted, state)
    if damage == "lost":
        shutil.rmtree(state)
    else:
        files = list(state.rglob("data.mdb"))
        assert len(files) == 20
        for file in files:
            data = b"\xff" * 8192 if damage == "garbage" else file.read_bytes()[:3000]
            file.write_bytes(data)
    with caplog.at_level(logging.WARNING, "clicklib"):
        wanted += click(500)
        process(500)
        check(cluster, graph, wanted, state)
    assert ("rebuilt from Kafka" in caplog.text) == (damage != "lost")


def test_another_cluster_never_meets_the_store_of_the_first(
    cluster, own_cluster, graph, topic, click, state, process
):
    click(1_000)
    process(1_000)
    assert own_cluster != cluster
    with TopicManager(own_cluster) as topics:
        topics.ensure_stream(topic)
    with Emitter(own_cluster, topic, String()) as emitter:
        emitter.emit_sync("user-3", "now")
    with (
        Processor(own_cluster, graph, state_dir=state).start().wait_running() as processor,
        View(own_cluster, graph.table, clicks.UserCodec(), state_dir=state).start() as view,
    ):
        view.wait_running()
        wait_until("the click came", lambda: processor.stats().records_in == 1)
        wait_until("it is counted", lambda: view.get("user-3") == clicks.User(1))
        assert len(view) == 1
