"""The only module that imports kafka-python. Its defects, and the ways around them, end here.

Readers and writers speak in plain values: topics, partitions, offsets, bytes. The records that
they return are kafka-python's own, uncopied.
"""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from typing import Any

import kafka
import kafka.errors
from kafka.admin import NewTopic
from kafka.coordinator.assignors.abstract import AbstractPartitionAssignor
from kafka.net.compat import KafkaNetClient
from kafka.protocol.consumer.metadata import (
    ConsumerProtocolAssignment,
    ConsumerProtocolSubscription,
)
from kafka.structs import OffsetAndMetadata, TopicPartition

from clicklib._hash import share
from clicklib._offsets import Place
from clicklib.cluster import Cluster
from clicklib.errors import KafkaError, TopicError, UnavailableError

__all__ = ["Admin", "GroupReader", "TableReader", "TopicPartition", "Writer"]

Records = dict[TopicPartition, list[Any]]
Offsets = Mapping[Place, int]

# The settings that all clients share. kafka-python waits up to 30 s between attempts to reach a
# broker; with 1 s a restarted broker is found soon.
_CLIENT = {"reconnect_backoff_max_ms": 1_000}

# A poll returns all that a fetch brought: kafka-python forgets the rest of a batch that a limit on
# records cut, when its partition is paused and resumed. So the fetch is what is kept small; with
# these sizes polling is as quick as with large ones (benchmarks/).
_READER = {
    "max_poll_records": 1_000_000_000,
    "max_partition_fetch_bytes": 512 << 10,
    "fetch_max_bytes": 2 << 20,
    "metrics_enabled": False,
    "enable_auto_commit": False,
    "isolation_level": "read_committed",
    "allow_auto_create_topics": False,
}


_OUT_OF_RANGE = (
    kafka.errors.OffsetOutOfRangeError,
    kafka.errors.NoOffsetForPartitionError,
    kafka.errors.UnknownTopicOrPartitionError,
    kafka.errors.LogTruncationError,
)


def _connect(kind: Callable[..., Any], cluster: Cluster, timeout: float, **settings: Any) -> Any:
    """Make a client of `kind`; raises UnavailableError when no broker answers in `timeout` s."""
    begun: list[Any] = []

    def network(*args: Any, **kwargs: Any) -> Any:
        begun.append(KafkaNetClient(*args, **kwargs))
        return begun[-1]

    try:
        return kind(
            bootstrap_servers=list(cluster.addresses),
            bootstrap_timeout_ms=int(timeout * 1000),
            kafka_client=network,
            **_CLIENT,
            **settings,
            **cluster.security,
        )
    except BaseException as exc:
        # kafka-python begins its thread before it connects, and leaves it running.
        for client in begun:
            client.close()
        if isinstance(exc, kafka.errors.KafkaTimeoutError):
            hint = "; a wrong password, certificate or protocol looks the same"
            raise UnavailableError(
                f"no broker answers at {cluster} within {timeout:g} s: is it running and is the "
                f"address right{hint if cluster.security else ''}?"
            ) from exc
        if isinstance(exc, kafka.errors.KafkaError):
            raise KafkaError(f"cannot connect to {cluster}: {exc}") from exc
        raise


@contextlib.contextmanager
def translated(what: str, **where: Any) -> Iterator[None]:
    """Turn kafka-python's errors inside into KafkaError, with `what` was being done.

    What may pass by itself, as kafka-python says of its errors, becomes UnavailableError.
    """
    try:
        yield
    except kafka.errors.KafkaError as exc:
        cause = exc.__cause__ if isinstance(exc.__cause__, Exception) else exc
        passes = getattr(cause, "retriable", False) and not isinstance(cause, _OUT_OF_RANGE)
        kind = UnavailableError if passes else KafkaError
        raise kind(f"{what}: {cause}", **where) from cause


class CopartitionAssignor(AbstractPartitionAssignor):
    """Goka's `copartition`: members sorted by id, each with the same share of every topic."""

    name = "copartition"

    def metadata(self, topics: Iterable[str]) -> Any:
        return ConsumerProtocolSubscription(0, sorted(topics), b"")

    def assign(self, cluster: Any, members: Any) -> dict[str, Any]:
        members = sorted(members, key=lambda member: member.member_id)
        assignment: dict[str, list[tuple[str, list[int]]]] = {m.member_id: [] for m in members}
        for topic in sorted({topic for m in members for topic in m.metadata.topics}):
            readers = [m.member_id for m in members if topic in m.metadata.topics]
            # None just after the topic was made: nothing to hand out until the next metadata.
            partitions = len(cluster.partitions_for_topic(topic) or ())
            for index, member in enumerate(readers):
                mine = list(share(index, len(readers), partitions))
                if mine:
                    assignment[member].append((topic, mine))
        return {
            member: ConsumerProtocolAssignment(0, topics, b"")
            for member, topics in assignment.items()
        }

    def on_assignment(self, assignment: Any, generation: int = -1) -> None:
        pass


