"""Reads a topic from the offsets that the caller chooses, without a group."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import kafka
import kafka.errors

from clicklib.client.admin import bounds
from clicklib.client.batches import FetchedRecords
from clicklib.client.cluster import Cluster
from clicklib.client.connect import answer_ms, connect
from clicklib.client.faults import OUT_OF_RANGE, OutOfRange, translated
from clicklib.client.limit import time_left, within
from clicklib.client.offsets import TopicPartition
from clicklib.client.unchanged import REFRESH_MS, Unchanged
from clicklib.errors import KafkaError

__all__ = ["FETCH", "TopicReader", "consumer", "leaderless"]

# A poll returns all records of a fetch. If a limit on records cuts a batch in two, kafka-python
# loses the second part when the partition is paused and resumed. So the fetch is kept small
# instead; with these sizes polling is as quick as with large ones (benchmarks/).
FETCH: dict[str, Any] = {
    "max_poll_records": 1_000_000_000,
    "max_partition_fetch_bytes": 512 << 10,
    "fetch_max_bytes": 2 << 20,
    "fetch_max_wait_ms": 500,
    "metrics_enabled": False,
    "enable_auto_commit": False,
    "isolation_level": "read_committed",
    "allow_auto_create_topics": False,
    "metadata_max_age_ms": REFRESH_MS,
}
_SHORT_WAIT_MS = 20


def consumer(
    cluster: Cluster, connect_timeout: float, topics: Iterable[str], **settings: Any
) -> kafka.KafkaConsumer:
    """A consumer whose `poll` returns all records of a fetch that are committed."""
    made = connect(
        kafka.KafkaConsumer, cluster, connect_timeout, topics=topics, **FETCH, **settings
    )
    FetchedRecords.serve(made)
    _wait_shortly_beside_others(made)
    return made


def leaderless(made: kafka.KafkaConsumer, place: TopicPartition) -> bool:
    """Whether no broker leads a partition, as far as the consumer knows."""
    return made._cluster.leader_for_partition(place) in (None, -1)


def _wait_shortly_beside_others(made: kafka.KafkaConsumer) -> None:
    """Let a broker answer soon while a fetch leaves some of the partitions out.

    A fetch leaves out paused partitions and those with unread records. It waits at the broker for
    new records of the others, up to 0.5 s, and meanwhile no second fetch goes there. So a busy
    partition beside quiet ones would be read twice a second only. The wait is cut to 20 ms.
    """
    fetcher, create = made._fetcher, made._fetcher._create_fetch_requests
    longest = fetcher.config["fetch_max_wait_ms"]

    def create_requests() -> Any:
        whole = len(fetcher._fetchable_partitions()) == len(made._subscription.assignment)
        fetcher.config["fetch_max_wait_ms"] = longest if whole else _SHORT_WAIT_MS
        return create()

    fetcher._create_fetch_requests = create_requests


class TopicReader:
    """Reads partitions of one topic. For one thread."""

    def __init__(self, cluster: Cluster, topic: str, connect_timeout: float) -> None:
        self.topic, self._patience = topic, max(10.0, connect_timeout)
        self._consumer = consumer(cluster, connect_timeout, [topic], auto_offset_reset="none")
        # A loop of its own would take three files, a thread and two answers.
        self._admin = connect(
            kafka.KafkaAdminClient,
            cluster,
            connect_timeout,
            beside=self._consumer,
            request_timeout_ms=answer_ms(connect_timeout),
        )
        self._find_leaders = self._admin._async_get_leader_for_partitions
        self._admin._async_get_leader_for_partitions = self._leaders

    async def _leaders(self, places: Iterable[TopicPartition]) -> dict[int, set[TopicPartition]]:
        """The partitions by their leaders: as the consumer knows them, or else as a broker says."""
        leaders: dict[int, set[TopicPartition]] = {}
        for place in places:
            node = self._consumer._cluster.leader_for_partition(place)
            if node in (None, -1):
                return await self._find_leaders(places)
            leaders.setdefault(node, set()).add(place)
        return leaders

    def watch(self, partitions: int) -> Unchanged:
        """Notice from now on if the topic's number of partitions changes, or if it is made anew."""
        return Unchanged(self._consumer._cluster, [self.topic], partitions)

    def bounds(
        self, partitions: Iterable[int], timeout: float | None = None
    ) -> dict[int, tuple[int, int]]:
        """The first offset and the end offset of each of `partitions`, as the broker gives them.

        The end comes after all records, also those of open transactions. A reader that has reached
        it knows which of these transactions were committed. (kafka-python's consumer would get the
        end of the committed records, which comes before an open transaction.)
        Raises OutOfRange if the topic is gone.
        """
        places = [TopicPartition(self.topic, partition) for partition in partitions]
        if not places:
            return {}
        with within(timeout or self._patience), self._asking("cannot ask for the topic's offsets"):
            found = bounds(self._admin, places)
        return {place.partition: pair for place, pair in found.items()}

    def stable_ends(self, partitions: Iterable[int], timeout: float = 10.0) -> dict[int, int]:
        """The end of what `poll` returns now: it comes before the first open transaction."""
        places = [TopicPartition(self.topic, partition) for partition in partitions]
        with self._asking("cannot ask for the topic's offsets"):
            found = self._consumer.end_offsets(places, int(time_left(timeout) * 1000))
        return {place.partition: end for place, end in found.items()}

    def read_from(self, positions: Mapping[int, int]) -> None:
        """Read these partitions, and no others, from these offsets on."""
        places = {TopicPartition(self.topic, p): offset for p, offset in positions.items()}
        self._consumer.assign(list(places))
        for place, offset in places.items():
            self._consumer.seek(place, offset)

    def poll(self, timeout: float) -> dict[int, list[Any]]:
        """The next records by partition, after at most `timeout` seconds.

        Raises OutOfRange if the topic no longer has the next offset.
        """
        with self._asking("cannot read the topic", "Read on the topic"):
            records = self._consumer.poll(int(time_left(timeout) * 1000))
        return {place.partition: batch for place, batch in records.items()}

    @contextlib.contextmanager
    def _asking(self, what: str, needs: str = "Describe on the topic") -> Iterator[None]:
        try:
            with translated(what, needs, topic=self.topic):
                yield
        except KafkaError as exc:
            if not isinstance(exc.__cause__, OUT_OF_RANGE):
                raise
            gone = isinstance(exc.__cause__, kafka.errors.UnknownTopicOrPartitionError)
            text = "is gone" if gone else "was truncated or made anew"
            raise OutOfRange(f"the topic {text}", topic=self.topic) from exc

    def position(self, partition: int) -> int | None:
        """The offset of the next record that `poll` will return, past holes and control records.

        None if it is not known yet.
        """
        with self._asking("cannot read the topic"):
            place = TopicPartition(self.topic, partition)
            return self._consumer.position(place, int(time_left(self._patience / 2) * 1000))

    @property
    def is_cut_off(self) -> bool:
        """Whether no broker leads one of its partitions, so that records may come unheard of."""
        return any(leaderless(self._consumer, place) for place in self._consumer.assignment())

    def close(self) -> None:
        """Free both connections; repeatable."""
        self._admin._manager.close()
        with contextlib.suppress(kafka.errors.KafkaError):
            self._consumer.close(autocommit=False, timeout_ms=1_000)
