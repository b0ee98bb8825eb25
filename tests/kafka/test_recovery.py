"""Tables are recovered whatever their topic looks like."""

from __future__ import annotations

import pytest
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import ConfigResource, ConfigResourceType
from kafka.errors import PolicyViolationError

from clicklib import View
from clicklib.client.topics import TopicManager
from clicklib.codec import Int64, String
from clicklib.errors import CodecError, TopicError, UsageError
from tests.waiting import wait_until

COMPACT_NOW = {
    "segment.ms": "100",
    "min.cleanable.dirty.ratio": "0.01",
    "delete.retention.ms": "100",
    "max.compaction.lag.ms": "200",
}


@pytest.fixture
def table(cluster, name):
    """A table of one partition that Kafka compacts as soon as it can."""
    with TopicManager(cluster) as topics:
        return topics.ensure_table(f"{name}-table", 1, configs=COMPACT_NOW).name


@pytest.fixture
def write(cluster, table):
    """Write rows to the table with bare kafka-python."""
    producer = KafkaProducer(bootstrap_servers=list(cluster.addresses))

    def rows(*rows):
        for key, value in rows:
            producer.send(table, key=key, value=value, partition=0).get(10)

    yield rows
    producer.close()


def offsets(cluster, topic):
    """The offsets that a reader of the topic gets, and its end offset."""
    consumer = KafkaConsumer(bootstrap_servers=list(cluster.addresses))
    place = TopicPartition(topic, 0)
    consumer.assign([place])
    consumer.seek_to_beginning(place)
    end, found = consumer.end_offsets([place])[place], []
    while consumer.position(place) < end:
        for batch in consumer.poll(200).values():
            found += [record.offset for record in batch]
    consumer.close()
    return found, end


def read(cluster, table, codec=None, **options):
    with View(cluster, table, codec or String(), **options).start() as view:
        view.wait_running(10)
        return dict(view.items())


def test_an_empty_table_is_running_at_once(cluster, table, state):
    for storage in ("lmdb", "memory"):
        assert read(cluster, table, storage=storage, state_dir=state) == {}


def test_a_compacted_table_with_tombstones_and_holes(cluster, table, write, state):
    for i in range(300):
        write((b"user-%d" % (i % 5), b"%d" % i))
    write((b"user-1", None), (b"user-9", b"last"))

    def compacted():
        write((b"tick", b""))  # the cleaner looks when a segment is rolled, at an append
        found, end = offsets(cluster, table)
        return end - len(found) > 250

    wait_until("Kafka compacts the log", compacted, timeout=60, every=0.3)
    wanted = {"user-0": "295", "user-2": "297", "user-3": "298", "user-4": "299"}
    wanted |= {"user-9": "last", "tick": ""}
    for storage in ("memory", "lmdb", "lmdb"):
        assert read(cluster, table, storage=storage, state_dir=state) == wanted
    write((b"user-9", None))
    wanted.pop("user-9")
    assert read(cluster, table, state_dir=state) == wanted


def test_transactions_leave_control_records_and_what_was_aborted_is_not_seen(cluster, table, state):
    producer = KafkaProducer(
        bootstrap_servers=list(cluster.addresses), transactional_id=f"{table}-writer"
    )
    producer.init_transactions()
    for value, good in ((b"1", True), (b"2", True), (b"3", False)):
        producer.begin_transaction()
        producer.send(table, key=b"user-3", value=value, partition=0)
        producer.send(table, key=value, value=value, partition=0)
        producer.flush()
        if good:
            producer.commit_transaction()
        else:
            producer.abort_transaction()
    producer.close()
    # The log ends with the aborted rows and a control record, which no reader is given.
    for storage in ("memory", "lmdb"):
        rows = read(cluster, table, storage=storage, state_dir=state)
        assert rows == {"user-3": "2", "1": "1", "2": "2"}


@pytest.mark.parametrize("compression", ["gzip", "snappy", "lz4", "zstd"])
def test_compressed_records_are_read(cluster, table, compression):
    producer = KafkaProducer(
        bootstrap_servers=list(cluster.addresses), compression_type=compression, linger_ms=20
    )
    for i in range(200):
        producer.send(table, key=b"user-%d" % i, value=b"%d" % i, partition=0)
    producer.close()
    wanted = {f"user-{i}": i for i in range(200)}
    assert read(cluster, table, Int64(), storage="memory") == wanted


def test_a_table_made_anew_is_noticed(cluster, table, write, state):
    write(*((b"old-%d" % i, b"x") for i in range(50)))
    assert len(read(cluster, table, state_dir=state)) == 50
    admin = KafkaAdminClient(bootstrap_servers=list(cluster.addresses))
    admin.delete_topics([table])
    admin.close()
    with TopicManager(cluster) as topics:
        wait_until("it is gone", lambda: topics.find(table) is None)
        topics.ensure_table(table, 1)
    write(*((b"new-%d" % i, b"x") for i in range(60)))
    assert set(read(cluster, table, state_dir=state)) == {f"new-{i}" for i in range(60)}


