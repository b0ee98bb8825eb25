"""Writes to a topic: idempotent, acknowledged by all replicas, if wanted in transactions."""

from __future__ import annotations

import contextlib
import math
import threading
import time
from collections.abc import Callable, Iterable
from typing import Any

import kafka
import kafka.errors
from kafka.protocol.metadata import CoordinatorType

from clicklib.client.answers import Answers
from clicklib.client.claims import Claims
from clicklib.client.cluster import Cluster
from clicklib.client.connect import connect
from clicklib.client.faults import translated
from clicklib.client.limit import allowed, time_left, within
from clicklib.client.offsets import Offsets, TopicPartition, committable
from clicklib.client.outgoing import Outgoing
from clicklib.client.unchanged import REFRESH_MS, Unchanged
from clicklib.errors import TopicError, UnavailableError

__all__ = ["Writer"]

_DAY = 86_400.0  # seconds; longer than any wait for a batch

# After this time the coordinator ends a transaction whose producer has died.
_TRANSACTION = 10.0  # seconds, at least
_SLOWER = 5.0  # a transaction may take so many times as long as connecting did


class Writer:
    """An idempotent producer with acks=all, for one topic. Any thread may send.

    `on_change(error)` is called if the topic grows or is gone, `on_answers(answers)` before anybody
    sees the answers to records that were sent together.
    A topic that is not there is waited for, or TopicError is raised at once, with the text
    `missing`.
    With a `transactional_id` the writer first ends a transaction that an earlier writer with that
    id did not end. Its transactions have offsets of the consumer group `group`. The coordinator
    ends a transaction after `transaction_timeout` (seconds), which is longer if the broker answers
    slowly. After any error a new writer is needed: kafka-python may put offsets of a failed
    transaction into the next. Without a `transactional_id` it has the method `Claims.claim`.
    """

    REFUSED = (
        kafka.errors.MessageSizeTooLargeError,
        kafka.errors.RecordListTooLargeError,
        kafka.errors.AuthorizationError,
    )
    """Errors that no retry would change."""

    IN_DOUBT = (
        kafka.errors.RetriableError,  # no answer in time
        kafka.errors.InvalidProducerEpochError,  # another writer has claimed the partition
        kafka.errors.OutOfOrderSequenceNumberError,
        kafka.errors.UnknownProducerIdError,
    )
    """Errors after which Kafka may have the row, or not. A new writer is needed."""

    def __init__(
        self,
        cluster: Cluster,
        topic: str,
        *,
        connect_timeout: float,
        linger: float,
        delivery_timeout: float,
        transactional_id: str | None = None,
        group: str = "",
        on_change: Callable[[TopicError], None] | None = None,
        on_answers: Callable[[Answers], None] | None = None,
        missing: str | None = None,
    ) -> None:
        self._topic = topic
        asked = time.monotonic()
        self._producer = connect(
            kafka.KafkaProducer,
            cluster,
            connect_timeout,
            topics=[topic],
            metrics_enabled=False,
            acks="all",
            enable_idempotence=True,
            linger_ms=int(linger * 1000),
            batch_size=256 << 10,
            request_timeout_ms=min(30_000, int(delivery_timeout * 1000)),
            delivery_timeout_ms=int(delivery_timeout * 1000) + int(linger * 1000),
            max_block_ms=int(connect_timeout * 1000),
            allow_auto_create_topics=False,
            metadata_max_age_ms=REFRESH_MS,
            transactional_id=transactional_id,
        )
        try:
            self.partitions = self._find(topic, missing, connect_timeout)
            outgoing = Outgoing(self._producer, topic, self.partitions, on_answers)
            self.append, self.send_rows = outgoing.append, outgoing.send
            self.transaction_timeout = max(_TRANSACTION, _SLOWER * (time.monotonic() - asked))
            if on_change is not None:
                Unchanged(self._producer._metadata, [topic], self.partitions, on_change)
            if transactional_id is not None:
                self._begin_transactions(group)
            else:
                self._wait_for_id(connect_timeout)
                self.claim = Claims(self._producer, topic).claim
        except BaseException:
            self.close(0)
            raise

    def _begin_transactions(self, group: str) -> None:
        manager = self._producer._transaction_manager
        manager.transaction_timeout_ms = int(self.transaction_timeout * 1000)
        needs = "Write on the transactional id (the group's name, and more)"
        with translated("cannot begin with transactions", needs):
            self._producer.init_transactions()
        # Else each first transaction would ask, and wait for the answer.
        manager._lookup_coordinator(CoordinatorType.GROUP, group)
        self._producer._sender.wakeup()

    def _wait_for_id(self, timeout: float) -> None:
        """Wait until the broker has named this producer: before, no row would time out."""
        manager = self._producer._transaction_manager
        with within(timeout):
            while not (manager.has_producer_id() or manager.has_fatal_error()):
                if not time_left():
                    text = f"the broker has not named the producer within {allowed():g} s"
                    raise UnavailableError(text, topic=self._topic)
                time.sleep(0.005)

    def _find(self, topic: str, missing: str | None, timeout: float) -> int:
        """The number of partitions. From then on the client knows it, and `send` does not ask."""
        metadata, answers = self._producer._metadata, 0
        self._producer.config["max_block_ms"] = int(time_left(timeout) * 1000)
        if missing and topic not in metadata.topics() | metadata.unauthorized_topics:
            raise TopicError(missing, topic=topic)

        def count(_: Any) -> None:
            nonlocal answers
            answers += 1

        metadata.add_listener(count)
        try:
            with translated("cannot find the topic", topic=topic):
                return len(self._producer.partitions_for(topic))
        except UnavailableError as exc:
            if answers > 1:  # the first answer may be to a request without the topic
                raise TopicError("the topic is not there", topic=topic) from exc
            raise
        finally:
            metadata.remove_listener(count)

    def watch(self, partitions: int) -> Unchanged:
        """Notice from now on if the topic's number of partitions changes, or if it is made anew."""
        return Unchanged(self._producer._metadata, [self._topic], partitions)

    def halt(self) -> None:
        """Send nothing more; unsent rows fail."""
        self._producer._sender.force_close()

    def begin(self, partitions: Iterable[int] = ()) -> None:
        """Begin a transaction with rows of these partitions of the topic.

        One request adds them all. If their first rows added them, it would take two or more.
        """
        manager = self._producer._transaction_manager
        with manager._lock:
            self._producer.begin_transaction()
            for partition in partitions:
                manager.maybe_add_partition_to_transaction(TopicPartition(self._topic, partition))

    def add_offsets(self, offsets: Offsets, group_metadata: Any) -> None:
        """Make these input offsets part of the transaction, on behalf of a member.

        `group_metadata` is that of the member (`GroupReader.group_metadata`).
        """
        if group_metadata is None or group_metadata.generation_id < 0:
            raise UnavailableError("this program is no member of the group at present")
        manager = self._producer._transaction_manager
        self._finish(manager.send_offsets_to_transaction(committable(offsets), group_metadata))

    def commit(self) -> None:
        """Make the transaction's rows and offsets visible."""
        self._finish(self._producer._transaction_manager.begin_commit())

    def _finish(self, step: Any) -> None:
        """Wait for a step of a transaction.

        kafka-python's own methods wait without a limit, and a coordinator that was killed may
        never answer a step.
        """
        self._producer._sender.wakeup()
        needs = "Write on the table and the transactional id, and Read on the group"
        with translated("cannot go on with the transaction", needs):
            answered = step.wait(timeout_ms=int(self.transaction_timeout * 1000))
        if not answered:
            raise UnavailableError(
                f"the transaction got no answer for {self.transaction_timeout:.0f} s"
            )

    def answers_here(self) -> bool:
        """Whether this thread is the one on which futures get their answers."""
        return threading.current_thread() is self._producer._sender

    def flush(self, timeout: float | None) -> bool:
        """Send all now and wait for the answers; False if some are missing after `timeout` s.

        It doesn't raise for records that failed: look at each future.
        """
        deadline = math.inf if timeout is None else time.monotonic() + timeout
        accumulator = self._producer._accumulator
        accumulator.begin_flush()
        self._producer._sender.wakeup()
        try:  # kafka-python's own `flush` waits as long for each batch
            return all(
                batch.produce_future.wait(_left(deadline))
                for batch in accumulator._incomplete.all()
            )
        finally:
            accumulator._flushes_in_progress.decrement()

    def close(self, timeout: float = 5.0) -> None:
        """Deliver the records for at most `timeout` seconds, drop the rest; repeatable."""
        deadline = time.monotonic() + timeout
        # kafka-python would wait again and again, and leave its thread, which would go on sending.
        if not self.flush(timeout - min(0.5, timeout / 4)):
            self._producer._sender.force_close()
            self._producer._sender.join(_left(deadline))
            deadline = 0.0  # there is nothing left to wait for
        with contextlib.suppress(kafka.errors.KafkaTimeoutError):
            self._producer.close(_left(deadline))


def _left(deadline: float) -> float:
    return max(0.0, min(_DAY, deadline - time.monotonic()))