class GroupReader:
    """A member of a consumer group over some topics. For one thread.

    `on_revoked` is awaited before partitions are given up and may await `sleep` and
    `commit_soon`; `on_assigned` and `on_lost` follow a new assignment and a lost one. They run
    while `poll` does, on another thread.
    """

    def __init__(
        self,
        cluster: Cluster,
        group: str,
        topics: tuple[str, ...],
        *,
        session_timeout: float,
        max_poll_interval: float,
        connect_timeout: float,
        on_revoked: Callable[[], Awaitable[None]],
        on_assigned: Callable[[set[TopicPartition]], None],
        on_lost: Callable[[], None],
    ) -> None:
        self._consumer = _connect(
            kafka.KafkaConsumer,
            cluster,
            connect_timeout,
            group_id=group,
            auto_offset_reset="earliest",  # whatever the start: no message that is there is skipped
            session_timeout_ms=int(session_timeout * 1000),
            heartbeat_interval_ms=max(100, int(session_timeout * 1000 / 5)),
            max_poll_interval_ms=int(max_poll_interval * 1000),
            partition_assignment_strategy=[CopartitionAssignor()],
            **_READER,
        )
        self._on_its_way = False
        self.commit_error: BaseException | None = None
        self._joined = self._answered = -math.inf
        try:
            listener = _Listener(self, on_revoked, on_assigned, on_lost)
            self._consumer.subscribe(topics=list(topics), listener=listener)
            self._wait_for_metadata(topics, connect_timeout)
        except BaseException:
            self.close()
            raise

    def _wait_for_metadata(self, topics: tuple[str, ...], timeout: float) -> None:
        """Learn of the topics between `subscribe` and the first `poll`.

        A member that joins before leads an empty assignment, joins a second time when it learns
        of them, and that second join can hang for good.
        """
        deadline = time.monotonic() + timeout
        with translated("cannot find the topics"):
            while missing := set(topics) - self._consumer.topics():
                if time.monotonic() > deadline:
                    raise TopicError("the topic is not there", topic=min(missing))
                time.sleep(0.02)

    def poll(self, timeout: float) -> Records:
        """The next records by partition, after at most `timeout` seconds."""
        with translated("cannot read the input"):
            return self._consumer.poll(int(timeout * 1000))

    def pause(self, partitions: Iterable[tuple[str, int]]) -> None:
        """Return no more records of `partitions` until `resume`; those that left are ignored."""
        self._consumer.pause(*self._assigned(partitions))

    def resume(self, partitions: Iterable[tuple[str, int]]) -> None:
        """Return their records again."""
        self._consumer.resume(*self._assigned(partitions))

    def _assigned(self, partitions: Iterable[tuple[str, int]]) -> set[TopicPartition]:
        return self._consumer.assignment() & {TopicPartition(*place) for place in partitions}

    @property
    def membership(self) -> Any:
        """What the coordinator knows this member by; a member that was replaced is refused."""
        return self._consumer.group_metadata()

    def lease_age(self) -> float:
        """Seconds since the coordinator surely knew this member: since the last heartbeat that it
        answered was sent, or since the last assignment.

        kafka-python tells neither in public. What it calls the last answer may have lain in a
        buffer while the process was suspended, so the time of sending is what counts.
        """
        heartbeat = self._consumer._coordinator.heartbeat
        sent = heartbeat.last_send
        if heartbeat.last_receive >= sent:
            self._answered = sent
        return time.monotonic() - max(self._answered, self._joined)

    def go_on(self, places: list[TopicPartition], newest: bool) -> None:
        """Read on at the committed offsets, or where the group has none from one end of the log.

        The client itself goes on after the last record that it returned, handled or not, with a
        partition that stays through a rebalance. A start at the newest message is committed at
        once: a message that comes before the first commit is then not forgotten.
        """
        with translated("cannot read the committed offsets"):
            committed = {p: self._consumer.committed(p, timeout_ms=5_000) for p in places}
            fresh = [place for place in places if committed[place] is None]
            ends = self._consumer.end_offsets(fresh, timeout_ms=5_000) if fresh and newest else {}
            for place, offset in {**committed, **ends}.items():
                if offset is None:
                    self._consumer.seek_to_beginning(place)
                else:
                    self._consumer.seek(place, offset)
            if ends:
                self._consumer.commit(_committable(ends), timeout_ms=5_000)

    def lag(self, partition: TopicPartition, position: int) -> int | None:
        """How many offsets lie between `position` and the end; None before the first fetch."""
        if partition not in self._consumer.assignment():
            return None
        end = self._consumer.highwater(partition)
        return None if end is None else max(0, end - position)

    def caught_up(self, partition: TopicPartition) -> bool:
        """Whether everything there is has been returned, control records left aside."""
        if partition not in self._consumer.assignment():
            return True
        end = self._consumer.highwater(partition)
        return end is not None and (self._consumer.position(partition, 1_000) or 0) >= end

    def commit_async(self, offsets: Offsets) -> None:
        """Send a commit; `commit_done` and `commit_error` tell what became of it."""
        self._on_its_way, self.commit_error = True, None
        self._consumer.commit_async(_committable(offsets), callback=self._commit_answered)

    def _commit_answered(self, offsets: Any, answer: Any) -> None:
        # The future that commit_async returns may be that of a look-up of the coordinator only.
        self.commit_error = answer if isinstance(answer, BaseException) else None
        self._on_its_way = False

    @property
    def commit_done(self) -> bool:
        """Whether no commit is on its way."""
        return not self._on_its_way

    async def commit_soon(self, offsets: Offsets) -> None:
        """Commit from within `on_revoked`."""
        # Twice: where the coordinator has to be found first, the first awaits no more than that.
        for _ in range(2):
            await self._consumer.commit_async(_committable(offsets))

    def commit(self, offsets: Offsets, timeout: float) -> None:
        """Commit and wait for the answer, at most `timeout` seconds."""
        with translated("cannot commit"):
            self._consumer.commit(_committable(offsets), timeout_ms=int(timeout * 1000))

    async def sleep(self, seconds: float) -> None:
        """Wait within `on_revoked` while heartbeats go on.

        kafka-python has no public way to do so; blocking would cost the membership.
        """
        await self._consumer._net.sleep(seconds)

    def close(self, timeout: float = 5.0) -> None:
        """Leave the group and close; repeatable."""
        with contextlib.suppress(kafka.errors.KafkaError):
            self._consumer.close(autocommit=False, timeout_ms=int(timeout * 1000))


