"""One run of a processor: from joining its group to leaving it.

The loop reads the inputs and hands the records of each partition to that partition's worker. The
flusher sends the rows that the workers gathered. The loop commits the offsets of acknowledged rows.
The group's coordinator assigns and revokes partitions while the loop waits in `poll`.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from typing import Any

from clicklib.client.faults import Denied
from clicklib.client.group_reader import GroupReader
from clicklib.client.offsets import Offsets, Records, TopicPartition
from clicklib.client.writer import Writer
from clicklib.engine.clients import Clients
from clicklib.engine.flusher import Flusher, TransactionalFlusher
from clicklib.engine.follower import Follower
from clicklib.engine.handover import Handover
from clicklib.engine.lifecycle import Lifecycle
from clicklib.engine.settings import Settings
from clicklib.engine.state import State
from clicklib.engine.worker import Worker
from clicklib.errors import KafkaError, UnavailableError
from clicklib.table import Table
from clicklib.task import Batch, Task

__all__ = ["Membership"]

logger = logging.getLogger("clicklib")

_QUEUE_BYTES = 8 << 20  # with more in its inbox a partition is paused; below half, resumed
_JOIN_TIMEOUT = 30.0  # seconds, at least, to wait for an assignment: kafka-python's join can hang
_LEAVE_TIMEOUT = 1.0  # seconds to wait for the answer when it leaves and starts over
_DELIVERY_TIMEOUT = 120.0  # seconds; Kafka's default for producers
_WORKING, _CALM = 0.1, 0.5  # seconds of a poll; it ends with the first record
_LAG_PAUSE = 0.25  # seconds between two looks at the lag


class Membership:
    """A membership in the group of a graph. `run` is for one thread; any thread may read the rest.

    `follower` recovers the table. `partitions` is the number of the table's partitions, and of
    each input's. `lingering` lists earlier workers whose callback has not returned yet. With a
    `transactional_id` rows and offsets are committed in one transaction; a transaction that an
    earlier member with that id did not end is ended first.
    """

    def __init__(
        self,
        life: Lifecycle,
        settings: Settings,
        follower: Follower,
        lingering: list[Worker],
        partitions: int,
        transactional_id: str | None,
    ) -> None:
        self.handover = Handover(follower, self._worker, lingering)
        self.lag: dict[int, int | None] = {}
        self.rows = self.flushes = self.rebalances = 0
        self.commits_fail: str | None = None
        self._life, self._settings = life, settings
        self._partitions, self._transactional_id = partitions, transactional_id
        self._graph = settings.graph
        self._edges = {edge.topic: edge for edge in settings.graph.inputs}
        self._next_lag = 0.0
        self._calm_at = math.inf  # from then on it polls less often
        # If a member could not leave, the coordinator waits until its session ends, and only then
        # assigns its partitions.
        self._join_timeout = max(
            _JOIN_TIMEOUT, 2 * settings.session_timeout, 3 * settings.connect_timeout
        )
        self._join_by = math.inf  # deadline for the next assignment; inf once the loop has one
        self._reason: BaseException | None = None  # why the loop is to start over
        self._clients = Clients(
            life, settings.connect_timeout, partitions, self._open_flusher, self._open_reader
        )

    def run(self) -> None:
        """Join the group, work until `life.stopping`, and leave within `life.time_left()`."""
        begun, timeout = time.monotonic(), self._settings.connect_timeout
        if not self._connect(lambda: time.monotonic() - begun > timeout):
            return
        with ExitStack() as stack:
            stack.callback(self._clients.close_flusher)
            stack.callback(lambda: self._reader.close(max(0.2, min(1.0, self._life.time_left()))))
            self._life.move(State.RECOVERING)
            try:
                self._loop()
            except BaseException as exc:
                self._life.fail(exc)  # this also sets the deadline for leaving
            self._leave()

    def _loop(self) -> None:
        """Read, hand out and commit, again and again."""
        while not self._life.stopping:
            remade = self._clients.check_topics()
            if remade:
                self.start_over_because(KafkaError(f"made anew: {remade}"))
            if self._reason is not None:
                self._start_over()
                continue  # during a stop, `_connect` may have made no new client
            self._adopt()
            self._recover()
            records = self._poll(self._patience())
            self._hand_out(records)
            self._look_after(records)
            self.handover.commits.commit(self._reader)
            self.commits_fail = self._reader.failing.reason

    def _patience(self) -> float:
        """Seconds to wait for records; a poll takes a millisecond of the processor's time."""
        if self.handover.recovering:
            return 0.0
        return _WORKING if time.monotonic() < self._calm_at else _CALM

    def _poll(self, timeout: float) -> Records:
        """The next records; none while the client tries to reach the broker."""
        if any(worker.queued > _QUEUE_BYTES / 2 for worker in self.handover.workers.values()):
            timeout = min(timeout, 0.01)  # a partition waits to be resumed
        try:
            return self._reader.poll(timeout)
        except UnavailableError as exc:
            self._life.wait_for_broker(exc)
            return {}

    # The clients, and how they are replaced when Kafka may or may not have rows or a transaction.

    def _connect(self, gives_up: Callable[[], bool]) -> bool:
        """Connect both clients, and wait for an assignment; False if it stopped before."""
        reader = self._clients.connect(gives_up)
        if reader is None:
            return False
        self._reader = reader
        self._join_by = time.monotonic() + self._join_timeout
        return True

    def _open_flusher(self, timeout: float) -> Flusher:
        settings = self._settings
        writer = Writer(
            settings.cluster,
            self._graph.table,
            connect_timeout=timeout,
            linger=0.005,
            delivery_timeout=_DELIVERY_TIMEOUT,
            transactional_id=self._transactional_id,
            group=self._graph.group,
        )
        kind = Flusher if self._transactional_id is None else TransactionalFlusher
        flusher = kind(self._life, writer, self._graph.table, self, partial(self._claim, writer))
        flusher.start()
        return flusher

    def _open_reader(self, timeout: float) -> GroupReader:
        settings = self._settings
        return GroupReader(
            settings.cluster,
            self._graph.group,
            self._graph.topics,
            session_timeout=settings.session_timeout,
            max_poll_interval=settings.max_poll_interval,
            connect_timeout=timeout,
            answer_timeout=settings.connect_timeout,
            on_revoked=self._revoked,
            on_assigned=self._assigned,
            on_lost=self._lost,
        )

    def start_over_because(self, error: BaseException) -> None:
        """Make the loop start over because of `error`, such as rows that Kafka may have or not."""
        self._reason = error

    def _start_over(self) -> None:
        """Leave the group and join it again with new clients, to go on from what Kafka has.

        The new writer ends a transaction that the old one left open.
        """
        logger.warning("%s starts its partitions over: %s", self._life.name, self._reason)
        self._drop()
        self._reader.close(min(_LEAVE_TIMEOUT, self._life.time_left()))
        self._clients.close_flusher()
        self._connect(lambda: False)
        self._reason = None

    # The group assigns and revokes partitions. The client calls `_assigned`, `_revoked` and `_lost`
    # on its own thread, while the loop waits in `poll` or `close`. `handover` says what follows.

    def _assigned(self, places: set[TopicPartition]) -> None:
        partitions = {place.partition for place in places}
        # The leader may know before this member that the inputs have grown.
        if all(partition < self._partitions for partition in partitions):
            self.handover.assigned(partitions)

    async def _revoked(self) -> None:
        deadline = time.monotonic() + self._settings.max_poll_interval / 2

        def over() -> bool:
            hurries = self._life.stopping and self._life.time_left() < 1
            return hurries or time.monotonic() > deadline

        await self.handover.revoked(self._reader.sleep, over, self._drop, self._commit_soon)

    async def _commit_soon(self, offsets: Offsets) -> None:
        try:
            await self._reader.commit_soon(offsets)
        except Exception as exc:
            self._not_committed(exc)

    def _not_committed(self, exc: Exception) -> None:
        logger.warning("%s: last commit failed, messages repeat: %s", self._life.name, exc)

    def _lost(self) -> None:
        """The group took this member for dead, and gave its partitions to others."""
        if self.handover.owned and self._transactional_id is None:  # else no message repeats
            text = "%s: the group took it for dead, others have its partitions, messages repeat"
            logger.warning(text, self._life.name)
        self._drop()

    def _drop(self) -> None:
        """Drop all partitions at once, and wait for another assignment."""
        self.handover.drop(self._halt)
        self.lag = {}
        self._join_by = time.monotonic() + self._join_timeout
        self._life.move(State.RECOVERING)

    def _halt(self) -> None:
        """Start over with a new writer: the old one may wait long for its answers.

        The member may get the partition back and claim it again. Kafka would then accept the old
        rows. So they are never sent. Under exactly-once Kafka refuses the old transaction, and
        nothing is to be done.
        """
        if self._transactional_id is None and self._clients.flusher is not None:
            self._clients.flusher.halt()
            self.start_over_because(
                UnavailableError("partitions went before all of their rows were in Kafka")
            )

    # An assigned partition is first recovered, then processed.

    def _adopt(self) -> None:
        """Take over a new assignment, and begin to recover the partitions that can be."""
        if self.handover.adopt():
            self._join_by = math.inf
            self.rebalances += 1
            if self._settings.on_rebalance is not None:
                self._settings.on_rebalance(self.handover.owned)
        new, flusher = self.handover.can_recover(), self._clients.flusher
        if new and flusher is not None:
            try:
                # The inputs come first. Their committed offsets are known only after the
                # transactions of the last owner have ended. The table's rows are then complete.
                places = [place for p in new for place in self._places(p)]
                self._reader.go_on(places, newest=self._settings.start == "newest")
                self.handover.recover(new)
                if self._transactional_id is None:
                    flusher.claim(new)
            except UnavailableError as exc:
                self._life.wait_for_broker(exc)

    def _recover(self) -> None:
        """Take a step of recovery, and start a worker for each recovered partition."""
        try:
            self.handover.step()
        except UnavailableError as exc:
            self._life.wait_for_broker(exc)
        for partition in self.handover.work():
            self._reader.resume(self._places(partition))
        if self.handover.all_working and self._join_by == math.inf and self._clients.flusher:
            if self._life.state is State.RECOVERING:
                self.handover.close_others()
            self._life.move(State.RECONNECTING if self._reader.is_cut_off else State.RUNNING)

    def _worker(self, table: Table) -> Worker:
        flusher = self._clients.flusher
        assert flusher is not None  # `_adopt` waits for it
        task = Task(self._graph, table.partition, table.store)
        return Worker(self._life, task, flusher.submit, self._settings.updated)

    def _places(self, partition: int) -> list[TopicPartition]:
        return [TopicPartition(topic, partition) for topic in self._graph.topics]

    # Messages are handed out, and slow partitions paused.

    def _hand_out(self, records: Records) -> None:
        for place, batch in records.items():
            worker = self.handover.workers[place.partition]
            if self._reader.lag(place, batch[-1].offset + 1):
                worker.behind.add(place.topic)
            else:
                worker.behind.discard(place.topic)
            worker.give(self._edges[place.topic], batch)

    def _look_after(self, records: Records) -> None:
        """Pause and resume partitions, let workers flush, note the lag, wait no longer to join."""
        now = time.monotonic()
        if records or self.handover.commits.due() or self._life.state is not State.RUNNING:
            self._calm_at = now + 1
        workers = self.handover.workers
        for partition, worker in workers.items():
            places = self._places(partition)
            if worker.queued > _QUEUE_BYTES:
                self._reader.pause(places)
            elif worker.queued < _QUEUE_BYTES / 2:
                self._reader.resume(places)
            for place in places:
                behind = place.topic in worker.behind and place not in records
                if behind and self._reader.caught_up(place):
                    worker.behind.discard(place.topic)
                    worker.flush()
            if now - worker.last_flush > self._settings.commit_interval:
                worker.flush()
        if now > self._next_lag:
            self._next_lag = now + _LAG_PAUSE
            self.lag = {partition: self._lag_of(worker) for partition, worker in workers.items()}
        if now > self._join_by:
            self.start_over_because(UnavailableError(f"no assignment for {self._join_timeout:g} s"))

    def _lag_of(self, worker: Worker) -> int | None:
        positions = worker.task.positions.copy()
        lags = [
            self._reader.lag(TopicPartition(topic, worker.task.partition), position)
            for topic, position in positions.items()
        ]
        return None if None in lags else sum(filter(None, lags))

    # What the flusher calls.

    def note_safe(
        self, worker: Worker, batch: Batch, position: int | None, committed: bool
    ) -> None:
        """Note that Kafka has a batch: its offsets are safe (or committed), its rows stored."""
        self.handover.note_safe(worker, batch, committed)
        self.rows += len(batch.rows)
        self.flushes += 1
        worker.answer(position)

    @property
    def group_metadata(self) -> Any:
        """The member's name and generation at the time of its present assignment."""
        return self._reader.group_metadata

    def _claim(self, writer: Writer, partitions: set[int]) -> None:
        """Claim partitions of the table. Raises UnavailableError if that does not succeed."""
        timeout, group = self._settings.connect_timeout, self._graph.group
        try:
            writer.claim(partitions, group, timeout)
        except Denied as exc:
            text = "%s: rows that are delivered late could replace newer ones: %s"
            logger.warning(text, self._life.name, exc)

    def confirm(self) -> None:
        """Raise UnavailableError unless the group confirms that this is a member."""
        self._reader.confirm(self._settings.connect_timeout)

    # The end.

    def _leave(self) -> None:
        """End the workers, drop all, commit: as at a revocation, within `life.time_left()`."""
        self.handover.finish()
        for worker in self.handover.workers.values():
            worker.join(max(0.0, self._life.time_left() - 2))
        offsets = self.handover.commits.due()
        self._drop()
        if offsets:
            try:
                self._reader.commit(offsets, timeout=max(0.5, self._life.time_left() - 2))
            except KafkaError as exc:
                self._not_committed(exc)
