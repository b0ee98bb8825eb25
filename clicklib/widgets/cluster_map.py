"""The map of a cluster: its brokers, and the copies that each of them has."""

from __future__ import annotations

from typing import Any

from clicklib.client.admin import GroupAdmin
from clicklib.client.cluster import Brokers, Cluster
from clicklib.client.layout import Copies, Layout
from clicklib.given import check
from clicklib.widgets.picture import Picture, asset
from clicklib.widgets.watch import Watch

__all__ = ["ClusterMap"]


class ClusterMap(Picture):
    """For each broker a column, for each partition of `topic` a line with its copies.

    A copy leads, is in step, or is behind; a broker that has copies and does not answer the cluster
    is dead. The controller is named too, and the coordinator of `group`. All is read again
    twice a second. What the cluster does not tell is drawn as `?`.
    """

    _esm = asset("cluster_map.js")

    def __init__(self, brokers: Brokers, topic: str, group: str | None = None) -> None:
        check(topic=topic, group__none=group)
        cluster = Cluster.of(brokers)
        self.topic, self.group = topic, group
        self._watch: Watch[GroupAdmin, Layout] = Watch(
            f"clicklib maps {topic}",
            lambda: GroupAdmin(cluster, 3.0),
            lambda admin: admin.layout(topic, group),
            every=0.5,
        )
        super().__init__()

    def look(self) -> dict[str, Any]:
        found, error = self._watch.latest(), self._watch.error
        known = found is not None and not error
        brokers = found.brokers if found else ()
        alive = found.alive if found else ()
        return {
            "topic": self.topic,
            "brokers": {
                str(each): ("alive" if each in alive else "dead") if known else "?"
                for each in brokers
            },
            "partitions": {
                str(partition): [_copy(each, place, alive) if known else "?" for each in brokers]
                for partition, place in (found.partitions if found else {}).items()
            },
            "tasks": self._tasks(found if known else None),
            "error": error,
        }

    def _tasks(self, found: Layout | None) -> dict[str, int | None]:
        """The broker of each task that one broker has for all; None where it is not known."""
        tasks = {"controller": found.controller if found else None}
        if self.group is not None:
            tasks["coordinator"] = found.coordinator if found else None
        return tasks


def _copy(broker: int, place: Copies, alive: tuple[int, ...]) -> str:
    """What a broker's copy of a partition is, in a word; empty if it has none."""
    if broker not in place.brokers:
        return ""
    if broker not in alive:
        return "dead"
    if broker == place.leader:
        return "leader"
    return "in step" if broker in place.in_step else "behind"
