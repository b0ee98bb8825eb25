"""What clicklib relies on of kafka-python, and the ways around its defects."""

from __future__ import annotations

import gc
from contextlib import closing

import psutil
import pytest
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer
from kafka.admin import MemberToRemove, OffsetSpec

from clicklib import Cluster, Emitter, Input, Persist, Processor, define_group
from clicklib.breaking.proxy import proxies
from clicklib.client.group_reader import GroupReader
from clicklib.client.offsets import Offsets, TopicPartition
from clicklib.client.topic_reader import FETCH, TopicReader
from clicklib.client.topics import TopicManager
from clicklib.client.transport import Connections
from clicklib.client.writer import Writer
from clicklib.codec import Int64, String
from clicklib.errors import KafkaError, TopicError, UnavailableError
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
            answer_timeout=10,
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


def test_a_member_joins_once_where_the_answers_come_between_two_polls(cluster, join):
    [proxy] = proxies(cluster)
    with closing(proxy):
        reader, seen = join(Cluster(proxy.address))
        proxy.delay = 0.05
        # A poll without a wait is over before any answer comes.
        wait_until("it is assigned", lambda: reader.poll(0) or seen, every=0.2)
        assert reader.group_metadata.generation_id == 1
        reader.close()


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
    wait_until("all come", lambda: (reader.resume(everything), read())[1] == total)


def test_a_resumed_partition_does_not_wait_for_a_fetch_of_quiet_ones(
    cluster, topic, join, monkeypatch
):
    with Emitter(cluster, topic, String()) as emitter:
        hot = TopicPartition(topic, emitter.emit_sync("user-1", "x")[0])
    monkeypatch.setitem(FETCH, "fetch_max_wait_ms", 20_000)
    reader, seen = join()
    wait_until("it is assigned", lambda: reader.poll(0.1) or seen)
    places = {TopicPartition(topic, partition) for partition in range(10)}
    reader.go_on(list(places), newest=False)
    reader.resume(places - {hot})
    assert reader.poll(1) == {}
    reader.resume([hot])
    wait_until("its record is there", lambda: reader.poll(0.1))


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
    with pytest.raises(KafkaError, match="cannot go on with the transaction"):
        writer.add_offsets({TopicPartition(topic, 3): 7}, reader.group_metadata)
    writer.close()
    with pytest.raises(UnavailableError, match="no member"):
        writer.add_offsets({TopicPartition(topic, 3): 7}, reader._consumer.group_metadata())
    assert place not in admin.list_group_offsets({name: None})[name]
    admin.close()


@pytest.fixture
def write_to(cluster, topic):
    """Make a writer to the topic, which lives until the test ends."""
    writers = []

    def make(brokers=cluster, topic=topic, **options) -> Writer:
        options = {"connect_timeout": 10, "linger": 0, "delivery_timeout": 30, **options}
        writers.append(Writer(brokers, topic, **options))
        return writers[-1]

    yield make
    for writer in writers:
        writer.close(1)


@pytest.fixture
def end(cluster, topic):
    """Ask for the end offset of the topic's first partition."""
    place = TopicPartition(topic, 0)
    with KafkaAdminClient(bootstrap_servers=list(cluster.addresses)) as admin:
        yield lambda: admin.list_partition_offsets({place: OffsetSpec.LATEST})[place].offset


def test_a_writer_that_is_halted_sends_nothing_more(write_to, end):
    writer = write_to()
    assert answers(writer, b"1") == [0]
    never = writer.send_rows(0, [(b"k", b"2")])
    sockets = psutil.Process().net_connections()
    gc.disable()
    try:
        writer.halt()
        writer.close(20)
        assert len(psutil.Process().net_connections()) < len(sockets)
    finally:
        gc.enable()
    assert never.done
    before = end()
    assert answers(writer, b"3") != [before]
    assert end() == before


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
            wait_until("it tried", lambda: reader.poll(0.05) or len(refused) > 5)
            assert psutil.Process().num_fds() <= before
        finally:
            gc.enable()


def test_a_row_without_an_answer_in_time_is_in_doubt(cluster, write_to):
    [proxy] = proxies(cluster)
    with closing(proxy):
        writer = write_to(Cluster(proxy.address), delivery_timeout=1)
        proxy.freeze()
        [error] = answers(writer, b"1")
        assert isinstance(error, Writer.IN_DOUBT)
        assert not isinstance(error, Writer.REFUSED)
        writer.close(0)
        proxy.heal()


def answers(writer, *values):
    """What became of rows under one key, in the first partition."""
    found = writer.send_rows(0, [(b"k", value) for value in values])
    wait_until("they are answered", lambda: writer.flush(0.1) or found.done)
    return list(found.results)


