"""The assigned partitions of a processor, from their assignment until they are given up.

A partition that the group assigns passes through these stages:

    waiting      an earlier worker of this program has not ended, or Kafka has not told yet where
                 to read on
    recovering   a follower reads the table's topic into the local store
    working      a worker handles its messages

The loop of the membership moves partitions to the next stage.

When the group revokes partitions, `GroupReader` calls `Membership._revoked`, and that calls
`Handover.revoked`, on the client's thread, while the loop waits:

1. The workers finish their messages, and the flusher sends their rows. This takes at most half of
   `max_poll_interval`.
2. The offsets that are safe by then are noted.
3. All partitions are dropped. From then on nothing becomes safe.
4. The noted offsets are committed. The next owner reads on from them.

Lost partitions are dropped at once. When the loop starts over, it drops all partitions itself. When
the loop leaves, it takes the same four steps (`Membership._leave`).
"""

from __future__ import annotations

import threading
from collections.abc import Awaitable, Callable, Iterable

from clicklib.client.faults import OutOfRange
from clicklib.client.offsets import Offsets
from clicklib.engine.commits import Commits
from clicklib.engine.follower import Follower
from clicklib.engine.worker import Worker
from clicklib.table import Table
from clicklib.task import Batch

__all__ = ["Handover"]


class Handover:
    """Owns the workers of the assigned partitions, and the lock over them.

    `follower` recovers partitions, and `begin(table)` makes the worker of a recovered one.
    `lingering` lists dropped workers whose callback has not returned yet: a partition waits until
    its earlier worker ends.

    The client's thread calls `assigned`. In a rebalance, while the loop waits, it also calls
    `revoked` and `drop`. The flusher's thread calls `note_safe`. Any thread may look at `owned`,
    `workers` and `handled`. The loop's thread calls the rest, and at other times `drop`.
    """

    def __init__(
        self, follower: Follower, begin: Callable[[Table], Worker], lingering: list[Worker]
    ) -> None:
        self.owned: tuple[int, ...] = ()
        self.workers: dict[int, Worker] = {}
        self.commits = Commits()
        self.follower = follower
        self._begin, self._lingering = begin, lingering
        self._handled = 0  # messages that dropped workers have handled
        self._lock = threading.Lock()  # held while a batch becomes safe, and while workers change
        self._new: tuple[int, ...] | None = None  # an assignment that the loop has not seen yet
        self._waiting: set[int] = set()

    def assigned(self, partitions: Iterable[int]) -> None:
        """The group has assigned these partitions; the loop adopts them at its next turn."""
        self._new = tuple(sorted(set(partitions)))

    def adopt(self) -> bool:
        """Let the partitions of a new assignment wait for recovery; False if there is none."""
        if self._new is None:
            return False
        self.owned, self._new = self._new, None
        self._waiting = set(self.owned)
        return True

    def can_recover(self) -> set[int]:
        """The waiting partitions that no worker of this program handles any more."""
        self._lingering[:] = [worker for worker in self._lingering if worker.is_alive()]
        return self._waiting - {worker.task.partition for worker in self._lingering}

    def recover(self, partitions: set[int]) -> None:
        """Begin to recover these partitions."""
        self.follower.add(partitions)
        self._waiting -= partitions

    @property
    def recovering(self) -> bool:
        """Whether some partition is being recovered."""
        return bool(self.follower.tables)

    def close_others(self) -> None:
        """Close the stores of partitions that were given up, unless a worker may still use them."""
        self.follower.keep({*self.owned, *(worker.task.partition for worker in self._lingering)})

    @property
    def all_working(self) -> bool:
        """Whether every partition of the assignment is worked on."""
        return not (self.recovering or self._waiting)

    def step(self) -> None:
        """Read on for the partitions that are being recovered."""
        try:
            if self.recovering and not self.follower.recovered:
                self.follower.poll(0.05)
        except OutOfRange:  # the topic was truncated or made anew: recovery begins again
            self._waiting |= set(self.follower.tables)
            self.follower.clear()

    def work(self) -> list[int]:
        """Start a worker for each partition that is recovered by now; return these partitions."""
        tables = self.follower.release()
        for table in tables:
            worker = self._begin(table)
            with self._lock:
                self.workers[table.partition] = worker
            worker.start()
        return [table.partition for table in tables]

    @property
    def handled(self) -> int:
        """How many messages were handled so far."""
        with self._lock:
            return self._handled + sum(w.task.handled for w in self.workers.values())

    def note_safe(self, worker: Worker, batch: Batch, committed: bool) -> None:
        """Note that Kafka has a batch of `worker`: its offsets are safe, or even committed.

        Nothing becomes safe for a partition that was dropped: another member may own it by now.
        """
        with self._lock:
            if self.workers.get(batch.partition) is worker:
                self.commits.note_safe(batch.partition, batch.offsets, committed)

    def finish(self) -> None:
        """Ask the workers to end once all that they did is acknowledged."""
        for worker in self.workers.values():
            worker.finish()

    async def revoked(
        self,
        sleep: Callable[[float], Awaitable[None]],
        gives_up: Callable[[], bool],
        drop: Callable[[], None],
        commit: Callable[[Offsets], Awaitable[None]],
    ) -> None:
        """Let the workers finish, until `gives_up()`; note what is safe; drop all; commit."""
        self.finish()
        while self.busy and not gives_up():
            await sleep(0.005)
        offsets = self.commits.due()
        drop()
        if offsets:
            await commit(offsets)

    @property
    def busy(self) -> bool:
        """Whether a worker has not ended yet."""
        return any(worker.is_alive() for worker in self.workers.values())

    def drop(self, halt: Callable[[], None]) -> None:
        """Give up all partitions at once; messages that are not committed are handled again later.

        First the workers are abandoned, so that the flusher sends none of their later batches. If
        rows are under way, `halt()` then keeps the unsent ones from being sent.
        """
        with self._lock:
            for worker in self.workers.values():
                worker.abandon()
            if any(worker.task.under_way for worker in self.workers.values()):
                halt()
            for worker in self.workers.values():
                self._handled += worker.task.handled
                if worker.is_alive():
                    self._lingering.append(worker)
            self.workers = {}
            self._new, self.owned, self._waiting = None, (), set()
            self.commits = Commits()
        self.follower.clear()
