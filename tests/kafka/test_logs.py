"""A log as it lies in Kafka: newest records, tombstones, what compaction left."""

from __future__ import annotations

import pytest

from clicklib import Emitter
from clicklib.client.logs import Logs, PartitionLog
from clicklib.client.topics import TopicManager
from clicklib.client.writer import Writer
from clicklib.codec import String
from clicklib.errors import TopicError, UnavailableError
from tests.waiting import wait_until

HASTY = {
    "segment.ms": "100",
    "min.cleanable.dirty.ratio": "0.01",
    "delete.retention.ms": "100000",
    "min.compaction.lag.ms": "0",
}


def test_an_empty_log_has_nothing(cluster, topic):
    with Logs(cluster, topic) as logs:
        assert logs.newest() == [PartitionLog(p, 0, 0, 0, ()) for p in range(10)]
        assert logs.last("user-3") == (8, None)


def test_the_newest_records_are_read_again_and_again(cluster, topic, click):
    with Logs(cluster, topic) as logs:
        click(300)
        first = logs.newest(depth=20)
        assert logs.newest(depth=20) == first
        for log in first:
            assert log.read_from == max(0, log.end - 20)
            assert [record.offset for record in log.records] == list(range(log.read_from, log.end))
            assert log.holes == ()
        assert sum(log.end for log in first) == 300
        click(10)
        assert sum(log.end for log in logs.newest(depth=1)) == 310


def test_the_last_record_of_a_key_is_found_however_deep(cluster, topic):
    with Emitter(cluster, topic, String()) as emitter, Logs(cluster, topic) as logs:
        place = emitter.emit_sync("user-3", "one")
        assert place == (8, 0)
        for _ in range(3_000):
            emitter.emit("user-9", "another")  # of the same partition
        assert emitter.flush()
        partition, found = logs.last("user-3")
        assert (partition, found.offset, found.key, found.value) == (8, 0, "user-3", b"one")
        emitter.emit_sync("user-3", "two")
        assert logs.last("user-3")[1].value == b"two"
        assert logs.last("user-9")[1].offset == 3_000


def test_tombstones_and_the_holes_of_a_compaction_are_seen(cluster, name):
    with TopicManager(cluster) as topics:
        topics.ensure_table(name, 1, configs=HASTY)
    with Emitter(cluster, name, String()) as emitter, Logs(cluster, name) as logs:
        for value in range(5):
            emitter.emit_sync("a", str(value))
        emitter.emit_sync("b", "0")
        emitter.emit_sync("b", None)

        def compacted() -> PartitionLog | None:
            emitter.emit_sync("tick", "")  # a segment is closed at an append
            (log,) = logs.newest(depth=10_000)
            return log if [r.offset for r in log.records[:2]] == [4, 6] else None

        log = wait_until("the log was compacted", compacted, timeout=60, every=0.3)
    assert log.holes[0] == (0, 4)
    assert [(r.key, r.value) for r in log.records[:2]] == [("a", b"4"), ("b", None)]


def test_a_log_is_read_up_to_an_open_transaction(cluster, name):
    with TopicManager(cluster) as topics:
        topics.ensure_table(name, 1)
    options = {"connect_timeout": 10, "linger": 0, "delivery_timeout": 10}
    writer = Writer(cluster, name, transactional_id=name, **options)
    with Logs(cluster, name, timeout=5) as logs:
        for value in (b"1", b"2"):
            writer.begin([0])
            writer.append(0, b"a", value)
            assert writer.flush(5)
            if value == b"1":
                writer.commit()
        (log,) = logs.newest(timeout=5)
        assert ([r.value for r in log.records], log.end, log.holes) == ([b"1"], 3, ((1, 2),))
        assert log.open_from == 2
        assert logs.last("a", timeout=5)[1].value == b"1"
        writer.commit()
        # Kafka answers a commit before its marker is in the log.
        wait_until("it is seen", lambda: logs.last("a", timeout=5)[1].value == b"2")
    writer.close()


def test_what_cannot_be_read_is_said(cluster):
    with pytest.raises(TopicError, match="not there"):
        Logs(cluster, "nowhere")
    with pytest.raises(UnavailableError, match="no broker answers"):
        Logs("127.0.0.1:1", "clicks", timeout=0.5)
