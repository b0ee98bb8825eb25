"""What clicklib relies on of kafka-python, and the ways around its defects."""

from __future__ import annotations

import gc
import math
import time
from contextlib import closing

import kafka.errors
import psutil
import pytest
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer
from kafka.admin import MemberToRemove, OffsetSpec
from kafka.net.connection import KafkaConnection
from kafka.protocol.producer import ProduceRequest

from clicklib import Cluster, Emitter, Input, Persist, Processor, define_group
from clicklib.client.group_reader import GroupReader
from clicklib.client.offsets import Offsets, TopicPartition
from clicklib.client.topic_reader import FETCH, TopicReader
from clicklib.client.transport import Connections
from clicklib.client.writer import Writer
from clicklib.codec import Int64, String
from clicklib.errors import TopicError, UnavailableError
from tests.support.proxy import proxies
from tests.waiting import wait_until


async def nothing():
    """What `on_revoked` may be."""


@pytest.fixture
def join(cluster, topic, name):
    """Become a member of a group; returns the reader, and the assignments that it was given."""
    readers = []

    def member(brokers=cluster, on_assigned=len):
        seen: list[int] = []
        reader = GroupReader(
            brokers,
            name,
            (topic,),
            session_timeout=10,
            max_poll_interval=300,
            connect_timeout=10,
            on_revoked=nothing,
            on_assigned=lambda places: (seen.append(len(places)), on_assigned(places)),
            on_lost=lambda: seen.append(-1),
        )
        readers.append(reader)
        return reader, seen

    yield member
    for reader in readers:
        reader.close()


def test_a_member_joins_once(join):
    reader, seen = join()
    wait_until("it is assigned", lambda: reader.poll(0.1) or seen)
    for _ in range(5):
        reader.poll(0.1)
    assert seen == [10]


def test_a_partition_that_was_paused_goes_on_after_the_resume(cluster, topic, join):
    total = 30_000
    with Emitter(cluster, topic, String(), buffer=total) as emitter:
        for i in range(total):
            emitter.emit(f"user-{i % 100}", "x" * 50)
    reader, seen = join()
    places: set = set()
    records = 0

    def read():
        nonlocal records
        for place, batch in reader.poll(0.1).items():
            records += len(batch)
            places.add(place)
            reader.pause([place])
        return records

    wait_until("it is assigned", lambda: read() or seen)
    everything = [TopicPartition(topic, p) for p in range(10)]
    reader.resume(everything)
    for _ in range(10):
        read()
    # Each partition was paused as soon as it gave something, some with records in the buffer.
    assert places
    wait_until("all come", lambda: (reader.resume(everything), read())[1] == total, timeout=30)


def test_offsets_are_committed_and_a_refused_commit_is_told(cluster, topic, name, join):
    reader, seen = join()
    wait_until("it is assigned", lambda: reader.poll(0.1) or seen)
    offsets: Offsets = {TopicPartition(topic, 3): 7}
    reader.commit_async(offsets)
    wait_until("it is answered", lambda: reader.poll(0.05) or reader.commit_done)
    assert reader.commit_error is None
    reader.commit({TopicPartition(topic, 4): 8}, 5)
    consumer = KafkaConsumer(bootstrap_servers=list(cluster.addresses), group_id=name)
    assert consumer.committed(TopicPartition(topic, 3)) == 7
    assert consumer.committed(TopicPartition(topic, 4)) == 8
    consumer.close()


def test_positions_step_over_the_end_of_a_transaction(cluster, topic):
    producer = KafkaProducer(
        bootstrap_servers=list(cluster.addresses), transactional_id=f"{topic}-t"
    )
    producer.init_transactions()
    producer.begin_transaction()
    producer.send(topic, key=b"a", value=b"1", partition=0)
    producer.flush()
    producer.abort_transaction()
    producer.close()
    reader = TopicReader(cluster, topic, 10)
    # The end counts the marker that ends the transaction, once the coordinator has written it.
    wait_until("the marker is there", lambda: reader.bounds([0]) == {0: (0, 2)})
    reader.read_from({0: 0})

    def position():
        assert reader.poll(0.1) == {}
        return reader.position(0)

    wait_until("the position is at the end", lambda: position() == 2)
    reader.close()


