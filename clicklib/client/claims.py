"""Claims partitions of a table: from then on, rows of their earlier owners come too late.

Kafka gives each transactional id a producer id, and the next epoch to whoever asks for it. Once a
partition has a batch of an epoch, its leader refuses batches of earlier epochs, also outside of
transactions. So each partition of a table has a transactional id, and the member that is assigned
the partition asks for its next epoch. From its first row on, the leader refuses the rows that an
earlier owner left on a frozen connection or in a suspended process.

Those rows can still come before that first row, and do no harm then. They are of messages that the
earlier owner did not commit. The new owner handles these messages again, and writes the same keys.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from itertools import islice
from typing import Any

import kafka
import kafka.errors
from kafka.protocol.metadata import CoordinatorType, FindCoordinatorRequest
from kafka.protocol.producer import InitProducerIdRequest

from clicklib.client.faults import translated
from clicklib.client.limit import time_left, within
from clicklib.client.offsets import TopicPartition
from clicklib.client.retry import keep_trying
from clicklib.errors import UnavailableError

__all__ = ["Claims", "Ended"]

_AT_ONCE = 4  # requests at once: fewer than the five that kafka-python allows for each broker
_TIMEOUT_MS = 60_000  # the request must name one; no transaction is begun


class Ended(kafka.errors.RetriableError):
    """The numbers of a partition's batches are in doubt, so the producer sends nothing more."""


class Claims:
    """The producer ids of the partitions of `topic`, for an idempotent producer.

    kafka-python has one id for all partitions. This object replaces it. kafka-python asks for the
    batch number first and for the id next. So the object knows the partition. Partitions that were
    not claimed have the producer's own id.
    """

    is_valid = True  # kafka-python asks before it sends

    def __init__(self, producer: kafka.KafkaProducer, topic: str) -> None:
        self._producer, self._topic = producer, topic
        self._manager = manager = producer._transaction_manager
        own = manager.producer_id_and_epoch
        self._own = (own.producer_id, own.epoch)
        self._ids: dict[TopicPartition, tuple[int, int]] = {}
        self._now: TopicPartition | None = None
        number = manager.sequence_number

        def numbering(place: TopicPartition) -> int:
            self._now = place
            return number(place)

        manager.sequence_number = numbering
        manager.producer_id_and_epoch = self
        # After some errors kafka-python begins to number all partitions anew, under a new id.
        # Under an id of ours a row might then count as one that the broker has already.
        manager.reset_producer_id = manager.bump_producer_id_and_epoch = self._end

    @property
    def producer_id(self) -> int:
        return self._id[0]

    @property
    def epoch(self) -> int:
        return self._id[1]

    @property
    def _id(self) -> tuple[int, int]:
        return self._own if self._now is None else self._ids.get(self._now, self._own)

    def match(self, batch: Any) -> bool:
        """Whether the batch may be sent again under its number. It may.

        An id is replaced only when its partition is claimed again, and no batch is under way then.
        """
        return True

    def _end(self) -> None:
        self._manager.transition_to_fatal_error(Ended("a batch failed, and its number is in doubt"))

    def claim(self, partitions: Iterable[int], group: str, timeout: float) -> None:
        """Claim `partitions` for a member of `group`. For one thread that is not the client's.

        From this producer's next row on, Kafka refuses the rows that earlier owners still send.
        Raises UnavailableError after `timeout` seconds, or when `until` says so. Raises Denied if
        the ACLs forbid it.
        """
        places = {f"{group}-{p}": TopicPartition(self._topic, p) for p in partitions}

        def ask() -> Mapping[str, tuple[int, int]]:
            with translated("cannot claim partitions", f"Write on the transactional id {group}-*"):
                return self._answer(list(places))

        with within(timeout):
            claimed = keep_trying(ask, timeout)
        for name, found in claimed.items():
            self._manager.reset_sequence_for_partition(places[name])
            self._ids[places[name]] = found

    def _answer(self, names: list[str]) -> Mapping[str, tuple[int, int]]:
        """Let the client's thread ask, and wait for it."""
        done, sender = threading.Event(), self._producer._sender
        closed = UnavailableError("no answer to a claim of partitions: the writer was closed")
        try:
            asked = sender._client._manager.call_soon(self._ask, names)
        except RuntimeError:
            raise closed from None
        asked.add_both(lambda _: done.set())
        sender.wakeup()
        while not done.wait(0.05):
            if not time_left():
                raise UnavailableError("no answer in time to a claim of partitions")
        if isinstance(asked.exception, GeneratorExit | RuntimeError):
            raise closed
        if asked.exception is not None:
            raise asked.exception
        return asked.value

    async def _ask(self, names: list[str]) -> Mapping[str, tuple[int, int]]:
        """The next epochs of these transactional ids."""
        send = self._producer._sender._client._manager.send
        where = await send(
            FindCoordinatorRequest(
                key_type=CoordinatorType.TRANSACTION, coordinator_keys=names, min_version=4
            )
        )
        ids = {}
        left = iter(where.coordinators)
        while some := list(islice(left, _AT_ONCE)):
            asked = [
                send(_next_epoch(found.key), node_id=_checked(found).node_id) for found in some
            ]
            for found, future in zip(some, asked, strict=True):
                answer = _checked(await future)
                ids[found.key] = (answer.producer_id, answer.producer_epoch)
        return ids


def _next_epoch(name: str) -> InitProducerIdRequest:
    return InitProducerIdRequest(
        transactional_id=name,
        transaction_timeout_ms=_TIMEOUT_MS,
        producer_id=-1,
        producer_epoch=-1,
        max_version=4,
    )


def _checked(answer: Any) -> Any:
    if answer.error_code:
        raise kafka.errors.for_code(answer.error_code)()
    return answer