def test_a_claim_keeps_earlier_writers_out_from_the_first_row_on(write_to):
    first, second = write_to(), write_to()
    first.claim([0, 1], "group", 10)
    assert answers(first, b"1", b"2") == [0, 1]
    second.claim([0], "group", 10)
    assert answers(first, b"3") == [2]
    assert answers(second, b"4") == [3]
    [error] = answers(first, b"5")
    assert isinstance(error, Writer.IN_DOUBT)
    [error] = answers(first, b"6")  # it sends nothing more, for the numbers of its rows are lost
    assert isinstance(error, Writer.IN_DOUBT)
    assert answers(second, b"7") == [4]
    third = write_to()
    third.claim([0], "group", 10)
    assert answers(third, b"8") == [5]
    third.claim([0], "group", 10)  # when it is assigned the partition again
    assert answers(third, b"9", b"10") == [6, 7]


def test_a_claim_holds_for_each_partition_and_group_by_itself(write_to):
    first, second = write_to(), write_to()
    first.claim([0], "group", 10)
    second.claim([1], "group", 10)
    second.claim([0], "another group", 10)
    assert answers(second, b"1") == [0]
    assert answers(first, b"2") == [1]


def test_the_halves_of_a_claimed_batch_are_claimed_too(cluster, name, write_to):
    with TopicManager(cluster) as topics:
        topic = topics.ensure_stream(f"{name}-small", 1, configs={"max.message.bytes": "2000"}).name
    first, second = write_to(topic=topic), write_to(topic=topic)
    first.claim([0], "group", 10)
    values = [bytes([65 + n]) * 300 for n in range(20)]
    assert answers(first, *values) == list(range(20))
    second.claim([0], "group", 10)
    assert answers(second, b"x") == [20]
    assert all(isinstance(found, Writer.IN_DOUBT) for found in answers(first, *values))


def test_claimed_rows_are_sent_again_after_a_cut_and_are_there_once(cluster, write_to, end):
    [proxy] = proxies(cluster)
    with closing(proxy):
        writer = write_to(Cluster(proxy.address))
        writer.claim([0], "group", 10)
        for number in range(5):
            found = writer.send_rows(0, [(b"k", b"1")])
            proxy.cut()
            wait_until("it is answered", lambda: writer.flush(0.1))
            assert list(found.results) == [number]
    assert end() == 5


def test_a_claim_without_an_answer_ends(cluster, write_to):
    [proxy] = proxies(cluster)
    with closing(proxy):
        writer = write_to(Cluster(proxy.address))
        proxy.freeze()
        with pytest.raises(UnavailableError, match="claim"):
            writer.claim([0], "group", 0.5)
        proxy.heal()
        writer.claim([0], "group", 10)
        assert answers(writer, b"1") == [0]


def test_a_writer_of_no_topic_says_so_and_one_without_a_broker_does_not(cluster, name):
    with pytest.raises(TopicError, match="the topic is not there"):
        Writer(cluster, name, connect_timeout=1, linger=0, delivery_timeout=1)
    with pytest.raises(UnavailableError):
        Writer(Cluster("127.0.0.1:1"), name, connect_timeout=1, linger=0, delivery_timeout=1)


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


def test_a_member_is_confirmed_until_it_is_removed(cluster, name, join):
    reader, seen = join()
    wait_until("it is assigned", lambda: reader.poll(0.1) or seen)
    reader.confirm(10)
    with KafkaAdminClient(bootstrap_servers=list(cluster.addresses)) as admin:
        admin.remove_group_members(name, [MemberToRemove(reader.group_metadata.member_id)])
    with pytest.raises(UnavailableError, match="does not confirm"):
        reader.confirm(10)


def test_a_refused_confirmation_leaves_the_member_as_it_is(topic, join):
    """The refusal may be of an earlier assignment, and come while the member joins anew."""
    reader, seen = join()
    wait_until("it is assigned", lambda: reader.poll(0.1) or seen)
    present = reader.group_metadata
    reader.group_metadata = present._replace(generation_id=present.generation_id - 1)
    with pytest.raises(UnavailableError, match="does not confirm"):
        reader.confirm(10)
    reader.commit({TopicPartition(topic, 3): 7}, 5)
    assert reader._consumer.group_metadata() == present


def test_a_member_without_an_answer_is_not_confirmed(cluster, join):
    [proxy] = proxies(cluster)
    with closing(proxy):
        reader, seen = join(Cluster(proxy.address))
        wait_until("it is assigned", lambda: reader.poll(0.1) or seen)
        proxy.freeze()
        with pytest.raises(UnavailableError, match="does not confirm"):
            reader.confirm(0.5)
        proxy.heal()
