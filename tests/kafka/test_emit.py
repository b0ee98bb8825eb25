"""Emitting: promises, errors, back-pressure, and an end that loses nothing."""

from __future__ import annotations

import signal
import threading
import time
from contextlib import suppress

import pandas as pd
import psutil
import pytest
from kafka import KafkaConsumer, TopicPartition

from clicklib import Emitter, EmitterStats, broker
from clicklib.client.topics import TopicManager
from clicklib.codec import Bytes, Int64, Json, String
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


def test_a_batch_that_the_broker_finds_too_large_is_split_and_flush_waits_for_it(cluster, name):
    with TopicManager(cluster) as topics:
        topics.ensure_stream(name, 1, configs={"max.message.bytes": "20000"})
    keys = [str(number) for number in range(100)]
    emitter = Emitter(cluster, name, Bytes(), linger=0.2, headers={"a": b"1"})
    promises = [emitter.emit(key, b"v" * 1_000) for key in keys]
    large = emitter.emit("large", b"v" * 30_000)
    assert emitter.flush(20)
    assert [promise.result(0) for promise in promises] == [(0, offset) for offset in range(100)]
    assert isinstance(large.exception(0), DeliveryError)
    assert large.exception(0).key == "large"
    assert emitter.stats() == EmitterStats(101, 100, 1)
    emitter.close()
    found = read(cluster, name)
    assert [r.key.decode() for r in found] == keys
    assert all(r.headers == [("a", b"1")] for r in found)


def test_many_messages_are_in_kafka_when_emit_many_returns(cluster, topic):
    pairs = [(f"user-{i % 7}", None if i % 100 == 3 else str(i)) for i in range(5_000)]
    with Emitter(cluster, topic, String(), buffer=1_000, headers={"a": b"1"}) as emitter:
        emitter.emit("user-3", "first")
        assert emitter.emit_many(iter(pairs)) == 5_000
        assert emitter.stats() == EmitterStats(5_001, 5_001, 0)
        assert emitter.emit_many([]) == 0
        emitter.emit("user-3", "last")
    found = read(cluster, topic)
    for key in ("user-0", "user-3"):
        sent = [msg if msg is None else msg.encode() for name, msg in pairs if name == key]
        sent = [b"first", *sent, b"last"] if key == "user-3" else sent
        assert [r.value for r in found if r.key == key.encode()] == sent
    assert all(r.headers == [("a", b"1")] for r in found)


def test_emit_many_says_what_kafka_did_not_take(cluster, topic):
    with Emitter(cluster, topic, Bytes()) as emitter:
        pairs = [(f"u{i}", bytes(2 << 20) if i in (3, 5) else b"x") for i in range(10)]
        with pytest.raises(DeliveryError, match="2 of 10 messages, the first") as caught:
            emitter.emit_many(pairs)
        assert caught.value.key in ("u3", "u5")
        assert emitter.stats() == EmitterStats(10, 8, 2)
        assert emitter.emit_many(pairs[:3]) == 3  # who emitted the others was told
    assert len(read(cluster, topic)) == 11


def test_emit_many_sends_what_comes_before_a_wrong_message(cluster, topic):
    with Emitter(cluster, topic, Int64()) as emitter:
        for wrong, error in (
            (("c", "three"), CodecError),
            (("c",), UsageError),
            ((3, 3), UsageError),
            ("cd", UsageError),
            ({"user": "c", "clicks": 3}, UsageError),
        ):
            with pytest.raises(error) as caught:
                emitter.emit_many([("a", 1), ("b", 2), wrong, ("d", 4)])
            assert caught.value.__notes__ == ["2 messages were sent before it"]
    assert {r.key for r in read(cluster, topic)} == {b"a", b"b"}
    with pytest.raises(UsageError, match="closed"):
        emitter.emit_many([("a", 1)])


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # in a destructor
@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="no timers here")
def test_no_ctrl_c_leaves_messages_without_an_answer(cluster, topic):
    """At any moment; a message that is counted and never sent would be waited for without end."""
    pairs = [(f"user-{i}", "now") for i in range(20_000)]
    before = signal.signal(signal.SIGALRM, signal.default_int_handler)
    try:
        with Emitter(cluster, topic, String()) as emitter:
            for number in range(30):
                with suppress(KeyboardInterrupt):
                    signal.setitimer(signal.ITIMER_REAL, 0.002 + number * 0.001)
                    emitter.emit_many(pairs)
                    signal.setitimer(signal.ITIMER_REAL, 0)
            wait_until(
                "each has its answer",
                lambda: emitter.stats().acknowledged == emitter.stats().emitted,
            )
            assert emitter.stats().failed == 0
            assert emitter.emit_many(pairs) == len(pairs)
    finally:
        signal.signal(signal.SIGALRM, before)


def test_a_frame_is_emitted_row_by_row(cluster, topic):
    frame = pd.DataFrame({"user": ["a", "b"], "clicks": [1, 2], "when": ["12:00", None]})
    with Emitter(cluster, topic, Json()) as emitter:
        assert emitter.emit_frame(frame, "user", "clicks") == 2
        assert emitter.emit_frame(frame, "user", ["clicks"]) == 2
        assert emitter.emit_frame(frame.set_index("user"), "user") == 2
        assert emitter.emit_frame(frame, "user", "when") == 2
        with pytest.raises(UsageError, match="no column 'usr', only user, clicks, when"):
            emitter.emit_frame(frame, "usr")
        again = pd.concat([frame, frame["clicks"]], axis=1)
        for wrong, words in (
            ((again, "user"), "'clicks' twice: user, clicks, when, clicks"),
            ((again, "clicks", "user"), "'clicks' twice"),
            ((again, "user", "clicks"), "'clicks' twice"),
            ((frame.set_index("user", drop=False), "user"), "'user' twice: user, user, clicks"),
            ((frame, "user", [["clicks"]]), r"no column \['clicks'\]"),
        ):
            with pytest.raises(UsageError, match=words):
                emitter.emit_frame(*wrong)
    values = {key: [r.value for r in read(cluster, topic) if r.key == key] for key in (b"a", b"b")}
    assert values[b"a"] == [b"1", b'{"clicks":1}', b'{"clicks":1,"when":"12:00"}', b'"12:00"']
    assert values[b"b"] == [b"2", b'{"clicks":2}', b'{"clicks":2,"when":null}', None]


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
            # On a busy machine other threads still run for a moment.
            wait_until("it is stopped", lambda p=process: p.status() == psutil.STATUS_STOPPED)

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

        def emit_three(promise):
            try:
                for _ in range(3):  # two at most take the room that their batch gave back
                    emitter.emit("b", "z")
            except UsageError as exc:
                caught.append(exc)

        emitter.emit("a", "x").add_done_callback(emit_three)
        emitter.emit("a", "y")
        thaw()
        wait_until("the last is refused", lambda: caught)
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