def test_the_fetch_sizes_do_not_keep_a_large_message_out(cluster, topic, name, state):
    size = 900 << 10
    assert size > FETCH["max_partition_fetch_bytes"]

    def keep(ctx, msg):
        ctx.set_value(len(msg))

    graph = define_group(name, Input(topic, String(), keep), Persist(Int64()))
    with (
        Processor(cluster, graph, state_dir=state).start().wait_running() as processor,
        Emitter(cluster, topic, String()) as emitter,
    ):
        emitter.emit_sync("user-3", "x" * size)
        wait_until("it came", lambda: processor.get("user-3") == size)


def test_a_member_that_was_dropped_commits_nothing_in_a_transaction(
    cluster, topic, name, join, write_to
):
    """Kafka takes the offsets of a transaction unchecked when they come without a member's name."""
    reader, seen = join()
    wait_until("it is assigned", lambda: reader.poll(0.1) or seen)
    place = TopicPartition(topic, 3)
    admin = KafkaAdminClient(bootstrap_servers=list(cluster.addresses))
    admin.remove_group_members(name, [MemberToRemove(reader.group_metadata.member_id)])
    wait_until(
        "the client has noticed", lambda: reader._consumer.group_metadata().generation_id < 0
    )
    writer = write_to(delivery_timeout=10, transactional_id=name)
    writer.begin()
    with pytest.raises(kafka.errors.KafkaError):
        writer.add_offsets({TopicPartition(topic, 3): 7}, reader.group_metadata)
    writer.close()
    with pytest.raises(UnavailableError, match="no member"):
        writer.add_offsets({TopicPartition(topic, 3): 7}, reader._consumer.group_metadata())
    assert place not in admin.list_group_offsets({name: None})[name]
    admin.close()


@pytest.fixture
def write_to(cluster, topic):
    """Make a writer to the topic, which lives until it is closed."""

    def make(**options) -> Writer:
        return Writer(
            cluster,
            topic,
            **{"connect_timeout": 10, "linger": 0, "delivery_timeout": 30, **options},
        )

    return make


@pytest.fixture
def end(cluster, topic):
    """Ask for the end offset of the topic's first partition."""
    place = TopicPartition(topic, 0)
    with KafkaAdminClient(bootstrap_servers=list(cluster.addresses)) as admin:
        yield lambda: admin.list_partition_offsets({place: OffsetSpec.LATEST})[place].offset


def test_a_writer_sends_only_while_it_may(write_to, topic, end):
    allowed = True
    writer = write_to(may_send=lambda: allowed)
    allowed = False
    late = writer.send(topic, b"1", b"k", None, 0)
    assert not writer.flush(0.5)
    assert end() == 0
    allowed = True
    wait_until("it is sent", lambda: late.is_done)
    assert end() == 1
    writer.halt()
    never = writer.send(topic, b"2", b"k", None, 0)
    sockets = psutil.Process().net_connections()
    gc.disable()
    try:
        begun = time.monotonic()
        writer.close(20)
        assert time.monotonic() < begun + 10
        assert len(psutil.Process().net_connections()) < len(sockets)
    finally:
        gc.enable()
    assert never.is_done
    assert never.failed()
    assert end() == 1


def test_a_writer_that_is_halted_while_it_asks_sends_nothing(write_to, topic, end):
    """As when the partitions of a suspended member are found lost at that moment."""
    made: list[Writer] = []

    def halt_and_allow():
        for writer in made:
            writer.halt()
        return True

    writer = write_to(may_send=halt_and_allow)
    writer.send(topic, b"1", b"k", None, 0).get(10)
    made.append(writer)
    writer.send(topic, b"2", b"k", None, 0)
    assert not writer.flush(0.5)
    assert end() == 1
    writer.close()


def test_refused_connections_leave_no_socket_behind(cluster, topic, monkeypatch):
    [proxy] = proxies(cluster)
    refused, failed = [], Connections._failed

    def note(*args):
        refused.append(1)
        failed(*args)

    monkeypatch.setattr(Connections, "_failed", note)
    with closing(proxy), closing(TopicReader(Cluster(proxy.address), topic, 10)) as reader:
        reader.read_from({0: 0})
        reader.poll(0.2)
        before = psutil.Process().num_fds()
        gc.disable()
        try:
            proxy.refuse()
            wait_until("it tried", lambda: reader.poll(0.05) or len(refused) > 5, timeout=30)
            assert psutil.Process().num_fds() <= before
        finally:
            gc.enable()


