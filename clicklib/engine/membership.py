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
from clicklib.client.offsets import Records, TopicPartition
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
_LAG_PAUSE = 0.25  # seconds between two looks at the lag


class Membership:
    """A membership in the group of a graph. `run` is for one thread; any thread may read the rest.

    `follower` recovers the table. The table and each input have `count` partitions. `lingering`
    lists earlier workers whose callback has not returned yet. With a `transactional_id` rows and
    offsets are committed in one transaction; a transaction that an earlier member with that id did
    not end is ended first.
    """

    def __init__(
        self,
        life: Lifecycle,
        settings: Settings,
        follower: Follower,
        lingering: list[Worker],
        count: int,
        transactional_id: str | None,
    ) -> None:
        self.partitions = Handover(follower, self._worker, lingering)
        self.lag: dict[int, int] = {}
        self.rows = self.flushes = self.rebalances = 0
        self._life, self._settings = life, settings
        self._count, self._transactional_id = count, transactional_id
        self._graph = settings.graph
        self._edges = {edge.topic: edge for edge in settings.graph.inputs}
        self._next_lag = 0.0
        # If a member could not leave, the coordinator waits until its session ends, and only then
        # assigns its partitions.
        self._join_timeout = max(
            _JOIN_TIMEOUT, 2 * settings.session_timeout, 3 * settings.connect_timeout
        )
        self._join_by = math.inf  # deadline for the next assignment; inf once the loop has one
        self._in_doubt: BaseException | None = None
        self._clients = Clients(
            life, settings.connect_timeout, count, self._open_flusher, self._open_inputs
        )

    def run(self) -> None:
        """Join the group, work until `life.stopping`, and leave within `life.time_left()`."""
        begun, timeout = time.monotonic(), self._settings.connect_timeout
        if not self._connect(lambda: time.monotonic() - begun > timeout):
            return
        with ExitStack() as stack:
            stack.callback(self._clients.close_flusher)
            stack.callback(lambda: self._inputs.close(max(0.2, min(1.0, self._life.time_left()))))
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
                self.doubt(KafkaError(f"made anew: {remade}"))
            if self._in_doubt is not None:
                self._start_over()
                continue  # if it is to stop, there may be no new inputs
            self._adopt()
            self._recover()
            records = self._poll(0.0 if self.partitions.recovering else 0.1)
            self._hand_out(records)
            self._look_after(records)
            self.partitions.commits.commit(self._inputs)

    def _poll(self, timeout: float) -> Records:
        """The next records; none while the client tries to reach the broker."""
        if any(worker.queued > _QUEUE_BYTES / 2 for worker in self.partitions.workers.values()):
            timeout = min(timeout, 0.01)  # a partition waits to be resumed
        try:
            return self._inputs.poll(timeout)
        except UnavailableError as exc:
            self._wait_for_broker(exc)
            return {}

    def _wait_for_broker(self, exc: KafkaError) -> None:
        logger.debug("%s waits for the broker: %s", self._life.name, exc)
        self._life.wait_stopping(0.1)

    # The clients, and how they are replaced when Kafka may or may not have rows or a transaction.

    def _connect(self, gives_up: Callable[[], bool]) -> bool:
        """Connect both clients, and wait for an assignment; False if it stopped before."""
        inputs = self._clients.connect(gives_up)
        if inputs is None:
            return False
        self._inputs = inputs
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

    def _open_inputs(self, timeout: float) -> GroupReader:
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

    def doubt(self, error: BaseException) -> None:
        """Make the loop start over because of `error`, such as rows that Kafka may have or not."""
        self._in_doubt = error

    def _start_over(self) -> None:
        """Leave the group and join it again with new clients, to go on from what Kafka has.

        The new writer ends a transaction that the old one left open.
        """
        logger.warning("%s starts its partitions over: %s", self._life.name, self._in_doubt)
        self._drop()
        self._inputs.close(min(_LEAVE_TIMEOUT, self._life.time_left()))
        self._clients.close_flusher()
        self._connect(lambda: False)
        self._in_doubt = None

    # The group assigns and revokes partitions. The client calls `_assigned`, `_revoked` and `_lost`
    # on its own thread, while the loop waits in `poll` or `close`.

    def _assigned(self, places: set[TopicPartition]) -> None:
        partitions = {place.partition for place in places}
        # The leader may know before this member that the inputs have grown.
        if all(partition < self._count for partition in partitions):
            self.partitions.assigned(partitions)

    async def _revoked(self) -> None:
        """Finish the current messages, flush, commit: then another member can continue."""
        deadline = time.monotonic() + self._settings.max_poll_interval / 2

        def over() -> bool:
            hurries = self._life.stopping and self._life.time_left() < 1
            return hurries or time.monotonic() > deadline

        offsets = await self.partitions.revoked(self._inputs.sleep, over)
        self._drop()
        if offsets:
            try:
                await self._inputs.commit_soon(offsets)
            except Exception as exc:
                self._not_committed(exc)

    def _not_committed(self, exc: Exception) -> None:
        logger.warning("%s: last commit failed, messages repeat: %s", self._life.name, exc)

    def _lost(self) -> None:
        """The group took this member for dead, and gave its partitions to others."""
        if self.partitions.owned and self._transactional_id is None:  # else no message repeats
            text = "%s: the group took it for dead, others have its partitions, messages repeat"
            logger.warning(text, self._life.name)
        self._drop()

    def _drop(self) -> None:
        """Drop all partitions at once, and wait for another assignment."""
        self.partitions.drop(self._halt)
        self.lag = {}
        self._join_by = time.monotonic() + self._join_timeout
        self._life.move(State.RECOVERING)

    def _halt(self) -> None:
        """Start over with a new writer: rows of the old one may have no answer for long.

        Unsent rows are never sent: if this member gets the partition back from another one, its new
        claim would make the old rows count as new. Under exactly-once Kafka refuses the old
        transaction, and nothing is to be done.
        """
        if self._transactional_id is None and self._clients.flusher is not None:
            self._clients.flusher.halt()
            self.doubt(UnavailableError("partitions went before all of their rows were in Kafka"))

    # An assigned partition is first recovered, then processed.

    def _adopt(self) -> None:
        """Take over a new assignment, and begin to recover the partitions that are ready."""
        if self.partitions.adopt():
            self._join_by = math.inf
            self.rebalances += 1
            if self._settings.on_rebalance is not None:
                self._settings.on_rebalance(self.partitions.owned)
        ready, flusher = self.partitions.ready(), self._clients.flusher
        if ready and flusher is not None:
            try:
                # The inputs come first. Their committed offsets are known only after the
                # transactions of the last owner have ended. The table's rows are then complete.
                places = [place for p in ready for place in self._places(p)]
                self._inputs.go_on(places, newest=self._settings.start == "newest")
                self.partitions.recover(ready)
                if self._transactional_id is None:
                    flusher.assigned(ready)
            except UnavailableError as exc:
                self._wait_for_broker(exc)

    def _recover(self) -> None:
        """Take a step of recovery, and start a worker for each recovered partition."""
        try:
            self.partitions.step()
        except UnavailableError as exc:
            self._wait_for_broker(exc)
        for partition in self.partitions.work():
            self._inputs.resume(self._places(partition))
        if self.partitions.settled and self._join_by == math.inf and self._clients.flusher:
            if self._life.state is State.RECOVERING:
                self.partitions.close_others()
            self._life.move(State.RUNNING)

    def _worker(self, table: Table) -> Worker:
        flusher = self._clients.flusher
        assert flusher is not None  # `_adopt` waits for it
        task = Task(self._graph, table.partition, table.store)
        return Worker(self._life, task, flusher.submit, self._settings.updated)

    def _places(self, partition: int) -> list[TopicPartition]:
        return [TopicPartition(topic, partition) for topic in self._graph.topics]

    # Messages are handed out, slow partitions paused, safe offsets committed.

    def _hand_out(self, records: Records) -> None:
        for place, batch in records.items():
            worker = self.partitions.workers[place.partition]
            if self._inputs.lag(place, batch[-1].offset + 1):
                worker.behind.add(place.topic)
            else:
                worker.behind.discard(place.topic)
            worker.give(self._edges[place.topic], batch)

    def _look_after(self, records: Records) -> None:
        """Pause and resume partitions, let workers flush, note the lag, wait no longer to join."""
        now = time.monotonic()
        workers = self.partitions.workers
        for partition, worker in workers.items():
            places = self._places(partition)
            if worker.queued > _QUEUE_BYTES:
                self._inputs.pause(places)
            elif worker.queued < _QUEUE_BYTES / 2:
                self._inputs.resume(places)
            for place in places:
                behind = place.topic in worker.behind and place not in records
                if behind and self._inputs.caught_up(place):
                    worker.behind.discard(place.topic)
                    worker.flush()
            if now - worker.last_flush > self._settings.commit_interval:
                worker.flush()
        if now > self._next_lag:
            self._next_lag = now + _LAG_PAUSE
            self.lag = {partition: self._lag_of(worker) for partition, worker in workers.items()}
        if now > self._join_by:
            self.doubt(UnavailableError(f"no assignment for {self._join_timeout:g} s"))

    def _lag_of(self, worker: Worker) -> int:
        positions = worker.task.positions.copy()
        return sum(
            self._inputs.lag(TopicPartition(topic, worker.task.partition), position) or 0
            for topic, position in positions.items()
        )

    def safe(self, worker: Worker, batch: Batch, position: int | None, committed: bool) -> None:
        """Note that Kafka has a batch: its offsets are safe (or committed), its rows stored."""
        self.partitions.safe(worker, batch, committed)
        self.rows += len(batch.rows)
        self.flushes += 1
        worker.answer(position)

    @property
    def group_metadata(self) -> Any:
        """The member's name and generation at the time of its present assignment."""
        return self._inputs.group_metadata

    def _claim(self, writer: Writer, partitions: set[int], stopping: Callable[[], bool]) -> None:
        """Claim partitions of the table. Raises UnavailableError if that does not succeed."""
        timeout, group = self._settings.connect_timeout, self._graph.group
        try:
            writer.claim(partitions, group, timeout, stopping)
        except Denied as exc:
            text = "%s: rows that are delivered late could replace newer ones: %s"
            logger.warning(text, self._life.name, exc)

    def confirm(self) -> None:
        """Raise UnavailableError unless the group confirms that this is a member."""
        self._inputs.confirm(self._settings.connect_timeout)

    def _leave(self) -> None:
        """End the workers and commit, within `life.time_left()`."""
        self.partitions.finish()
        for worker in self.partitions.workers.values():
            worker.join(max(0.0, self._life.time_left() - 2))
        offsets = self.partitions.commits.due()
        self._drop()
        if offsets:
            try:
                self._inputs.commit(offsets, timeout=max(0.5, self._life.time_left() - 2))
            except KafkaError as exc:
                self._not_committed(exc)
