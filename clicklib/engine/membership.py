"""One run of a processor: from joining its group to leaving it.

The loop reads the inputs and hands the records of each partition to that partition's worker; the
flusher sends what the workers gathered; what Kafka has acknowledged is committed by the loop. The
group's coordinator gives and takes partitions while the loop waits in `poll`.
"""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from typing import Any

from clicklib.client.cluster import Cluster
from clicklib.client.group import GroupReader
from clicklib.client.kafka_clients import OutOfRange, TableReader, TopicPartition, Writer
from clicklib.engine.commits import Offsets, Place
from clicklib.engine.flusher import Flusher, TransactionalFlusher
from clicklib.engine.follower import Follower
from clicklib.engine.lifecycle import Service
from clicklib.engine.state import State
from clicklib.engine.worker import Worker
from clicklib.errors import KafkaError, UnavailableError
from clicklib.graph import Graph
from clicklib.stores.storage import Storage
from clicklib.table import Table
from clicklib.task import Batch, Task

__all__ = ["Member", "Settings"]

logger = logging.getLogger("clicklib")

_QUEUE_BYTES = 8 << 20  # of one partition: above, it is paused; below half of it, resumed
_COMMIT_PAUSE = 0.1  # seconds between two commits while caught up
_JOIN_TIMEOUT = 30.0  # seconds without an assignment before the membership is made anew
_DELIVERY_TIMEOUT = 120.0  # seconds; Kafka's default for producers
_LAG_PAUSE = 0.25  # seconds between two looks at the lag


@dataclass(frozen=True)
class Settings:
    """What a processor was made with. Times are in seconds."""

    cluster: Cluster
    graph: Graph
    start: str
    commit_interval: float
    session_timeout: float
    max_poll_interval: float
    connect_timeout: float
    on_rebalance: Callable[[tuple[int, ...]], None] | None
    updated: Callable[[int, Mapping[bytes, bytes | None]], None] | None