def test_a_row_that_was_held_for_too_long_is_late(write_to, topic, end):
    made: list[Writer] = []
    writer = write_to(delivery_timeout=1, may_send=lambda: not made)
    made.append(writer)
    row = writer.send(topic, b"1", b"k", None, 0)
    wait_until("it fails", lambda: row.is_done)
    assert isinstance(row.exception, Writer.LATE)
    assert not isinstance(row.exception, Writer.REFUSED)
    assert end() == 0
    writer.halt()
    writer.close()


def test_a_writer_of_no_topic_says_so_and_one_without_a_broker_does_not(cluster, name):
    with pytest.raises(TopicError, match="the topic is not there"):
        Writer(cluster, name, connect_timeout=1, linger=0, delivery_timeout=1)
    with pytest.raises(UnavailableError):
        Writer(Cluster("127.0.0.1:1"), name, connect_timeout=1, linger=0, delivery_timeout=1)


def test_a_row_is_held_back_at_the_last_moment(write_to, topic, end, monkeypatch):
    """As when the process is suspended after kafka-python made up a request, before it left."""
    allowed = True
    writer = write_to(may_send=lambda: allowed)
    make = KafkaConnection._send_request

    def make_then_forbid(connection, request, **options):
        nonlocal allowed
        sent = make(connection, request, **options)
        if isinstance(request, ProduceRequest):
            allowed = False
        return sent

    monkeypatch.setattr(KafkaConnection, "_send_request", make_then_forbid)
    held = writer.send(topic, b"1", b"k", None, 0)
    wait_until("the request is made", lambda: not allowed)
    assert not writer.flush(0.5)
    assert end() == 0
    monkeypatch.undo()
    allowed = True
    wait_until("it is sent", lambda: held.is_done)
    assert end() == 1
    writer.close()


def test_committed_offsets_are_those_of_now(cluster, topic, join):
    """A question that got no answer in time is answered later; until the next, others commit."""
    [proxy] = proxies(cluster)
    with closing(proxy):
        reader, seen = join(Cluster(proxy.address), lambda places: proxy.freeze())
        # The poll that is assigned partitions asks for their offsets, and gives up waiting.
        wait_until("it is assigned", lambda: reader.poll(0.1) or seen)
        proxy.heal()
        places = [TopicPartition(topic, p) for p in range(10)]
        reader.commit({places[3]: 7}, 5)  # answered after the question
        reader.go_on(places, newest=False)
        assert reader._consumer.position(places[3]) == 7


@pytest.mark.long
def test_the_lease_of_an_assignment_begins_when_it_was_asked_for(cluster, topic, name):
    """A process may be suspended before it reads the answer."""
    [proxy] = proxies(cluster)
    with closing(proxy):
        proxy.delay = 0.3
        ages = []
        reader = GroupReader(
            Cluster(proxy.address),
            name,
            (topic,),
            session_timeout=10,
            max_poll_interval=300,
            connect_timeout=30,
            on_revoked=nothing,
            on_assigned=lambda places: ages.append(reader.lease_age()),
            on_lost=lambda: None,
        )
        with closing(reader):
            wait_until("it is assigned", lambda: reader.poll(0.1) or ages, timeout=30)
            assert 0.6 <= ages[0] < 10

            def renewed():
                reader.poll(0.1)
                ages.append(reader.lease_age())
                return ages[-1] < ages[-2]

            wait_until("a heartbeat renews it", renewed)
            proxy.delay = 0


def test_the_lease_of_a_member_that_was_removed_ends(cluster, topic, name, join):
    reader, seen = join()
    wait_until("it is assigned", lambda: reader.poll(0.1) or seen)
    assert reader.lease_age() < 10
    removed = reader.group_metadata.member_id
    with KafkaAdminClient(bootstrap_servers=list(cluster.addresses)) as admin:
        admin.remove_group_members(name, [MemberToRemove(removed)])
    wait_until("a heartbeat is refused", lambda: reader.lease_age() == math.inf)
