"""A victim that goes on by steps, and what Kafka has of its clicks."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from clicklib.client.closing import Closing
from clicklib.client.cluster import Cluster
from clicklib.client.groups import Groups
from clicklib.client.logs import Logs
from clicklib.graph import group_table
from clicklib.lessons.victim import Victim

__all__ = ["Keeper", "Kept", "Stepped"]

Stop = dict[str, Any]
"""A stop: its number `stop`, its `place`, the `key` and `offset` of the message, the rows."""


class Stepped(Victim):
    """A victim that stands still before each of its deeds, until `step` or `run`.

    Beside the guarantees of a processor it has `at_most_once`: the module `counting` says how.
    """

    _manner = "stepping"
    _guarantees = "guarantee__steps"
    _passed = 0

    @property
    def last_stop(self) -> Stop | None:
        """The last stop at which it stood."""
        stops = self.lines('{"stop"')
        return json.loads(stops[-1]) if stops else None

    @property
    def standing(self) -> bool:
        """Whether it stands at its last stop."""
        stop = self.last_stop
        return stop is not None and stop["stop"] > self._passed and self.running

    def step(self) -> None:
        """Let it go on to its next stop. One that runs without stops stands at the next."""
        stop = self.last_stop
        self._passed = stop["stop"] if stop else 0
        self._allow(self._passed)

    def run(self) -> None:
        """Let it go on without stops."""
        self.step()
        self._allow(1 << 60)

    def _allow(self, number: int) -> None:
        (self.folder / f"allowed-{self.pid}").write_text(str(number), "utf-8")


class Kept(NamedTuple):
    """What Kafka has of a stream of one partition, and of a table with the row of one user.

    The stream has `clicks` messages, `committed` is the group's offset, `counted` the number in the
    newest row that can be read. `open`: a transaction is open in the table's topic. `settled`: all
    this was the same half a second ago.
    """

    clicks: int
    committed: int
    counted: int
    open: bool = False
    settled: bool = True


class Keeper(Closing):
    """Asks Kafka, again and again, about a stream and the group of the same name."""

    def __init__(self, cluster: Cluster, stream: str) -> None:
        self._stream = stream
        self._last: tuple[Any, ...] = ()
        self._logs = Logs(cluster, group_table(stream), 3.0)
        self._groups = Groups(cluster, 3.0)

    def look(self) -> Kept:
        """What Kafka has now."""
        [progress] = self._groups.describe(self._stream, [self._stream]).progress
        [log] = self._logs.newest(10)
        row = json.loads(log.records[-1].value or b"{}") if log.records else {}
        opened = log.open_from is not None
        last = self._last
        self._last = (progress.end, progress.committed or 0, row.get("Clicks", 0), opened)
        return Kept(*self._last, settled=self._last == last)

    def close(self) -> None:
        """Free the connections."""
        self._groups.close()
        self._logs.close()
