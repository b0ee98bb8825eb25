"""The owners of a group's partitions, over time."""

from __future__ import annotations

import time
from typing import Any

from clicklib.client.cluster import Brokers
from clicklib.client.groups import Group
from clicklib.given import check
from clicklib.widgets.group_watch import GroupWatch, Processors, group_watch
from clicklib.widgets.picture import Picture, asset
from clicklib.widgets.text import readable

__all__ = ["PartitionMap"]


class PartitionMap(Picture):
    """For each partition a strip with its owners, which grows to the right, and its lag.

    `where` is a processor, a list of processors, or the brokers together with the name of a
    `group`. Each member of the group has a letter and a colour, also a member of another program
    and one without partitions. A strip shows the last `window` seconds. It is drawn from the
    group's state, which is read twice a second.
    """

    _esm = asset("partitions.js")

    def __init__(
        self,
        where: Brokers | Processors,
        group: str | None = None,
        *,
        window: float = 120.0,
        watch: GroupWatch | None = None,
    ) -> None:
        check(where=where, group__none=group, window=window)
        self._watch: GroupWatch = watch or group_watch(where, group)
        self._window = window
        super().__init__()

    def look(self) -> dict[str, Any]:
        group = self._watch.latest()
        plain = self._describe(group) if group else {"group": self._watch.group}
        return self._timed(plain | {"error": self._watch.error})

    def _describe(self, group: Group) -> dict[str, Any]:
        members = {each.id: each for each in group.members}
        lags: dict[int, int] = {}
        for each in group.progress:
            lags[each.partition] = lags.get(each.partition, 0) + each.lag
        oldest = time.monotonic() - self._window - 5
        strips = {
            str(partition): [part for part in strip if part[2] is None or part[2] > oldest]
            for partition, strip in self._watch.strips().items()
        }
        return {
            "group": group.name,
            "state": group.state,
            "window": self._window,
            "strips": strips,
            "lags": {str(partition): lag for partition, lag in lags.items()},
            "colours": self._watch.colours(),
            "members": [
                {
                    "letter": letter,
                    "id": readable(id),
                    "host": members[id].host,
                    "partitions": _ranges([p for _, p in members[id].partitions]),
                }
                for id, letter in list(self._watch.letters.items())  # in the order of the letters
                if id in members
            ],
        }


def _ranges(numbers: list[int]) -> str:
    """The numbers as text: 0-4, 7"""
    runs: list[list[int]] = []
    for number in sorted(set(numbers)):
        if runs and runs[-1][-1] == number - 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    return ", ".join(str(run[0]) if len(run) == 1 else f"{run[0]}-{run[-1]}" for run in runs)
