"""The clients of kafka-python. How they connect is in `_connection`, how record batches are decoded
in `_records`, the member of a group in `_group`; its defects end in these four.

Readers and writers speak in plain values: topics, partitions, offsets, bytes. The records that
they return are kafka-python's own, uncopied.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, TypeVar

import kafka
import kafka.errors
from kafka.admin import NewTopic
from kafka.structs import OffsetAndMetadata, TopicPartition

from clicklib.client.batches import FetchedRecords
from clicklib.client.cluster import Cluster
from clicklib.client.connection import OUT_OF_RANGE, connect, translated
from clicklib.engine.commits import Place
from clicklib.errors import KafkaError, TopicError, UnavailableError

__all__ = [
    "READER",
    "Admin",
    "GroupAdmin",
    "Offsets",
    "OutOfRange",
    "Records",
    "TableReader",
    "TopicPartition",
    "Writer",
    "committable",
    "reader",
]

T = TypeVar("T")
Records = dict[TopicPartition, list[Any]]
Offsets = Mapping[Place, int]

# After this time the coordinator ends a transaction whose producer went away.
_TRANSACTION_MS = 10_000

# A poll returns all that a fetch brought: kafka-python forgets the rest of a batch that a limit on
# records cut, when its partition is paused and resumed. So the fetch is what is kept small; with
# these sizes polling is as quick as with large ones (benchmarks/).
READER: dict[str, Any] = {
    "max_poll_records": 1_000_000_000,
    "max_partition_fetch_bytes": 512 << 10,
    "fetch_max_bytes": 2 << 20,
    "metrics_enabled": False,
    "enable_auto_commit": False,
    "isolation_level": "read_committed",
    "allow_auto_create_topics": False,
}


def reader(cluster: Cluster, connect_timeout: float, **settings: Any) -> kafka.KafkaConsumer:
    """A consumer that polls what a fetch brought, whole and of committed records only."""
    consumer = connect(kafka.KafkaConsumer, cluster, connect_timeout, **READER, **settings)
    FetchedRecords.serve(consumer)
    return consumer


def _insist(ask: Callable[[], T], passing: type[Exception], seconds: float) -> T:
    """What `ask()` returns, asked again for so long while it raises what may pass by itself."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            return ask()
        except kafka.errors.KafkaError as exc:
            cause = exc.__cause__ or exc  # some come wrapped
            if not isinstance(cause, passing) or time.monotonic() > deadline:
                raise
        time.sleep(0.1)


def _spans(
    admin: kafka.KafkaAdminClient, places: Iterable[TopicPartition], timeout: float
) -> dict[TopicPartition, tuple[int, int]]:
    """The first offset and the end offset of each of `places`."""

    def ask(which: Any) -> Any:
        # A leader hears of a topic that was just made a little later than who made it.
        return _insist(
            lambda: admin.list_partition_offsets(
                dict.fromkeys(places, which), timeout_ms=int(timeout * 1000)
            ),
            kafka.errors.UnknownTopicOrPartitionError,
            seconds=min(timeout, 3),
        )

    begins, ends = ask(kafka.admin.OffsetSpec.EARLIEST), ask(kafka.admin.OffsetSpec.LATEST)
    return {place: (begins[place].offset, ends[place].offset) for place in begins}


