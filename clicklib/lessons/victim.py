"""A victim: a processor in a program of its own, which a notebook freezes and kills."""

from __future__ import annotations

import base64
import json
import marshal
import subprocess
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

from clicklib.client.cluster import Brokers, Cluster
from clicklib.client.groups import Group, Groups
from clicklib.client.logs import Logs, PartitionLog
from clicklib.codec import Json, String
from clicklib.given import check
from clicklib.graph import Input, Persist, define_group
from clicklib.lessons import counting
from clicklib.lessons.programs import Program, temporary_folder
from clicklib.lessons.waiting import wait_until

__all__ = ["Victim", "count"]


def count(ctx: Any, msg: str) -> None:
    """Add one click to the row of the message's user."""
    row = ctx.value() or {"Clicks": 0}
    ctx.set_value({"Clicks": row["Clicks"] + 1})


def _end(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait(5)


class Victim(Program):
    """A processor of `graph` in a program of its own. It counts the clicks of a stream.

        victim = Victim(cluster, lesson.stream, lesson.group).wait_running()
        victim.freeze_before_commit()

    `callback` changes rows that are dicts with the field `Clicks`. It may use its arguments and
    nothing else of the notebook. With `freeze` the program freezes before its first commit. With
    `before`, an earlier victim, it is that program, started again in its folder.
    The program reaches Kafka `through` other addresses, if they are given.
    """

    _manner = "freezing"
    _guarantees = "guarantee"  # the rule for them

    def __init__(
        self,
        brokers: Brokers,
        stream: str,
        group: str,
        callback: Callable[[Any, Any], None] = count,
        *,
        guarantee: str = "at_least_once",
        freeze: bool = False,
        before: Victim | None = None,
        through: str | None = None,
    ) -> None:
        self.cluster, self.callback = Cluster.of(brokers), callback
        check(stream=stream, group=group, callback__code=callback)
        check(**{self._guarantees: guarantee}, freeze=freeze, before=before, through=through)
        self._through = through or str(self.cluster)
        self.guarantee, self._before = guarantee, before
        self.graph = define_group(group, Input(stream, String(), callback), Persist(Json(dict)))
        self.folder: Path = before.folder if before else temporary_folder(self)
        self._order = self.folder / "freeze"
        self._order.unlink(missing_ok=True)  # an order that the one before has not obeyed
        if freeze:
            self.freeze_before_commit()
        code = base64.b64encode(marshal.dumps(callback.__code__)).decode()
        arguments = (self._manner, stream, group, guarantee, str(self.folder), code)
        super().__init__("-P", counting.__file__, *arguments, CLICKLIB_BROKERS=self._through)
        # A cell that runs again replaces its victim, which would else count on in the group.
        weakref.finalize(self, _end, self._process).atexit = False

    def freeze_before_commit(self) -> None:
        """Let the program freeze itself just before its next commit: Kafka has the rows then."""
        self._order.touch()

    def wait_running(self, timeout: float = 60) -> Self:
        """Wait until it has its partitions and their table; returns itself."""
        return self._wait("is running", lambda: bool(self.lines("running")), timeout)

    def wait_frozen(self, timeout: float = 60) -> Self:
        """Wait until it has frozen itself; returns itself."""
        return self._wait("is frozen", lambda: self.frozen, timeout)

    def wait_committed(self, timeout: float = 60) -> Self:
        """Wait until it has committed every click of the stream; returns itself."""
        self.wait_running(timeout)
        return self._wait("has committed every click", self._all_committed, timeout)

    def _all_committed(self) -> bool:
        # A transaction commits its offsets a moment before its rows can be read.
        return not self._group().lag and all(log.open_from is None for log in self._logs())

    def _group(self) -> Group:
        with Groups(self.cluster) as groups:
            return groups.describe(self.graph.group, self.graph.topics)

    def _wait(self, state: str, holds: Callable[[], bool], timeout: float) -> Self:
        """Wait for a state. Raises RuntimeError if the program cannot reach it any more."""
        check(timeout__wait=timeout)

        def reached() -> bool:
            ended = not self.running or self.frozen  # asked before the condition: it may be this
            if holds():
                return True
            if ended:
                last = "frozen" if self.running else "".join(self.lines("Error")[-1:]) or "killed"
                raise RuntimeError(
                    f"Nobody counts, because the victim has ended or is frozen ({last}). "
                    "Run the notebook from its first cell to get a new victim."
                )
            return False

        wait_until(f"the victim {state}", reached, timeout)
        return self

    def again(self) -> Victim:
        """Start the same program again. It finds the local table that this one has left."""
        stream, group = self.graph.topics[0], self.graph.group
        same: Any = {"guarantee": self.guarantee, "through": self._through}
        return Victim(self.cluster, stream, group, self.callback, before=self, **same)

    def _logs(self) -> list[PartitionLog]:
        with Logs(self.cluster, self.graph.table) as logs:
            return logs.newest(100_000)

    def rows(self) -> dict[str, Any]:
        """The rows of the table, as Kafka has them now: committed rows only."""
        records = [record for log in self._logs() for record in log.records]
        return {record.key: json.loads(record.value or b"null") for record in records}

    def numbers(self) -> dict[str, int]:
        """Three numbers from Kafka: clicks in the stream, in the table's rows, and committed."""
        progress = self._group().progress
        return {
            "clicked": sum(each.end for each in progress),
            "counted": sum(row["Clicks"] for row in self.rows().values()),
            "committed": sum(each.committed or 0 for each in progress),
        }
