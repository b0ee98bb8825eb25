"""Records as others may write them: odd keys, values, sizes, times, compressions, transactions."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kafka import KafkaProducer
from kafka.errors import InvalidTimestampError

from clicklib import Emitter, Input, Persist, Processor, View, define_group
from clicklib.client.logs import Logs
from clicklib.client.topics import TopicManager
from clicklib.codec import Bytes, Int64
from clicklib.errors import DeliveryError, KafkaError, UsageError
from clicklib.keys import partition_of
from tests.waiting import wait_until

MIB = 1 << 20
YEAR_2100 = 4_102_444_800_000  # milliseconds
OPEN = {"max.message.bytes": str(4 * MIB), "message.timestamp.after.max.ms": str(YEAR_2100)}


@pytest.fixture
def stream(cluster, name):
    """A stream of one partition that takes 4 MiB, and any time."""
    with TopicManager(cluster) as topics:
        return topics.ensure_stream(f"{name}-clicks", 1, configs=OPEN).name


@pytest.fixture
def read(cluster, name):
    """Process a stream until `count` messages came; returns what the callback saw of them."""

    def until(stream, count, guarantee="at_least_once"):
        seen = []

        def look(ctx, msg):
            seen.append((ctx.key, msg, ctx.headers, ctx.timestamp))
            ctx.set_value((ctx.value() or 0) + 1)

        graph = define_group(name, Input(stream, Bytes(), look), Persist(Int64()))
        options = {"guarantee": guarantee, "storage": "memory"}
        with Processor(cluster, graph, **options).start().wait_running() as processor:
            wait_until("all came", lambda: len(seen) >= count)
            wait_until("nothing is left", lambda: not any(processor.stats().lag.values()))
        assert processor.error is None
        with View(cluster, graph.table, Int64(), storage="memory").start().wait_running() as view:
            return seen, dict(view.items())

    return until


def producer(cluster, **settings):
    return KafkaProducer(
        bootstrap_servers=list(cluster.addresses), max_request_size=4 * MIB, **settings
    )


def test_records_of_others_are_read_as_they_are(cluster, stream, read):
    headers = [("a", b"1"), ("ä" * 100, b""), ("a", b"2"), ("big", b"x" * 100_000)]
    records = [
        {"key": None, "value": b"no key"},
        {"key": b"", "value": b"empty key"},
        {"key": b"\xff\xfe", "value": b"\xff"},
        {"key": b"k" * 100_000, "value": b"long key"},
        {"key": b"empty", "value": b""},
        {"key": b"none", "value": None},
        {"key": b"mebibyte", "value": b"x" * MIB},
        {"key": b"headers", "value": b"x", "headers": headers},
        {"key": b"1970", "value": b"x", "timestamp_ms": 0},
        {"key": b"2100", "value": b"x", "timestamp_ms": YEAR_2100},
    ]
    with producer(cluster) as writer:
        for record in records:
            writer.send(stream, partition=0, **record).get(10)
    seen, table = read(stream, 9)
    keys = [key for key, *_ in seen]
    odd = b"\xff\xfe".decode("utf-8", "surrogateescape")
    assert keys == ["", "", odd, "k" * 100_000, "empty", "mebibyte", "headers", "1970", "2100"]
    assert [len(msg) for _, msg, *_ in seen] == [6, 9, 1, 8, 0, MIB, 1, 1, 1]
    assert seen[6][2] == dict(headers)
    assert [time for *_, time in seen[-2:]] == [0, YEAR_2100]
    assert table == {**dict.fromkeys(keys, 1), "": 2}
    with Logs(cluster, stream) as logs:
        (log,) = logs.newest()
    assert [record.key for record in log.records].count("") == 2
    assert log.records[-1].timestamp == YEAR_2100


@pytest.mark.parametrize("compression", ["gzip", "snappy", "lz4", "zstd"])
def test_a_compressed_stream_is_counted(cluster, stream, read, compression):
    with producer(cluster, compression_type=compression, linger_ms=50) as writer:
        for number in range(100):
            writer.send(stream, key=b"user-%d" % (number % 3), value=b"x" * 5_000, partition=0)
    seen, table = read(stream, 100)
    assert len(seen) == 100
    assert table == {"user-0": 34, "user-1": 33, "user-2": 33}


@pytest.mark.parametrize("guarantee", ["at_least_once", "exactly_once"])
def test_a_stream_of_transactions_is_counted_without_what_was_aborted(
    cluster, stream, read, guarantee
):
    with producer(cluster, transactional_id=f"{stream}-writer") as writer:
        writer.init_transactions()
        for number in range(6):
            writer.begin_transaction()
            for value in (b"1", b"2"):
                writer.send(stream, key=b"user-%d" % (number % 2), value=value, partition=0)
            writer.flush()
            if number % 3:
                writer.commit_transaction()
            else:
                writer.abort_transaction()
    # The log ends with a committed one and its control record.
    seen, table = read(stream, 8, guarantee)
    assert [key for key, *_ in seen] == [f"user-{n % 2}" for n in (1, 2, 4, 5) for _ in range(2)]
    assert table == {"user-0": 4, "user-1": 4}


def test_a_mebibyte_more_than_kafka_takes_is_refused_with_its_place_and_the_rest_goes_on(
    cluster, stream
):
    with TopicManager(cluster) as topics:
        topic = topics.ensure_stream(f"{stream}-small").name
    with Emitter(cluster, stream, Bytes()) as emitter:
        emitter.emit_sync("user-3", b"x" * (1 * MIB - 1_000))
    emitter = Emitter(cluster, topic, Bytes())
    for size in (MIB, 16 * MIB):
        with pytest.raises(DeliveryError, match="user-3") as caught:
            emitter.emit_sync("user-3", b"x" * size)
        assert (caught.value.topic, caught.value.key) == (topic, "user-3")
    emitter.close()


def test_a_time_that_the_broker_refuses_is_its_own_rule(cluster, topic):
    """By default Kafka takes no record of the far future; clicklib sets no times."""
    with producer(cluster) as writer, pytest.raises(InvalidTimestampError):
        writer.send(topic, value=b"x", timestamp_ms=YEAR_2100).get(10)


@pytest.fixture(scope="module")
def emitter(cluster):
    with TopicManager(cluster) as topics:
        topics.ensure_stream("any-clicks")
    with Emitter(cluster, "any-clicks", Bytes()) as emitter:
        yield emitter


headers = st.dictionaries(st.text(max_size=5), st.one_of(st.none(), st.binary(max_size=9)))
keys = st.one_of(st.text(), st.sampled_from(["\udcff", "\ud800", "k" * 70_000]))


@settings(max_examples=40, deadline=None)
@given(keys, st.one_of(st.none(), st.binary()), headers)
def test_any_key_value_and_headers_are_sent_or_refused_clearly(emitter, key, value, headers):
    if None in headers.values() or key == "\ud800":
        with pytest.raises(UsageError, match="any-clicks"):
            emitter.emit(key, value, headers)
    else:
        partition, offset = emitter.emit_sync(key, value, headers, timeout=30)
        assert partition == partition_of(key.encode("utf-8", "surrogateescape"), 10)
        assert offset >= 0


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ((3, b"hello"), r"^key is text, not 3 \(int\): write '3' \(topic any-clicks\)$"),
        (("a", b"x", {"h": "text"}), r"'h' has 'text' \(str\): write b'text' \(topic any-clicks"),
        (("a", b"x", {"h": 3}), r"'h' has 3 \(int\) \(topic any-clicks, key 'a'\)$"),
    ],
)
def test_an_argument_is_blamed_by_its_name_and_nothing_is_sent(emitter, given, words):
    before = emitter.stats()
    with pytest.raises(UsageError, match=words):
        emitter.emit(*given)
    assert emitter.stats() == before
    assert emitter.error is None


@pytest.mark.parametrize(
    ("topic", "options", "error", "words"),
    [
        ("a b", {}, UsageError, "not a topic name"),
        ("{}", {"configs": {"retention.ms": 1000}}, UsageError, r"1000 \(int\): write '1000'"),
        ("{}", {"configs": {"retention.ms": "soon"}}, KafkaError, "Invalid value soon .*LONG"),
        ("{}", {"configs": {"colour": "red"}}, KafkaError, "Unknown topic config name: colour"),
        ("{}", {"partitions": "2"}, UsageError, "partitions is a whole number"),
        ("{}", {"mismatch": "shout"}, UsageError, "'ignore', 'warn' or 'fail'"),
    ],
)
def test_a_topic_that_cannot_be_is_not_made_and_a_line_says_why(
    cluster, name, topic, options, error, words
):
    topic = topic.format(name)
    with TopicManager(cluster) as topics:
        with pytest.raises(error, match=words) as caught:
            topics.ensure_stream(topic, **options)
        assert len(str(caught.value)) < 300
        assert topic == "a b" or topics.find(topic) is None
