"""Goka's assignor: with it, processors of Goka and of clicklib can share a group."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from kafka.coordinator.assignors.abstract import AbstractPartitionAssignor
from kafka.protocol.consumer.metadata import (
    ConsumerProtocolAssignment,
    ConsumerProtocolSubscription,
)

from clicklib.keys import share

__all__ = ["CopartitionAssignor"]


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
            # None just after the topic was made: no partition is assigned until the next metadata.
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
