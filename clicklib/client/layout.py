"""The layout of a cluster: which broker has which copy, and which one has a task for all."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["Copies", "Layout", "copies_of"]


@dataclass(frozen=True)
class Copies:
    """The brokers that have a copy of a partition, by their numbers.

    All write to the copy of the `leader`, and the others follow it. Those `in_step` have every
    acknowledged message; the leader is one of them. `leader` is -1 while there is none. `brokers`
    are all that have a copy.
    """

    leader: int
    brokers: tuple[int, ...]
    in_step: tuple[int, ...]


def copies_of(partitions: Iterable[Mapping[str, Any]]) -> dict[int, Copies]:
    """The copies of each partition, as a broker describes them."""
    return {
        each["partition_index"]: Copies(
            each["leader_id"],
            tuple(sorted(each["replica_nodes"])),
            tuple(sorted(each["isr_nodes"])),
        )
        for each in sorted(partitions, key=lambda each: each["partition_index"])
    }


@dataclass(frozen=True)
class Layout:
    """The brokers that are alive, and the copies of a topic. A task is None if it is not known."""

    alive: tuple[int, ...]
    partitions: Mapping[int, Copies]
    controller: int | None
    coordinator: int | None

    @property
    def brokers(self) -> tuple[int, ...]:
        """All brokers: those alive, and those that have a copy."""
        copies = (broker for each in self.partitions.values() for broker in each.brokers)
        return tuple(sorted({*self.alive, *copies}))