class TableReader:
    """Reads partitions of one topic from offsets of one's own choice. For one thread."""

    def __init__(self, cluster: Cluster, topic: str, connect_timeout: float) -> None:
        self.topic = topic
        self._consumer = reader(cluster, connect_timeout, auto_offset_reset="none")
        try:
            self._admin = connect(
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
        Raises OutOfRange where the topic is gone.
        """
        places = [TopicPartition(self.topic, partition) for partition in partitions]
        if not places:
            return {}
        with self._asking("cannot ask for the table's offsets"):
            spans = _spans(self._admin, places, timeout)
        return {place.partition: span for place, span in spans.items()}

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
        with self._asking("cannot read the table"):
            records = self._consumer.poll(int(timeout * 1000))
        return {place.partition: batch for place, batch in records.items()}

    @contextlib.contextmanager
    def _asking(self, what: str) -> Iterator[None]:
        try:
            with translated(what, topic=self.topic):
                yield
        except KafkaError as exc:
            if isinstance(exc.__cause__, OUT_OF_RANGE):
                raise OutOfRange("the topic was truncated or made anew", topic=self.topic) from exc
            raise

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
    """An idempotent producer with acks=all, for one topic. Any thread may send.

    What is sent waits in the client while `may_send` says no. It is asked just before data leaves;
    `delivery_timeout` runs meanwhile.
    With a `transactional_id` it first ends the transaction that an earlier writer of that id left
    behind. After any error a new writer is needed: kafka-python may carry offsets of a failed
    transaction into the next.
    """

    REFUSED = (kafka.errors.MessageSizeTooLargeError, kafka.errors.RecordListTooLargeError)
    """What no retry would change."""

    LATE = kafka.errors.RetriableError
    """What a row fails with for which no time was left: it may be in Kafka, or not."""

    def __init__(
        self,
        cluster: Cluster,
        topic: str,
        *,
        connect_timeout: float,
        linger: float,
        delivery_timeout: float,
        transactional_id: str | None = None,
        may_send: Callable[[], bool] = lambda: True,
    ) -> None:
        self._halted = False
        self._producer = connect(
            kafka.KafkaProducer,
            cluster,
            connect_timeout,
            # Whether it is halted comes last: a member halts its writer before it drops its
            # workers, and without workers it may send.
            may_send=lambda: may_send() and not self._halted,
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
            transaction_timeout_ms=_TRANSACTION_MS,
        )
        self.send = self._producer.send
        self.begin = self._producer.begin_transaction
        try:
            self.partitions = self._find(topic)
            if transactional_id is not None:
                with translated("cannot begin with transactions"):
                    self._producer.init_transactions()
        except BaseException:
            self.close(0)
            raise

    def _find(self, topic: str) -> int:
        """How many partitions it has. The client knows it from then on, and sending asks nobody."""
        asked = time.monotonic()
        try:
            with translated("cannot find the topic", topic=topic):
                return len(self._producer.partitions_for(topic))
        except UnavailableError as exc:
            if self._producer._metadata._last_successful_refresh_ms > 1000 * asked:
                raise TopicError("the topic is not there", topic=topic) from exc
            raise

    def halt(self) -> None:
        """Send nothing more; what has not left fails when the writer is closed."""
        self._halted = True

    def add_offsets(self, offsets: Offsets, membership: Any) -> None:
        """Make these input offsets part of the transaction, in the name of a member."""
        if membership is None or membership.generation_id < 0:
            raise UnavailableError("this program is no member of the group at present")
        manager = self._producer._transaction_manager
        self._finish(manager.send_offsets_to_transaction(committable(offsets), membership))

    def commit(self) -> None:
        """Make the transaction's rows and offsets visible."""
        self._finish(self._producer._transaction_manager.begin_commit())

    def _finish(self, step: Any) -> None:
        """Wait for a step of a transaction. kafka-python's own methods wait without end, and a
        coordinator that was killed may leave a step unanswered for good.
        """
        self._producer._sender.wakeup()
        if not step.wait(timeout_ms=_TRANSACTION_MS):
            raise UnavailableError(f"the transaction got no answer for {_TRANSACTION_MS // 1000} s")

    def answers_here(self) -> bool:
        """Whether this thread is the one on which futures get their answers."""
        return threading.current_thread() is self._producer._sender

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
        """Deliver what was sent, at most `timeout` seconds long, drop the rest; repeatable.

        What is halted is dropped at once.
        """
        try:
            self._producer.close(0 if self._halted else timeout)
        except kafka.errors.KafkaTimeoutError:
            # kafka-python raises before it ends its thread, which would go on sending.
            self._producer._sender.force_close()
            self._producer._sender.join(timeout)


class Admin:
    """Topics and the cluster, asked and changed."""

    def __init__(self, cluster: Cluster, connect_timeout: float = 10.0) -> None:
        self._admin = connect(kafka.KafkaAdminClient, cluster, connect_timeout)

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
        """The topic's configuration, what it has by default too."""
        resource = kafka.admin.ConfigResource(kafka.admin.ConfigResourceType.TOPIC, topic)
        missing = kafka.errors.UnknownTopicOrPartitionError

        def ask() -> dict[str, Any]:
            found = self._admin.describe_configs([resource], config_filter="all")["topic"][topic]
            if not found:  # kafka-python returns nothing for a topic that the broker doesn't know
                raise missing
            return found

        with translated("cannot read the topic's configuration", topic=topic):
            found = _insist(ask, missing, seconds=3)
        return {name: entry["value"] for name, entry in found.items()}

    def create(
        self, topic: str, partitions: int, replication: int, configs: Mapping[str, str]
    ) -> dict[str, Any]:
        """Create the topic, unless another was quicker; wait until its leaders know it."""
        new = NewTopic(topic, partitions, replication, topic_configs=dict(configs))
        try:
            with translated("cannot create the topic", topic=topic):
                # A broker that has just started refuses until the controller knows it.
                _insist(
                    lambda: self._admin.create_topics([new]),
                    kafka.errors.InvalidReplicationFactorError,
                    seconds=3,
                )
        except KafkaError as exc:
            if not isinstance(exc.__cause__, kafka.errors.TopicAlreadyExistsError):
                raise
        deadline = time.monotonic() + 10
        while topic not in (found := self.topics([topic])):
            if time.monotonic() > deadline:
                raise TopicError("the topic was created but does not appear", topic=topic)
            time.sleep(0.02)
        places = [TopicPartition(topic, p) for p in range(len(found[topic]["partitions"]))]
        with translated("cannot find the new topic", topic=topic):
            _spans(self._admin, places, timeout=10)
        return found[topic]

    def close(self) -> None:
        with contextlib.suppress(kafka.errors.KafkaError):
            self._admin.close()


def committable(offsets: Offsets) -> dict[TopicPartition, OffsetAndMetadata]:
    """What kafka-python commits for these offsets."""
    return {TopicPartition(*p): OffsetAndMetadata(offset, "", -1) for p, offset in offsets.items()}


class GroupAdmin(Admin):
    """What a group and its coordinator know: members, assignments, committed offsets."""

    def __init__(self, cluster: Cluster, connect_timeout: float = 10.0) -> None:
        # A look at a group is worth little when it is late: 30 s is kafka-python's default.
        self._admin = connect(
            kafka.KafkaAdminClient, cluster, connect_timeout, request_timeout_ms=5_000
        )

    def group(self, group: str) -> dict[str, Any]:
        """`group_state` and `members` as the coordinator describes them."""
        deadline = time.monotonic() + 5
        while True:
            try:
                with translated("cannot describe the group"):
                    found = self._admin.describe_groups([group])[group]
                if found["group_state"]:
                    return found
                problem = KafkaError(f"cannot describe the group: {found['error']}")
            except KafkaError as exc:
                problem = exc
            # A broker that has just started, or just took over, is not yet ready for its groups;
            # some of these errors come as an answer without a state.
            if time.monotonic() > deadline:
                raise problem
            time.sleep(0.1)

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
        with translated("cannot ask for the topics' offsets"):
            return _spans(self._admin, places, 30.0)