class _Listener(kafka.AsyncConsumerRebalanceListener):
    def __init__(
        self,
        reader: GroupReader,
        on_revoked: Callable[[], Awaitable[None]],
        on_assigned: Callable[[set[TopicPartition]], None],
        on_lost: Callable[[], None],
    ) -> None:
        self._reader = reader
        self._revoked, self._assigned, self._lost = on_revoked, on_assigned, on_lost

    async def on_partitions_revoked(self, revoked: set[TopicPartition]) -> None:
        await self._revoked()

    async def on_partitions_assigned(self, assigned: set[TopicPartition]) -> None:
        # Paused here, so that no record comes before the table is recovered.
        self._reader.pause(assigned)
        self._reader._joined = time.monotonic()
        self._assigned(set(assigned))

    async def on_partitions_lost(self, lost: set[TopicPartition]) -> None:
        self._lost()


class TableReader:
    """Reads partitions of one topic from offsets of one's own choice. For one thread."""

    def __init__(self, cluster: Cluster, topic: str, connect_timeout: float) -> None:
        self.topic = topic
        self._consumer = _connect(
            kafka.KafkaConsumer, cluster, connect_timeout, auto_offset_reset="none", **_READER
        )
        try:
            self._admin = _connect(
                kafka.KafkaAdminClient, cluster, connect_timeout, request_timeout_ms=5_000
            )
        except BaseException:
            self._consumer.close(autocommit=False)
            raise

    def bounds(
        self, partitions: Iterable[int], timeout: float = 10.0
    ) -> dict[int, tuple[int, int]]:
        """The first offset and the end offset of each of `partitions`, asked of the broker.

        The end is that of all records, those of open transactions too: who has read up to there
        has seen what became of each. A reader of committed records would be told a nearer one.
        """
        places = [TopicPartition(self.topic, partition) for partition in partitions]
        if not places:
            return {}
        ask, spec = self._admin.list_partition_offsets, kafka.admin.OffsetSpec
        limit = int(timeout * 1000)
        with translated("cannot ask for the table's offsets", topic=self.topic):
            begins = ask(dict.fromkeys(places, spec.EARLIEST), timeout_ms=limit)
            ends = ask(dict.fromkeys(places, spec.LATEST), timeout_ms=limit)
        return {p.partition: (begins[p].offset, ends[p].offset) for p in places}

    def read_from(self, positions: Mapping[int, int]) -> None:
        """Read these partitions, and no others, from these offsets on."""
        places = {TopicPartition(self.topic, p): offset for p, offset in positions.items()}
        self._consumer.assign(list(places))
        for place, offset in places.items():
            self._consumer.seek(place, offset)

    def poll(self, timeout: float) -> dict[int, list[Any]]:
        """The next records by partition, after at most `timeout` seconds.

        Raises OutOfRange where the topic no longer has the next offset.
        """
        try:
            with translated("cannot read the table", topic=self.topic):
                records = self._consumer.poll(int(timeout * 1000))
        except KafkaError as exc:
            if isinstance(exc.__cause__, _OUT_OF_RANGE):
                raise OutOfRange("the topic was truncated or made anew", topic=self.topic) from exc
            raise
        return {place.partition: batch for place, batch in records.items()}

    def position(self, partition: int) -> int:
        """The offset of the next record that `poll` will return, past holes and control records."""
        with translated("cannot read the table", topic=self.topic):
            return self._consumer.position(TopicPartition(self.topic, partition), 5_000) or 0

    def close(self) -> None:
        with contextlib.suppress(kafka.errors.KafkaError):
            self._consumer.close(autocommit=False, timeout_ms=1_000)
        with contextlib.suppress(kafka.errors.KafkaError):
            self._admin.close()


