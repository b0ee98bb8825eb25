"""The watch over a group: its members, their letters and colours, the owners of partitions."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Sequence
from typing import Any, TypeVar
from weakref import WeakValueDictionary

from clicklib.client.cluster import Brokers, Cluster
from clicklib.client.groups import Group, Groups
from clicklib.errors import UsageError
from clicklib.processor import Processor
from clicklib.view import View
from clicklib.widgets.colours import colour, letter
from clicklib.widgets.watch import LEASE, Watch

__all__ = ["GroupWatch", "Processors", "as_list", "group_watch"]

Processors = Processor | Sequence[Processor] | None

T = TypeVar("T")

_WINDOW = 600.0  # seconds for which owners are remembered


class GroupWatch(Watch[Groups, Group]):
    """Describes a group twice a second.

    Each member keeps one letter and one colour. For each partition there is a strip: its owners
    over the last ten minutes.
    """

    def __init__(self, cluster: Cluster, group: str, topics: tuple[str, ...]) -> None:
        super().__init__(
            f"clicklib watches {group}",
            lambda: Groups(cluster, timeout=3.0),
            lambda groups: groups.describe(group, topics),
            every=0.5,
        )
        self.group, self.topics = group, topics
        self.letters: dict[str, str] = {}
        self._strips: dict[int, deque[tuple[str, float, float]]] = {}
        self._seen_at = 0.0

    def take(self, seen: Group) -> None:
        with self._lock:
            self._note(seen, time.monotonic())
        super().take(seen)

    def _note(self, seen: Group, now: float) -> None:
        for member in seen.members:
            self.letters.setdefault(member.id, letter(len(self.letters)))
        owners = {place[1]: self.letters[member] for place, member in seen.owners.items()}
        for partition in {each.partition for each in seen.progress}:
            strip = self._strips.setdefault(partition, deque(maxlen=200))
            owner = owners.get(partition, "")
            # An owner lasts from one look to the next, unless no look came for a while.
            if strip and strip[-1][2] == self._seen_at and now - self._seen_at < LEASE:
                last, start, _ = strip.pop()
                strip.append((last, start, now))
                if last != owner:
                    strip.append((owner, now, now))
            else:
                strip.append((owner, now, now))
            while strip[0][2] < now - _WINDOW:
                strip.popleft()
        self._seen_at = now

    def strips(self) -> dict[int, list[tuple[str, float, float | None]]]:
        """The owners of each partition as (letter, begin, end); the end None means now."""
        with self._lock:
            found = {partition: list(strip) for partition, strip in sorted(self._strips.items())}
        strips: dict[int, list[tuple[str, float, float | None]]] = {}
        for partition, (*ended, (owner, start, end)) in found.items():
            now = end == self._seen_at and not self.error
            strips[partition] = [*ended, (owner, start, None if now else end)]
        return strips

    def colours(self) -> dict[str, tuple[str, str]]:
        """The colour of each letter, and the colour of text on it."""
        with self._lock:
            return {each: colour(index) for index, each in enumerate(self.letters.values())}


def as_list(given: T | Sequence[T] | None) -> list[T]:
    """None, one thing or several things as a list."""
    if given is None:
        return []
    return list(given) if isinstance(given, Sequence) else [given]


_watches: WeakValueDictionary[Any, GroupWatch] = WeakValueDictionary()
_watches_lock = threading.Lock()


def group_watch(
    where: Brokers | Processors, group: str | None = None, view: View | None = None
) -> GroupWatch:
    """The watch over the group of some processors, over a group by name, or over a view's group.

    All pictures of one group share one watch.
    """
    topics: tuple[str, ...] = ()
    processors = [] if isinstance(where, Cluster | str) else as_list(where)  # type: ignore[arg-type]
    if processors and isinstance(processors[0], Processor):
        cluster, graph = processors[0].cluster, processors[0].graph
        group, topics = graph.group, tuple(graph.topics)
    elif view is not None:
        cluster, group = view.cluster, group or view.table.removesuffix("-table")
    elif where and group:
        cluster = Cluster.of(where)  # type: ignore[arg-type]
    else:
        raise UsageError("name a processor, or the brokers and a group, or a view")
    key = (cluster.addresses, group, topics)
    with _watches_lock:
        watch = _watches.get(key)
        if watch is None:
            watch = _watches[key] = GroupWatch(cluster, group, topics)
        return watch
