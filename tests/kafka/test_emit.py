"""Emitting: promises, errors, back-pressure, and an end that loses nothing."""

from __future__ import annotations

import threading
import time

import psutil
import pytest
from kafka import KafkaConsumer, TopicPartition

from clicklib import Emitter, broker
from clicklib.client.topics import TopicManager
from clicklib.codec import Bytes, Int64, String
from clicklib.errors import CodecError, DeliveryError, TopicError, UnavailableError, UsageError
from clicklib.keys import partition_of
from tests.waiting import wait_until


def read(cluster, topic):
    """All records of the topic, by bare kafka-python."""
    consumer = KafkaConsumer(
        bootstrap_servers=list(cluster.addresses), auto_offset_reset="earliest"
    )
    places = [TopicPartition(topic, p) for p in consumer.partitions_for_topic(topic)]
    consumer.assign(places)
    ends = consumer.end_offsets(places)
    records = []
    while any(consumer.position(place) < end for place, end in ends.items()):
        for batch in consumer.poll(500).values():
            records += batch
    consumer.close()
    return records


def test_each_message_goes_to_the_partition_of_its_key(cluster, topic):
    keys = ["", "a", "user-3", "ключ", "a/b c", "x" * 65_536]
    with Emitter(cluster, topic, String()) as emitter:
        answers = {key: emitter.emit_sync(key, f"to {key[:9]}") for key in keys}
    for key, (partition, _) in answers.items():
        assert partition == partition_of(key.encode(), 10)
    found = {
        r.key.decode(): (r.partition, r.offset, r.value.decode()) for r in read(cluster, topic)
    }
    assert found == {key: (*answers[key], f"to {key[:9]}") for key in keys}


def test_messages_of_a_key_stay_in_order(cluster, topic):
    with Emitter(cluster, topic, Int64()) as emitter:
        for i in range(3_000):
            emitter.emit("user-3", i)
    assert [int(record.value) for record in read(cluster, topic)] == list(range(3_000))


def test_close_delivers_what_was_taken_and_refuses_more(cluster, topic):
    emitter = Emitter(cluster, topic, String(), linger=1.0)
    promises = [emitter.emit(f"u{i}", "x") for i in range(500)]
    emitter.close()
    emitter.close()
    assert all(promise.done() and promise.exception() is None for promise in promises)
    assert len(read(cluster, topic)) == 500
    with pytest.raises(UsageError, match="closed"):
        emitter.emit("u", "x")


def test_what_the_codec_rejects_is_raised_and_nothing_is_sent(cluster, topic):
    with Emitter(cluster, topic, Int64()) as emitter:
        with pytest.raises(CodecError, match="expected an int") as caught:
            emitter.emit("user-3", "three")
        assert (caught.value.topic, caught.value.key) == (topic, "user-3")
    assert read(cluster, topic) == []


def test_a_message_too_large_is_refused_with_its_place(cluster, topic):
    with Emitter(cluster, topic, Bytes()) as emitter:
        with pytest.raises(DeliveryError, match="user-3"):
            emitter.emit_sync("user-3", bytes(2 << 20))
        emitter.emit_sync("user-3", bytes(900 << 10))
    assert [len(record.value) for record in read(cluster, topic)] == [900 << 10]


def test_none_is_a_tombstone_and_an_empty_text_is_a_value(cluster, topic):
    with Emitter(cluster, topic, String()) as emitter:
        emitter.emit_sync("a", None)
        emitter.emit_sync("a", "")
    assert [record.value for record in read(cluster, topic)] == [None, b""]


def test_a_missing_topic_and_a_missing_broker_are_told_apart(cluster, name):
    with pytest.raises(TopicError, match=f"ensure_stream .topic {name}"):
        Emitter(cluster, name, String())
    with pytest.raises(UnavailableError, match=r"no broker answers at 127\.0\.0\.1:1 "):
        Emitter("127.0.0.1:1", name, String(), connect_timeout=0.5)


@pytest.fixture
def frozen(own_cluster, name):
    """A broker that was frozen after an emitter connected; it thaws at the end."""
    with TopicManager(own_cluster) as topics:
        topics.ensure_stream(name)
    java = [psutil.Process(pid) for status in broker.status() for pid in status.java]

    def freeze():
        for process in java:
            process.suspend()

    def thaw():
        for process in java:
            if process.is_running():
                process.resume()

    yield own_cluster, freeze, thaw
    thaw()


def test_a_full_buffer_holds_the_caller_back_until_kafka_answers(frozen, name):
    cluster, freeze, thaw = frozen
    with Emitter(cluster, name, String(), buffer=100) as emitter:
        freeze()
        sent = []

        def emit():
            for i in range(150):
                sent.append(emitter.emit(f"u{i}", "x"))

        thread = threading.Thread(target=emit)
        thread.start()
        wait_until("the buffer is full", lambda: len(sent) == 100)
        thread.join(0.5)
        assert len(sent) == 100
        thaw()
        thread.join(30)
        assert [promise.result(30) for promise in sent]
        assert len(sent) == 150


def test_a_callback_that_would_wait_for_itself_is_refused(frozen, name):
    cluster, freeze, thaw = frozen
    with Emitter(cluster, name, String(), buffer=2) as emitter:
        freeze()
        caught = []

        def emit_two(promise):
            try:
                emitter.emit("a", "takes the room that this one gave back")
                emitter.emit("b", "finds none")
            except UsageError as exc:
                caught.append(exc)

        emitter.emit("a", "x").add_done_callback(emit_two)
        emitter.emit("a", "y")
        thaw()
        wait_until("the second is refused", lambda: caught, timeout=30)
        assert (caught[0].topic, caught[0].key) == (name, "b")
        assert emitter.flush(30)


def test_what_is_not_acknowledged_in_time_fails_with_its_place(frozen, name):
    cluster, freeze, _ = frozen
    emitter = Emitter(cluster, name, String(), delivery_timeout=1.0)
    freeze()
    promise = emitter.emit("user-3", "x")
    error = promise.exception(30)
    assert isinstance(error, DeliveryError)
    assert (error.topic, error.partition, error.key) == (
        name,
        partition_of(b"user-3", 10),
        "user-3",
    )
    with pytest.raises(DeliveryError, match="user-3"):
        emitter.emit("user-4", "x")
    assert emitter.error is error
    emitter.close(1)


def test_close_is_bounded_and_leaves_no_thread_when_the_broker_is_away(frozen, name):
    cluster, freeze, _ = frozen
    before = set(threading.enumerate())
    emitter = Emitter(cluster, name, String())
    freeze()
    promise = emitter.emit("user-3", "x")
    started = time.monotonic()
    emitter.close(1.0)
    assert time.monotonic() - started < 4
    assert isinstance(promise.exception(5), DeliveryError)
    wait_until("its threads are gone", lambda: set(threading.enumerate()) <= before)