class OutOfRange(KafkaError):
    """The next offset lies outside of what the topic holds."""


class Writer:
    """An idempotent producer with acks=all. Any thread may send.

    With a `transactional_id` it first ends the transaction that an earlier writer of that id left
    behind. After any error a new writer is needed: kafka-python may carry offsets of a failed
    transaction into the next.
    """

    REFUSED = (kafka.errors.MessageSizeTooLargeError, kafka.errors.RecordListTooLargeError)
    """What no retry would change."""

    def __init__(
        self,
        cluster: Cluster,
        *,
        connect_timeout: float,
        linger: float,
        delivery_timeout: float,
        transactional_id: str | None = None,
    ) -> None:
        self._producer = _connect(
            kafka.KafkaProducer,
            cluster,
            connect_timeout,
            metrics_enabled=False,
            acks="all",
            enable_idempotence=True,
            linger_ms=int(linger * 1000),
            batch_size=256 << 10,
            request_timeout_ms=min(30_000, int(delivery_timeout * 1000)),
            delivery_timeout_ms=int(delivery_timeout * 1000) + int(linger * 1000),
            max_block_ms=int(connect_timeout * 1000),
            allow_auto_create_topics=False,
            transactional_id=transactional_id,
            transaction_timeout_ms=10_000,
        )
        self.send = self._producer.send
        self.begin = self._producer.begin_transaction
        self.commit = self._producer.commit_transaction
        if transactional_id is not None:
            try:
                with translated("cannot begin with transactions"):
                    self._producer.init_transactions()
            except BaseException:
                self.close(0)
                raise

    def add_offsets(self, offsets: Offsets, membership: Any) -> None:
        """Make these input offsets part of the transaction, in the name of a member."""
        self._producer.send_offsets_to_transaction(_committable(offsets), membership)

    def partitions(self, topic: str) -> int:
        """How many partitions `topic` has; sending to it then waits for no metadata."""
        with translated("cannot find the topic", topic=topic):
            return len(self._producer.partitions_for(topic))

    def flush(self, timeout: float) -> bool:
        """Send all now and wait for the answers; False when some are missing after `timeout` s.

        It doesn't raise for records that failed: look at each future.
        """
        try:
            self._producer.flush(timeout)
        except kafka.errors.KafkaTimeoutError:
            return False
        return True

    def close(self, timeout: float = 5.0) -> None:
        """Deliver what was sent, at most `timeout` seconds long, drop the rest; repeatable."""
        try:
            self._producer.close(timeout)
        except kafka.errors.KafkaTimeoutError:
            # kafka-python raises before it ends its thread, which would go on sending.
            self._producer._sender.force_close()
            self._producer._sender.join(timeout)