class Member:
    """A membership in the group of a graph. `run` is for one thread; the rest may be read by any.

    `store(partition)` opens a local store. `lingering` are workers of earlier runs whose callback
    has not returned yet: their partitions wait for them. With a `transactional_id` rows and offsets
    are one transaction, and one that an earlier member of that id has left open is ended first.
    """

    def __init__(
        self,
        service: Service,
        settings: Settings,
        store: Callable[[int], Storage],
        lingering: list[Worker],
        transactional_id: str | None,
    ) -> None:
        self.workers: dict[int, Worker] = {}
        self.owned: tuple[int, ...] = ()
        self.lag: dict[int, int] = {}
        self.records = self.rows = self.flushes = self.rebalances = 0
        self.lingering = lingering
        self.follower: Follower | None = None
        self._service, self._settings, self._store = service, settings, store
        self._transactional_id = transactional_id
        self._name, self._graph = str(service.name), settings.graph
        self._edges = {edge.topic: edge for edge in settings.graph.inputs}
        self._new: tuple[int, ...] | None = None  # an assignment that the loop has not seen yet
        self._waiting: set[int] = set()  # assigned partitions that are not being recovered yet
        self._ending = threading.Lock()  # held while a batch becomes safe, and while workers end
        self._offsets = Offsets()
        self._next_commit = self._next_lag = 0.0
        self._join_by = math.inf
        self._in_doubt: BaseException | None = None

    def run(self) -> None:
        """Join, work until the service is to stop, and leave within the grace that it gives."""
        timeout = self._settings.connect_timeout
        with ExitStack() as stack:
            begin = partial(self._service.keep_trying, timeout)
            reader = begin(lambda: TableReader(self._settings.cluster, self._graph.table, timeout))
            stack.callback(reader.close)
            self.follower = Follower(reader, self._store, self._settings.updated)
            # kafka-python waits in vain for an answer that a broken connection has lost: there is
            # time for a second writer.
            self._flusher = begin(lambda: self._open_flusher(0.7 * timeout))
            stack.callback(lambda: self._close_flusher())
            self._inputs = begin(lambda: self._open_inputs(timeout))
            stack.callback(lambda: self._inputs.close(min(1.0, self._service.time_left())))
            self._join_by = time.monotonic() + _JOIN_TIMEOUT
            self._service.move(State.RECOVERING)
            try:
                self._loop()
            except BaseException as exc:
                self._service.fail(exc)  # which also says how long leaving may take
            self._leave()

    def _loop(self) -> None:
        """What a processor does, over and over."""
        while not self._service.stopping:
            if self._in_doubt is not None:
                self._start_over()
                continue  # it may be to stop by now, and then there is nothing to read from
            self._adopt()
            recovering = self._recover()
            records = self._poll(0.0 if recovering else 0.1)
            self._hand_out(records)
            self._look_after(records)
            self._commit()

    def _poll(self, timeout: float) -> dict[TopicPartition, list[Any]]:
        """The next records; none while the broker is away, which the client tries to reach."""
        if any(worker.queued > _QUEUE_BYTES / 2 for worker in self.workers.values()):
            timeout = min(timeout, 0.01)  # a partition waits to be resumed
        try:
            return self._inputs.poll(timeout)
        except UnavailableError as exc:
            self._wait_for_broker(exc)
            return {}

    def _wait_for_broker(self, exc: UnavailableError) -> None:
        logger.debug("%s waits for the broker: %s", self._name, exc)
        self._service.wait_stopping(0.1)

    # The clients, and what happens when it is not known what became of rows or a transaction.

    def _open_flusher(self, timeout: float) -> Flusher:
        settings = self._settings
        writer = Writer(
            settings.cluster,
            self._graph.table,
            connect_timeout=timeout,
            linger=0.005,
            delivery_timeout=_DELIVERY_TIMEOUT,
            transactional_id=self._transactional_id,
            may_send=self._may_send,
        )
        kind = Flusher if self._transactional_id is None else TransactionalFlusher
        flusher = kind(self._service, writer, self._graph.table, self)
        flusher.start()
        return flusher

    def _close_flusher(self) -> None:
        self._flusher.close(min(1.0, self._service.time_left()))

    def _open_inputs(self, timeout: float) -> GroupReader:
        settings = self._settings
        return GroupReader(
            settings.cluster,
            self._graph.group,
            self._graph.topics,
            session_timeout=settings.session_timeout,
            max_poll_interval=settings.max_poll_interval,
            connect_timeout=timeout,
            on_revoked=self._give_up,
            on_assigned=self._assigned,
            on_lost=self._lose,
        )

    def doubt(self, error: BaseException) -> None:
        """It is not known what became of rows or a transaction: the loop starts over."""
        self._in_doubt = error

    def _start_over(self) -> None:
        """Go on from what Kafka has: join anew with a new writer, which ends a transaction."""
        logger.warning("%s starts its partitions over: %s", self._name, self._in_doubt)
        self._lose()
        self._inputs.close(1.0)
        self._close_flusher()
        while not self._service.stopping:
            try:
                self._flusher = self._open_flusher(timeout=2.0)
                self._inputs = self._open_inputs(timeout=2.0)
            except UnavailableError as exc:
                self._close_flusher()
                self._wait_for_broker(exc)
            else:
                self._in_doubt = None
                return

    def _join_anew(self) -> None:
        """Replace a membership that got no assignment: a join of kafka-python can hang."""
        self._join_by = time.monotonic() + _JOIN_TIMEOUT
        try:
            inputs = self._open_inputs(timeout=2.0)
        except UnavailableError:
            return  # that explains it; the old membership goes on trying
        logger.warning("%s: no assignment for %g s, joins anew", self._name, _JOIN_TIMEOUT)
        self._inputs.close(1.0)
        self._lose()
        self._inputs = inputs

    # The group gives and takes partitions. These three run while the loop waits in `poll`.

    def _assigned(self, places: set[TopicPartition]) -> None:
        self._new = tuple(sorted({place.partition for place in places}))

    async def _give_up(self) -> None:
        """Finish the messages in hand, flush, commit: then another member may go on."""
        deadline = time.monotonic() + self._settings.max_poll_interval / 2
        for worker in self.workers.values():
            worker.finish()
        while any(worker.is_alive() for worker in self.workers.values()):
            left = deadline - time.monotonic()
            if left < 0 or (self._service.stopping and self._service.time_left() < 1):
                break
            await self._inputs.sleep(0.005)
        offsets = self._offsets.due()
        self._lose()
        if offsets:
            try:
                await self._inputs.commit_soon(offsets)
            except Exception as exc:
                logger.warning("%s: last commit failed, messages repeat: %s", self._name, exc)

    def _lose(self) -> None:
        """Drop the partitions as they are; what isn't committed is handled again."""
        with self._ending:
            for worker in self.workers.values():
                worker.abandon()
            # Only now: a batch that is taken from here on is not sent.
            if any(worker.task.under_way for worker in self.workers.values()):
                self._halt()
            for worker in self.workers.values():
                self.records += worker.task.handled
                if worker.is_alive():
                    self.lingering.append(worker)
            self.workers, self.lag = {}, {}
            self._new, self.owned, self._waiting = None, (), set()
            self._offsets = Offsets()
        if self.follower is not None:
            self.follower.clear()
        self._join_by = time.monotonic() + _JOIN_TIMEOUT
        self._service.move(State.RECOVERING)

    def _halt(self) -> None:
        """Keep rows that have not left from ever leaving: the next owner's may be newer.

        Transactions see to it by themselves.
        """
        if self._transactional_id is None:
            self._flusher.halt()
            self.doubt(UnavailableError("partitions went before all of their rows were in Kafka"))

    # An assigned partition is first recovered, then processed.

    def _adopt(self) -> None:
        """Begin to recover the partitions of a new assignment."""
        if self._new is not None:
            self.owned, self._new = self._new, None
            self._waiting = set(self.owned)
            self._join_by = math.inf
            self.rebalances += 1
            if self._settings.on_rebalance is not None:
                self._settings.on_rebalance(self.owned)
        # A partition waits for the last message that this program handles of it.
        self.lingering[:] = [worker for worker in self.lingering if worker.is_alive()]
        ready = self._waiting - {worker.task.partition for worker in self.lingering}
        if ready:
            try:
                # First the inputs: their committed offsets are known once the transactions of
                # the partitions' last owner have ended, and so are the table's rows then.
                places = [TopicPartition(t, p) for t in self._graph.topics for p in ready]
                self._inputs.go_on(places, newest=self._settings.start == "newest")
                self._following.add(ready)
                self._waiting -= ready
            except UnavailableError as exc:
                self._wait_for_broker(exc)

    @property
    def _following(self) -> Follower:
        assert self.follower is not None
        return self.follower

    def _recover(self) -> bool:
        """Take a step of recovery; says whether it goes on."""
        following = self._following
        try:
            if following.tables and not following.recovered:
                following.poll(0.05)
        except OutOfRange:
            self._waiting |= set(following.tables)
            following.clear()
        except UnavailableError as exc:
            self._wait_for_broker(exc)
        for table in following.release():
            self._begin(table)
        if not (following.tables or self._waiting or self._join_by < math.inf):
            self._service.move(State.RUNNING)
        return bool(following.tables)

    def _begin(self, table: Table) -> None:
        """Process a partition from now on."""
        task = Task(self._graph, table.partition, table.store)
        worker = Worker(self._service, task, self._flusher.submit, self._settings.updated)
        self.workers[table.partition] = worker
        worker.start()
        self._inputs.resume(Place(topic, table.partition) for topic in self._graph.topics)

    # Messages are handed out, slow partitions paused, safe offsets committed.

    def _hand_out(self, records: dict[TopicPartition, list[Any]]) -> None:
        for place, batch in records.items():
            worker = self.workers[place.partition]
            if self._inputs.lag(place, batch[-1].offset + 1):
                worker.behind.add(place.topic)
            else:
                worker.behind.discard(place.topic)
            worker.give(self._edges[place.topic], batch)

    def _look_after(self, records: dict[TopicPartition, list[Any]]) -> None:
        now = time.monotonic()
        for partition, worker in self.workers.items():
            places = [TopicPartition(topic, partition) for topic in self._graph.topics]
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
            self.lag = {p: self._lag_of(worker) for p, worker in self.workers.items()}
        if now > self._join_by:
            self._join_anew()

    def _lag_of(self, worker: Worker) -> int:
        positions = worker.task.positions.copy()
        return sum(
            self._inputs.lag(TopicPartition(topic, worker.task.partition), position) or 0
            for topic, position in positions.items()
        )

    def safe(self, worker: Worker, batch: Batch, position: int | None, committed: bool) -> None:
        """A batch is in Kafka: its offsets may be committed (or are), its rows stored."""
        with self._ending:
            if self.workers.get(batch.partition) is worker:
                self._offsets.safe(batch.partition, batch.offsets, committed)
        self.rows += len(batch.rows)
        self.flushes += 1
        worker.answer(position)

    @property
    def membership(self) -> Any:
        """What the coordinator knew this member by at the present assignment."""
        return self._inputs.membership

    def _may_send(self) -> bool:
        """Whether the coordinator surely still counts on this member.

        One that was suspended, and whose partitions went to another meanwhile, would overwrite the
        other's newer rows. The transaction of such a one is refused. Without workers there are no
        rows, but for those of a writer that was halted.
        """
        if not self.workers or self._transactional_id is not None:
            return True
        return self._inputs.lease_age() < 0.75 * self._settings.session_timeout

    def _commit(self) -> None:
        """Commit what is safe, and look at what became of the last commit."""
        if time.monotonic() < self._next_commit or not self._inputs.commit_done:
            return
        self._offsets.answered(self._inputs.commit_error)
        offsets = self._offsets.due()
        if offsets:
            self._inputs.commit_async(offsets)
            self._offsets.sent(offsets)
            self._next_commit = time.monotonic() + _COMMIT_PAUSE

    def _leave(self) -> None:
        """Stop the partitions and commit, within the grace that `stop` gave."""
        for worker in self.workers.values():
            worker.finish()
        for worker in self.workers.values():
            worker.join(max(0.0, self._service.time_left() - 2))
        offsets = self._offsets.due()
        self._lose()
        if offsets:
            try:
                self._inputs.commit(offsets, timeout=max(0.5, self._service.time_left() - 2))
            except KafkaError as exc:
                logger.warning("%s: last commit failed, messages repeat: %s", self._name, exc)
