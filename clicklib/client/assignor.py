"""Goka's assignor: with it, processors of Goka and of clicklib can share a group.

A partition of the table must have one owner: two would overwrite each other's rows. So the
partitions with one number, one of each input, go to one member, which must read all these inputs.
Goka's own assignor does not look at that. Here it is the leader who divides:

- Members that read all the topics of the group share them. A member that reads only some of them
  has no work: the others do it.
- If no member reads all topics, those share that read the same as the leader. The leader is the
  member that has been in the group for the longest time.

A member without work is told, in the user data of its assignment, which topics the others read.
"""

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

    def __init__(self) -> None:
        self.others: frozenset[str] = frozenset()
        """The topics that the group reads, if this member has no work because of them."""
        self._mine: frozenset[str] = frozenset()

    def metadata(self, topics: Iterable[str]) -> Any:
        self._mine = frozenset(topics)
        return ConsumerProtocolSubscription(0, sorted(topics), b"")

    def assign(self, cluster: Any, members: Any) -> dict[str, Any]:
        reads = {m.member_id: frozenset(m.metadata.topics) for m in members}
        everything = frozenset().union(*reads.values())
        wanted = everything if everything in reads.values() else self._mine
        working = sorted(member for member, topics in reads.items() if topics == wanted)
        counts = {topic: len(cluster.partitions_for_topic(topic) or ()) for topic in sorted(wanted)}
        assignment: dict[str, list[tuple[str, list[int]]]] = {member: [] for member in reads}
        most = max(counts.values(), default=0)  # for a topic that the leader has not heard of yet
        for topic, count in counts.items():
            for index, member in enumerate(working):
                mine = list(share(index, len(working), count or most))
                if mine:
                    assignment[member].append((topic, mine))
        told = ",".join(counts).encode()
        return {
            member: ConsumerProtocolAssignment(0, places, b"" if member in working else told)
            for member, places in assignment.items()
        }

    def on_assignment(self, assignment: Any, generation: int = -1) -> None:
        told = (assignment.user_data or b"").decode("utf-8", "replace")
        self.others = frozenset(filter(None, told.split(",")))