class Admin:
    """Topics and the cluster, asked and changed."""

    def __init__(self, cluster: Cluster, connect_timeout: float = 10.0) -> None:
        self._admin = _connect(kafka.KafkaAdminClient, cluster, connect_timeout)

    def cluster_id(self) -> str:
        with translated("cannot describe the cluster"):
            return self._admin.describe_cluster()["cluster_id"]

    def brokers(self) -> int:
        """How many brokers the cluster has now."""
        with translated("cannot describe the cluster"):
            return len(self._admin.describe_cluster()["brokers"])

    def topics(self, names: Iterable[str]) -> dict[str, dict[str, Any]]:
        """`topic_id` and `partitions` of each of `names` that is there."""
        with translated("cannot describe the topics"):
            found = self._admin.describe_topics(list(names))
        return {topic["name"]: topic for topic in found if not topic["error_code"]}

    def configs(self, topic: str) -> dict[str, str]:
        """The topic's configuration."""
        resource = kafka.admin.ConfigResource(kafka.admin.ConfigResourceType.TOPIC, topic)
        with translated("cannot read the topic's configuration", topic=topic):
            found = self._admin.describe_configs([resource])
        return {name: entry["value"] for name, entry in next(iter(found["topic"].values())).items()}

    def create(
        self, topic: str, partitions: int, replication: int, configs: Mapping[str, str]
    ) -> bool:
        """Create the topic and wait until it is known; False if another was quicker."""
        new = NewTopic(topic, partitions, replication, topic_configs=dict(configs))
        made = True
        deadline = time.monotonic() + 3
        while True:
            try:
                with translated("cannot create the topic", topic=topic):
                    self._admin.create_topics([new])
                break
            except KafkaError as exc:
                if isinstance(exc.__cause__, kafka.errors.TopicAlreadyExistsError):
                    made = False
                    break
                # A broker that has just started refuses until the controller knows it.
                refused = isinstance(exc.__cause__, kafka.errors.InvalidReplicationFactorError)
                if not refused or time.monotonic() > deadline:
                    raise
                time.sleep(0.1)
        deadline = time.monotonic() + 10
        while topic not in self.topics([topic]):
            if time.monotonic() > deadline:
                raise TopicError("the topic was created but does not appear", topic=topic)
            time.sleep(0.02)
        return made

    def close(self) -> None:
        with contextlib.suppress(kafka.errors.KafkaError):
            self._admin.close()


def _committable(offsets: Offsets) -> dict[TopicPartition, OffsetAndMetadata]:
    return {TopicPartition(*p): OffsetAndMetadata(offset, "", -1) for p, offset in offsets.items()}


class GroupAdmin(Admin):
    """What a group and its coordinator know: members, assignments, committed offsets."""

    def __init__(self, cluster: Cluster, connect_timeout: float = 10.0) -> None:
        # A look at a group is worth little when it is late: 30 s is kafka-python's default.
        self._admin = _connect(
            kafka.KafkaAdminClient, cluster, connect_timeout, request_timeout_ms=5_000
        )

    def group(self, group: str) -> dict[str, Any]:
        """`group_state` and `members` as the coordinator describes them."""
        with translated("cannot describe the group"):
            return self._admin.describe_groups([group])[group]

    def committed(self, group: str) -> dict[TopicPartition, int]:
        """The offsets that the group has committed."""
        with translated("cannot read the group's offsets"):
            found = self._admin.list_group_offsets({group: None}).get(group, {})
        return {place: entry.offset for place, entry in found.items() if entry.offset >= 0}

    def bounds(self, topics: Mapping[str, int]) -> dict[TopicPartition, tuple[int, int]]:
        """The first and the end offset of each partition; `topics` says how many each has."""
        places = [TopicPartition(topic, p) for topic, n in topics.items() for p in range(n)]
        if not places:
            return {}
        spec = kafka.admin.OffsetSpec
        with translated("cannot ask for the topics' offsets"):
            begins = self._admin.list_partition_offsets(dict.fromkeys(places, spec.EARLIEST))
            ends = self._admin.list_partition_offsets(dict.fromkeys(places, spec.LATEST))
        return {place: (begins[place].offset, ends[place].offset) for place in places}
