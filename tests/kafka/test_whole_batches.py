"""Whole batches on a real broker: what is read back, what is too large, what is split."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import pytest
from kafka.errors import KafkaTimeoutError, MessageSizeTooLargeError

from clicklib import Cluster, TopicManager
from clicklib.breaking.proxy import proxies
from clicklib.client.writer import Writer
from tests.kafka.test_emit import read
from tests.waiting import wait_until


def open_writer(cluster: Cluster, topic: str, **options: object) -> Writer:
    options = {"connect_timeout": 10.0, "linger": 0.0, "delivery_timeout": 30.0, **options}
    return Writer(cluster, topic, **options)  # type: ignore[arg-type]


@pytest.fixture
def writer(cluster: Cluster, topic: str) -> Iterator[Writer]:
    writer = open_writer(cluster, topic)
    yield writer
    writer.close()


def results(writer: Writer, partition: int, rows: list[tuple[bytes, bytes | None]]) -> list:
    answers = writer.send_rows(partition, rows)
    writer.flush(10)
    wait_until("all are answered", lambda: answers.done)
    return list(answers.results)


def test_rows_are_read_back_in_order_at_the_offsets_that_were_answered(cluster, topic, writer):
    rows = [(f"user-{i}".encode(), None if i % 7 == 0 else b"v" * (i % 900)) for i in range(5_000)]
    assert results(writer, 3, rows) == list(range(5_000))
    assert results(writer, 3, []) == []
    assert results(writer, 3, [(b"", b"")]) == [5_000]
    found = [(r.partition, r.offset, r.key, r.value) for r in read(cluster, topic)]
    assert found == [(3, i, *row) for i, row in enumerate([*rows, (b"", b"")])]


def test_one_row_that_is_too_large_fails_alone(cluster, topic, writer):
    large = b"x" * (1 << 20)
    first, error, last = results(writer, 0, [(b"a", b"1"), (b"b", large), (b"c", b"2")])
    assert (first, last) == (0, 1)
    assert isinstance(error, MessageSizeTooLargeError)
    assert [r.key for r in read(cluster, topic)] == [b"a", b"c"]


def test_a_batch_that_the_broker_finds_too_large_is_split(cluster, name):
    with TopicManager(cluster) as topics:
        topics.ensure_stream(name, 1, configs={"max.message.bytes": "20000"})
    writer = open_writer(cluster, name)
    rows = [(str(i).encode(), b"v" * 1_000) for i in range(100)] + [(b"large", b"v" * 30_000)]
    *offsets, error = results(writer, 0, rows)
    assert offsets == list(range(100))
    assert isinstance(error, MessageSizeTooLargeError)
    assert [r.key for r in read(cluster, name)] == [key for key, _ in rows[:-1]]
    writer.close()


def test_rows_of_a_transaction_become_visible_together(cluster, topic, name):
    writer = open_writer(cluster, topic, transactional_id=name)
    writer.begin()
    assert results(writer, 1, [(b"a", b"1"), (b"b", b"2")]) == [0, 1]
    writer.commit()
    writer.begin()
    assert results(writer, 1, [(b"c", b"3")]) == [3]  # after the marker
    writer.commit()
    writer.close()
    assert [(r.offset, r.key) for r in read(cluster, topic)] == [(0, b"a"), (1, b"b"), (3, b"c")]


def test_rows_that_wait_too_long_fail_and_so_do_those_of_a_closed_writer(cluster, topic):
    [proxy] = proxies(cluster)
    with closing(proxy):
        writer = open_writer(Cluster(proxy.address), topic, delivery_timeout=0.5)
        proxy.refuse()
        late = writer.send_rows(0, [(b"a", b"1"), (b"b", b"2")])
        wait_until("they are late", lambda: late.done)
        assert [type(error) for error in late.results] == [KafkaTimeoutError] * 2
        held = writer.send_rows(0, [(b"c", b"3")])
        writer.halt()
        writer.close()
        after = writer.send_rows(0, [(b"d", b"4")])
    assert all(isinstance(error, Exception) for error in (*held.results, *after.results))
    assert read(cluster, topic) == []