def test_a_store_that_ends_before_its_topic_begins_is_rebuilt(cluster, table, write, state):
    write(*((b"user-%d" % i, b"x") for i in range(50)))
    assert len(read(cluster, table, state_dir=state)) == 50
    write(*((b"later-%d" % i, b"x") for i in range(50)))
    admin = KafkaAdminClient(bootstrap_servers=list(cluster.addresses))
    admin.alter_configs(
        [
            ConfigResource(ConfigResourceType.TOPIC, table, {"cleanup.policy": "delete"}),
        ]
    )

    def delete():
        try:
            return admin.delete_records({TopicPartition(table, 0): 70})
        except PolicyViolationError:  # the broker has not heard of the new policy yet
            return None

    wait_until("the first 70 are deleted", delete)
    admin.close()
    assert set(read(cluster, table, state_dir=state)) == {f"later-{i}" for i in range(20, 50)}


def test_reads_are_refused_while_it_first_recovers_unless_stale_ones_are_asked_for(
    cluster, table, write
):
    view = View(cluster, table, String(), storage="memory")
    for ask in (lambda: view.get("a"), lambda: "a" in view, lambda: len(view), view.items):
        with pytest.raises(UsageError, match="wait_running"):
            ask()
    assert view.positions == {}
    write((b"a", b"1"))
    with view.start():
        view.wait_running()
        assert (view.get("a"), len(view), "a" in view) == ("1", 1, True)
        assert view.get("a", stale=True) == "1"
        assert view.progress == (1, 1)
        assert view.positions == {0: 1}
    with pytest.raises(UsageError, match="stopped"):
        view.get("a")


def test_a_view_of_a_missing_table_says_what_to_do(cluster, name):
    with pytest.raises(TopicError, match=r"ensure_table.*topic nowhere"):
        View(cluster, "nowhere", String(), connect_timeout=0.5).run()


def test_items_frame_evict_and_updates(cluster, table, write, state):
    updates = []
    view = View(
        cluster, table, Int64(), state_dir=state, on_update=lambda *row: updates.append(row)
    )
    write((b"b", b"2"), (b"a", b"1"), (b"ab", b"3"), (b"a/b c", b"4"), (b"b", None))
    with view.start().wait_running():
        assert list(view.items()) == [("a", 1), ("a/b c", 4), ("ab", 3)]
        assert list(view.items("ab")) == [("ab", 3)]
        frame = view.to_frame()
        assert list(frame.index) == ["a", "a/b c", "ab"]
        assert list(frame["value"]) == [1, 4, 3]
        view.evict("a")
        assert view.get("a") is None
        write((b"a", b"5"))
        wait_until("the next update brings it back", lambda: view.get("a") == 5)
    assert ("b", None) in updates
    assert updates[-1] == ("a", 5)


def test_the_wrong_codec_is_told_with_the_row(cluster, table, write):
    write((b"a", b"one"))
    with View(cluster, table, Int64(), storage="memory").start().wait_running() as view:
        with pytest.raises(CodecError, match="not a decimal number") as caught:
            view.get("a")
        assert (caught.value.topic, caught.value.partition, caught.value.key) == (table, 0, "a")
        assert view.state == "running"


def test_a_running_view_follows_a_table_that_is_made_anew(cluster, table, write, state):
    write(*((b"old-%d" % i, b"x") for i in range(50)))
    with View(cluster, table, String(), state_dir=state).start().wait_running() as view:
        assert len(view) == 50
        admin = KafkaAdminClient(bootstrap_servers=list(cluster.addresses))
        admin.delete_topics([table])
        admin.close()
        with TopicManager(cluster) as topics:
            wait_until("it is gone", lambda: topics.find(table) is None)
            topics.ensure_table(table, 1)
        write((b"new", b"x"))

        def keys():
            try:
                return {key for key, _ in view.items()}
            except UsageError:
                return None

        wait_until("it shows the new table", lambda: keys() == {"new"})


def test_a_running_view_waits_for_a_table_that_is_gone_for_a_moment(cluster, table, write, state):
    write((b"old", b"x"))
    with View(cluster, table, String(), state_dir=state).start().wait_running() as view:
        admin = KafkaAdminClient(bootstrap_servers=list(cluster.addresses))
        admin.delete_topics([table])
        admin.close()
        wait_until("it notices", lambda: view.state == "recovering")
        with TopicManager(cluster) as topics:
            topics.ensure_table(table, 1)
        write((b"new", b"x"))
        view.wait_running(30)
        wait_until("it shows the new table", lambda: [key for key, _ in view.items()] == ["new"])
