"""The processor: a member of a group that keeps the group's table up to date."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal
from uuid import uuid4

from clicklib._flusher import Flusher, TransactionalFlusher
from clicklib._follower import Follower
from clicklib._hash import partition_of
from clicklib._kafka import GroupReader, OutOfRange, TableReader, TopicPartition, Writer
from clicklib._offsets import Offsets, Place
from clicklib._service import Service
from clicklib._state import State
from clicklib._statedir import MemoryDirectory, StateDirectory
from clicklib._table import Table, progress
from clicklib._task import Batch, Task
from clicklib._worker import Worker
from clicklib.cluster import Brokers, Cluster
from clicklib.codec import decode_key, encode_key
from clicklib.errors import KafkaError, UnavailableError, UsageError
from clicklib.graph import Graph
from clicklib.topics import TopicManager

__all__ = ["Processor", "Stats"]

logger = logging.getLogger("clicklib")

_QUEUE_BYTES = 8 << 20  # of one partition: above, it is paused; below half of it, resumed
_COMMIT_PAUSE = 0.1  # seconds between two commits while caught up
_JOIN_TIMEOUT = 30.0  # seconds without an assignment before the membership is made anew


@dataclass(frozen=True)
class Stats:
    """What a processor has done since it started. Lag is in offsets, by partition."""

    state: State
    partitions: tuple[int, ...] = ()
    records_in: int = 0
    rows_out: int = 0
    flushes: int = 0
    rebalances: int = 0
    lag: dict[int, int] = field(default_factory=dict)


class Processor(Service):
    """Runs the callbacks of `graph` for its share of the partitions.

    `guarantee` is `at_least_once`: an offset is committed when all rows that its messages led to
    are acknowledged; after a crash some messages are handled again. Or `exactly_once`: rows and
    offsets are committed in one Kafka transaction, and readers of committed data see each message
    counted once, about 0.1 s later than otherwise.

    With no committed offset a group starts at the oldest message, or at the newest if `start` says
    so. While behind, rows are sent and offsets committed every `commit_interval` seconds; when
    caught up, at once.

    The table's rows are kept in `storage`: `lmdb`, in folders below `state_dir` (default: the
    user's cache folder), or `memory`. `session_timeout` (seconds) is how long the group waits for
    a member that fell silent. `on_rebalance(partitions)` is called after each assignment;
    `on_update(key, value)` after a row is stored, on the thread of its partition.

    What may stop it: DataError for a message, DeliveryError for a row, TopicError for topics that
    are missing or don't fit together, UnavailableError when no broker answers at the start.
    """

    def __init__(
        self,
        brokers: Brokers,
        graph: Graph,
        *,
        guarantee: Literal["at_least_once", "exactly_once"] = "at_least_once",
        start: Literal["oldest", "newest"] = "oldest",
        commit_interval: float = 5.0,
        storage: Literal["lmdb", "memory"] = "lmdb",
        state_dir: Path | str | None = None,
        session_timeout: float = 10.0,
        max_poll_interval: float = 300.0,
        connect_timeout: float = 10.0,
        on_rebalance: Callable[[tuple[int, ...]], None] | None = None,
        on_update: Callable[[str, Any], None] | None = None,
    ) -> None:
        super().__init__(f"processor {graph.group}")
        for name, value, known in (
            ("guarantee", guarantee, ("at_least_once", "exactly_once")),
            ("start", start, ("oldest", "newest")),
            ("storage", storage, ("lmdb", "memory")),
        ):
            if value not in known:
                raise UsageError(f"{name} is {' or '.join(map(repr, known))}, not {value!r}")
        self.cluster, self.graph = Cluster.of(brokers), graph
        self.commit_interval = commit_interval
        # One id for the processor's life: a new writer first ends the transaction of the last one.
        self._transactions = f"{graph.group}-{uuid4()}" if guarantee == "exactly_once" else None
        self._start, self._storage, self._state_dir = start, storage, state_dir
        self._session_timeout, self._max_poll_interval = session_timeout, max_poll_interval
        self._connect_timeout = connect_timeout
        self._on_rebalance, self._on_update = on_rebalance, on_update
        self._edges = {edge.topic: edge for edge in graph.inputs}
        self._reset()

    def _reset(self) -> None:
        self._workers: dict[int, Worker] = {}
        self._lost: list[Worker] = []  # abandoned ones whose callback has not returned yet
        self._new: tuple[int, ...] | None = None  # an assignment that the loop has not seen yet
        self._waiting: set[int] = set()  # assigned partitions that are not being recovered yet
        self._owned: tuple[int, ...] = ()
        self._offsets = Offsets()
        self._next_commit = 0.0
        self._join_by = math.inf
        self._records = self._rows = self._flushes = self._rebalances = 0
        self._lag: dict[int, int] = {}
        self._flusher: Flusher | None = None
        self._in_doubt: BaseException | None = None

    @property
    def partitions(self) -> tuple[int, ...]:
        """The partitions that this processor owns now, sorted."""
        return self._owned

    @property
    def recovered(self) -> bool:
        """Whether it is in the group and the table of each of its partitions is up to date."""
        return self.state is State.RUNNING

    def stats(self) -> Stats:
        """A snapshot of what it has done."""
        workers = list(self._workers.values())
        return Stats(
            state=self.state,
            partitions=self._owned,
            records_in=self._records + sum(worker.task.handled for worker in workers),
            rows_out=self._rows,
            flushes=self._flushes,
            rebalances=self._rebalances,
            lag=dict(self._lag),
        )

    @property
    def progress(self) -> tuple[int, int]:
        """Offsets read so far, and offsets to read, of the recovery under way."""
        follower = getattr(self, "_follower", None)
        return progress(follower.tables.values()) if follower else (0, 0)

    def get(self, key: str) -> Any:
        """The value of `key` as the callback would see it now, or None.

        Raises UsageError for a key whose partition this processor doesn't own or is still
        recovering: a View answers for all of them.
        """
        partition = partition_of(encode_key(key), self._count)
        worker = self._workers.get(partition)
        if worker is None:
            raise UsageError(
                f"this processor owns the partitions {self._owned}; use a View to see all",
                partition=partition,
                key=key,
            )
        return worker.task.get(key)

    _count = 1  # partitions of the table; known once it runs

    def _main(self) -> None:
        self._reset()
        with ExitStack() as stack:
            with TopicManager(self.cluster, self._connect_timeout) as topics:
                cluster_id = topics.cluster_id
                table = topics.ensure_copartitioned(self.graph.topics, self.graph.table)
            self._count = table.partitions
            stores = (
                MemoryDirectory()
                if self._storage == "memory"
                else StateDirectory(self._state_dir, cluster_id, self.graph.group, table.name)
            )
            stack.callback(stores.close)
            stack.callback(self._close_writer)
            self._open_writer(self._connect_timeout)
            reader = TableReader(self.cluster, table.name, self._connect_timeout)
            stack.callback(reader.close)
            self._follower = Follower(
                reader, lambda p: stores.store(p, f"{cluster_id} {table.id} {p}"), self._updated
            )
            self._join(self._connect_timeout)
            stack.callback(lambda: self._inputs.close())
            self._move(State.RECOVERING)
            try:
                self._loop()
            finally:
                self._leave()

    def _open_writer(self, timeout: float) -> None:
        self._writer = Writer(
            self.cluster,
            connect_timeout=timeout,
            linger=0.005,
            delivery_timeout=120.0,
            transactional_id=self._transactions,
        )
        common = (self, f"{self._name} flusher", self._writer, self.graph.table)
        if self._transactions is None:
            self._flusher = Flusher(*common, self._flushed, self._fail)
        else:
            self._flusher = TransactionalFlusher(
                *common, self._flushed, self._fail, lambda: self._inputs, self._doubt
            )
        self._flusher.start()

    def _close_writer(self) -> None:
        if self._flusher is not None:
            self._flusher.end()
            self._writer.close(1.0)
            self._flusher = None

    def _join(self, timeout: float) -> None:
        self._inputs = GroupReader(
            self.cluster,
            self.graph.group,
            self.graph.topics,
            start=self._start,
            session_timeout=self._session_timeout,
            max_poll_interval=self._max_poll_interval,
            connect_timeout=timeout,
            on_revoked=self._give_up,
            on_assigned=self._assigned,
            on_lost=self._lose,
        )
        self._join_by = time.monotonic() + _JOIN_TIMEOUT

    def _loop(self) -> None:
        """What a processor does, over and over."""
        while not self._stopping.is_set():
            if self._in_doubt is not None:
                self._start_over()
            self._adopt()
            recovering = self._recover()
            records = self._poll(0.0 if recovering else 0.1)
            self._hand_out(records)
            self._look_after(records)
            self._commit()

    def _doubt(self, error: BaseException) -> None:
        """It is not known what became of a transaction: the loop starts over."""
        self._in_doubt = error

    def _start_over(self) -> None:
        """Go on from what Kafka has: a new writer ends the transaction, then join anew."""
        logger.warning("%s starts its partitions over: %s", self._name, self._in_doubt)
        self._move(State.RECOVERING)
        self._lose()
        self._inputs.close(1.0)
        self._close_writer()
        while not self._stopping.is_set():
            try:
                self._open_writer(timeout=2.0)
                self._join(timeout=2.0)
            except UnavailableError as exc:
                logger.debug("%s waits for the broker: %s", self._name, exc)
                self._close_writer()
                self._stopping.wait(0.2)
            else:
                self._in_doubt = None
                return

    def _poll(self, timeout: float) -> dict[TopicPartition, list[Any]]:
        """The next records; none while the broker is away, which the client tries to reach."""
        if any(worker.queued > _QUEUE_BYTES / 2 for worker in self._workers.values()):
            timeout = min(timeout, 0.01)  # a partition waits to be resumed
        try:
            return self._inputs.poll(timeout)
        except UnavailableError as exc:
            logger.debug("%s waits for the broker: %s", self._name, exc)
            self._stopping.wait(0.1)
            return {}

    # The group gives and takes partitions. These three run while the loop waits in `poll`.

    def _assigned(self, places: set[TopicPartition]) -> None:
        self._new = tuple(sorted({place.partition for place in places}))
        self._offsets.keep(self._new)

    async def _give_up(self) -> None:
        """Finish the messages in hand, flush, commit: then another member may go on."""
        deadline = time.monotonic() + self._max_poll_interval / 2
        for worker in self._workers.values():
            worker.finish()
        while any(worker.is_alive() for worker in self._workers.values()):
            if time.monotonic() > deadline or self._stopping.wait(0):
                break
            await self._inputs.sleep(0.005)
        if not self._stopping.is_set():
            offsets = self._offsets.due()
            self._end_workers()
            self._offsets.give_up()
            if offsets:
                try:
                    await self._inputs.commit_soon(offsets)
                except Exception as exc:
                    logger.warning("%s: last commit failed, messages repeat: %s", self._name, exc)

    def _lose(self) -> None:
        """Drop the partitions as they are; their next owner does again what isn't committed."""
        self._end_workers()
        self._offsets.forget()

    def _end_workers(self) -> None:
        for worker in self._workers.values():
            worker.abandon()
            self._records += worker.task.handled
            if worker.is_alive():
                self._lost.append(worker)
        self._workers, self._lag = {}, {}
        self._new, self._owned, self._waiting = None, (), set()
        self._follower.clear()
        self._join_by = time.monotonic() + _JOIN_TIMEOUT

    # An assigned partition is first recovered, then processed.

    def _adopt(self) -> None:
        """Begin to recover the partitions of a new assignment."""
        if self._new is not None:
            self._owned, self._new = self._new, None
            self._waiting = set(self._owned)
            self._join_by = math.inf
            self._inputs.seek(self._offsets.resume())
            self._rebalances += 1
            self._move(State.RECOVERING)
            if self._on_rebalance is not None:
                self._on_rebalance(self._owned)
        # A partition waits for the last message that this program handles of it.
        self._lost = [worker for worker in self._lost if worker.is_alive()]
        ready = self._waiting - {worker.task.partition for worker in self._lost}
        if ready:
            try:
                self._follower.add(ready)
                self._waiting -= ready
            except UnavailableError as exc:
                logger.warning("%s: recovery waits for the broker: %s", self._name, exc)

    def _recover(self) -> bool:
        """Take a step of recovery; says whether it goes on."""
        following = self._follower
        if following.tables and not following.recovered:
            try:
                following.poll(0.05)
            except OutOfRange:
                self._waiting |= set(following.tables)
                following.clear()
        for table in following.release():
            self._begin(table)
        if not (following.tables or self._waiting or self._join_by < math.inf):
            self._move(State.RUNNING)
        return bool(following.tables)

    def _begin(self, table: Table) -> None:
        """Process a partition from now on."""
        worker = Worker(
            self,
            f"{self._name} partition {table.partition}",
            Task(self.graph, table.partition, table.store),
            self._submit,
            None if self._on_update is None else lambda batch: self._updated(batch.rows),
            self._fail,
        )
        self._workers[table.partition] = worker
        worker.start()
        self._inputs.resume(TopicPartition(t, table.partition) for t in self.graph.topics)

    def _submit(self, worker: Worker, batch: Batch) -> None:
        flusher = self._flusher
        if flusher is not None:
            flusher.submit(worker, batch)

    # Messages are handed out, slow partitions paused, safe offsets committed.

    def _hand_out(self, records: dict[TopicPartition, list[Any]]) -> None:
        for place, batch in records.items():
            worker = self._workers[place.partition]
            if self._inputs.lag(place, batch[-1].offset + 1):
                worker.behind.add(place.topic)
            else:
                worker.behind.discard(place.topic)
            self._offsets.given(Place(*place), batch[0].offset)
            worker.give(self._edges[place.topic], batch)

    def _look_after(self, records: dict[TopicPartition, list[Any]]) -> None:
        now = time.monotonic()
        for partition, worker in self._workers.items():
            places = [TopicPartition(topic, partition) for topic in self.graph.topics]
            if worker.queued > _QUEUE_BYTES:
                self._inputs.pause(places)
            elif worker.queued < _QUEUE_BYTES / 2:
                self._inputs.resume(places)
            for place in places:
                behind = place.topic in worker.behind and place not in records
                if behind and self._inputs.caught_up(place):
                    worker.behind.discard(place.topic)
                    worker.flush()
            if now - worker.last_flush > self.commit_interval and worker.task.pending:
                worker.flush()
            self._lag[partition] = sum(
                self._inputs.lag(place, position) or 0
                for place in places
                if (position := worker.task.position(place.topic)) is not None
            )
        if now > self._join_by:
            logger.warning("%s: no assignment for %g s, joins anew", self._name, _JOIN_TIMEOUT)
            self._inputs.close()
            self._lose()
            self._join(self._connect_timeout)

    def _flushed(self, worker: Worker, batch: Batch, position: int | None) -> None:
        """A batch is in Kafka: its offsets may be committed, its rows stored."""
        if self._workers.get(batch.partition) is worker:
            if self._transactions is None:
                self._offsets.safe(batch.partition, batch.offsets)
            else:
                self._offsets.committed(batch.partition, batch.offsets)
        self._rows += len(batch.rows)
        self._flushes += 1
        worker.answer(position)

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
        """Stop the partitions, commit, and leave the group, within the grace that `stop` gave."""
        deadline = time.monotonic() + self._grace
        for worker in self._workers.values():
            worker.finish()
        for worker in self._workers.values():
            worker.join(max(0.0, deadline - time.monotonic()))
        offsets = self._offsets.due()
        self._lose()
        if offsets:
            try:
                self._inputs.commit(offsets, timeout=max(1.0, deadline - time.monotonic()))
            except KafkaError as exc:
                logger.warning("%s: last commit failed, messages repeat: %s", self._name, exc)

    def _updated(self, rows: Any) -> None:
        if self._on_update is None:
            return
        decode = self.graph.persist.codec.decode
        for key, data in rows.items():
            self._on_update(decode_key(key), None if data is None else decode(data))

    def _facts(self) -> dict[str, Any]:
        stats = self.stats()
        return {
            **super()._facts(),
            "partitions": ", ".join(map(str, stats.partitions)) or "none",
            "records in": stats.records_in,
            "rows out": stats.rows_out,
            "lag": sum(stats.lag.values()),
        }
