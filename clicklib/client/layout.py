"""The layout of a cluster: which broker has which copy, and which one has a task for all."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import kafka
import kafka.errors
from kafka.protocol.metadata import FindCoordinatorRequest

from clicklib.client.closing import Closing
from clicklib.client.cluster import Cluster
from clicklib.client.connect import answer_ms, connect
from clicklib.client.faults import translated
from clicklib.client.retry import keep_trying
from clicklib.errors import TopicError

__all__ = ["Layout", "LayoutReader", "Placement"]

_GROUP = 0  # the kind of coordinator that a group has


@dataclass(frozen=True)
class Placement:
    """The brokers with a copy of a partition: all of them, those in step, and the leader or -1."""

    leader: int
    copies: tuple[int, ...]
    in_step: tuple[int, ...]


@dataclass(frozen=True)
class Layout:
    """The brokers that are alive, and the copies of a topic. A task is None if it is not known."""

    alive: tuple[int, ...]
    partitions: Mapping[int, Placement]
    controller: int | None
    coordinator: int | None

    @property
    def brokers(self) -> tuple[int, ...]:
        """All brokers: those alive, and those that have a copy."""
        copies = (broker for each in self.partitions.values() for broker in each.copies)
        return tuple(sorted({*self.alive, *copies}))


class LayoutReader(Closing):
    """Asks a cluster for its layout. For one thread."""

    def __init__(self, cluster: Cluster, timeout: float) -> None:
        self._admin = connect(
            kafka.KafkaAdminClient, cluster, timeout, request_timeout_ms=answer_ms(timeout)
        )

    def read(self, topic: str, group: str | None = None) -> Layout:
        """The layout now, with the coordinator of `group`. Raises TopicError without the topic."""
        found = keep_trying(lambda: self._metadata(topic), 2.0)  # one of the brokers may be dead
        controller, coordinator = self._controller(), None
        with contextlib.suppress(kafka.errors.KafkaError):
            coordinator = self._admin._manager.run(self._coordinator, group) if group else None
        partitions = found["topics"][0]["partitions"]
        if not partitions:
            raise TopicError("the topic is not there", topic=topic)
        return Layout(
            tuple(sorted(each["node_id"] for each in found["brokers"])),
            {
                each["partition_index"]: Placement(
                    each["leader_id"],
                    tuple(sorted(each["replica_nodes"])),
                    tuple(sorted(each["isr_nodes"])),
                )
                for each in sorted(partitions, key=lambda each: each["partition_index"])
            },
            controller,
            coordinator,
        )

    def _metadata(self, topic: str) -> dict[str, Any]:
        with translated("cannot ask for the cluster's layout", topic=topic):
            return self._admin._manager.run(self._admin._get_cluster_metadata, [topic])

    def _controller(self) -> int | None:
        """The leader of the controllers. What the metadata name is just one of the brokers."""
        with contextlib.suppress(kafka.errors.KafkaError, IndexError):
            found = self._admin.describe_metadata_quorum()["topics"][0]["partitions"][0]
            return found["leader_id"] if found["leader_id"] >= 0 else None
        return None

    async def _coordinator(self, group: str) -> int | None:
        """Asked anew each time: kafka-python remembers it, also when it is dead."""
        request = FindCoordinatorRequest(key_type=_GROUP, coordinator_keys=[group], min_version=4)
        [found] = (await self._admin._manager.send(request)).coordinators
        return found.node_id if found.node_id >= 0 else None

    def close(self) -> None:
        """Free the connection; repeatable."""
        with contextlib.suppress(kafka.errors.KafkaError):
            self._admin.close()
