"""The members of a consumer group, the partitions that each owns, and the group's progress."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from clicklib.client.admin import GroupAdmin
from clicklib.client.closing import Holding
from clicklib.client.cluster import Brokers, Cluster
from clicklib.client.limit import within
from clicklib.given import check, listed

__all__ = ["Group", "Groups", "GroupMember", "Progress"]


@dataclass(frozen=True)
class GroupMember:
    """A member of a group. A member without partitions has no work."""

    id: str
    client: str
    host: str
    partitions: tuple[tuple[str, int], ...]


@dataclass(frozen=True)
class Progress:
    """A group's progress in one partition. `committed` is None before the first commit."""

    topic: str
    partition: int
    begin: int
    end: int
    committed: int | None

    @property
    def lag(self) -> int:
        """How many offsets the group has yet to handle."""
        done = self.begin if self.committed is None else max(self.begin, self.committed)
        return max(0, self.end - done)


@dataclass(frozen=True)
class Group:
    """A group at one moment.

    `state` is Kafka's word: `Stable`, `PreparingRebalance`, `CompletingRebalance`, `Empty` (no
    members), `Dead` (unknown). During a rebalance each member shows the partitions it had before.
    """

    name: str
    state: str
    members: tuple[GroupMember, ...]
    progress: tuple[Progress, ...]

    @property
    def owners(self) -> dict[tuple[str, int], str]:
        """The id of the member that owns each partition; empty during a rebalance."""
        if self.state != "Stable":
            return {}
        return {place: member.id for member in self.members for place in member.partitions}

    @property
    def lag(self) -> int:
        """The lag of all partitions together."""
        return sum(each.lag for each in self.progress)


class Groups(Holding[GroupAdmin]):
    """Asks the cluster about its groups; it joins none. For one thread at a time.

    Each call raises UnavailableError when it has no answer after `timeout` seconds.
    """

    def __init__(self, brokers: Brokers, timeout: float = 10.0) -> None:
        check(timeout=timeout)
        self.cluster = Cluster.of(brokers)
        self._timeout = timeout
        super().__init__(GroupAdmin(self.cluster, timeout))

    def describe(self, group: str, topics: Iterable[str] = ()) -> Group:
        """The group now, with its progress in `topics` and all topics that it reads or committed.

        A group that nobody has joined yet is `Dead` and has no members.
        """
        topics = listed(topics)
        check(group=group, topics=topics)
        with within(self._timeout):
            found = self._client.group(group)
            members = tuple(_member(each) for each in found["members"])
            committed = self._client.committed(group) if found["group_state"] != "Dead" else {}
            read = {place[0] for member in members for place in member.partitions}
            counts = self._partitions({*topics, *read, *(place.topic for place in committed)})
            bounds = self._client.bounds(counts)
        return Group(
            name=group,
            state=found["group_state"],
            members=tuple(sorted(members, key=lambda member: member.id)),
            progress=tuple(
                Progress(place.topic, place.partition, begin, end, committed.get(place))
                for place, (begin, end) in sorted(bounds.items())
            ),
        )

    def bounds(self, topic: str) -> dict[int, tuple[int, int]]:
        """The first and the end offset of each partition of `topic`; empty if it does not exist."""
        check(topic=topic)
        with within(self._timeout):
            found = self._client.bounds(self._partitions({topic}))
        return {place.partition: pair for place, pair in found.items()}

    def _partitions(self, topics: set[str]) -> dict[str, int]:
        """How many partitions each topic has; a topic that does not exist is left out."""
        found = self._client.topics(topics) if topics else {}
        return {name: len(topic["partitions"]) for name, topic in found.items()}


def _member(found: dict[str, Any]) -> GroupMember:
    assignment = found["member_assignment"] or {}
    places = [
        (each["topic"], partition)
        for each in assignment.get("assigned_partitions", ())
        for partition in each["partitions"]
    ]
    return GroupMember(
        id=found["member_id"],
        client=found["client_id"],
        host=found["client_host"].lstrip("/"),
        partitions=tuple(sorted(places)),
    )
