"""The flusher of a processor: one thread that sends the rows of all partitions.

It sends batches, waits until Kafka has acknowledged them, and only then reports them as safe. Under
exactly-once the batches that are sent together are one transaction: their rows and their input
offsets become visible together or not at all.
"""

from __future__ import annotations

import queue
import time
from collections.abc import Callable
from typing import Any, Protocol

from clicklib.client.answers import Answers
from clicklib.client.faults import undelivered
from clicklib.client.limit import until
from clicklib.client.offsets import TopicPartition
from clicklib.client.unchanged import Unchanged
from clicklib.client.writer import Writer
from clicklib.engine.lifecycle import Lifecycle, OwnedThread
from clicklib.engine.worker import Worker
from clicklib.errors import DeliveryError, UnavailableError
from clicklib.keys import decode_key
from clicklib.table import reach
from clicklib.task import Batch

__all__ = ["Flusher", "Reports", "TransactionalFlusher"]

_WINDOW = 0.1  # seconds between the beginnings of two transactions

Work = list[tuple[Worker, Batch]]


class Reports(Protocol):
    """The object that a flusher reports to. It also has the group metadata of the member."""

    @property
    def group_metadata(self) -> Any: ...

    def confirm(self) -> None: ...

    def note_safe(
        self, worker: Worker, batch: Batch, position: int | None, committed: bool
    ) -> None: ...

    def start_over_because(self, error: BaseException) -> None: ...


class Flusher(OwnedThread):
    """Sends batches to the table's topic, and reports those that Kafka has acknowledged.

    If rows get no answer in time, Kafka may have them or not. Then the flusher sends nothing more,
    and the processor starts its partitions over from what Kafka has.

    `claim(partitions)` claims partitions: from the writer's next row on, Kafka refuses the rows of
    their earlier owners.
    """

    def __init__(
        self,
        owner: Lifecycle,
        writer: Writer,
        topic: str,
        reports: Reports,
        claim: Callable[[set[int]], None],
    ) -> None:
        super().__init__(owner, f"{owner.name} flusher", self._main)
        self._writer, self._topic, self._reports = writer, topic, reports
        self._claim_now = claim
        self._queue: queue.SimpleQueue[tuple[Worker, Batch] | None] = queue.SimpleQueue()
        self._unclaimed: queue.SimpleQueue[set[int]] = queue.SimpleQueue()
        self._ended = False

    def submit(self, worker: Worker, batch: Batch) -> None:
        """Send the batch soon, and answer the worker; abandon the worker if the flusher ended."""
        self._queue.put((worker, batch))
        if self._ended:  # perhaps the thread no longer reads the queue
            worker.abandon()

    def claim(self, partitions: set[int]) -> None:
        """Claim these partitions before any of their rows is sent."""
        self._unclaimed.put(partitions)
        self._queue.put(None)

    def watch(self, partitions: int) -> Unchanged:
        """Notice from now on if the number of the table's partitions changes, or its topic."""
        return self._writer.watch(partitions)

    def halt(self) -> None:
        """Send no more rows. Any thread may call it."""
        self._ended = True
        self._queue.put(None)
        self._writer.halt()

    def close(self, timeout: float) -> None:
        """End within `timeout` seconds, and give up unacknowledged rows. Repeatable."""
        self._ended = True
        self._queue.put(None)
        self._writer.close(timeout)

    def _main(self) -> None:
        work: Work = []
        while not self._ended:
            work = self._gather()
            try:
                self._claim_new()
                self._flush(work)
            except Exception as exc:
                self.owner.fail(exc)
                _abandon(work)
        # Without an answer these workers would wait for ever, and a rebalance would wait for them.
        _abandon(work + self._waiting())

    def _gather(self) -> Work:
        """Take everything from the queue; block while it is empty."""
        first = self._queue.get()
        return [*filter(None, [first]), *self._waiting()]

    def _waiting(self) -> Work:
        """Take what is in the queue by now."""
        items = []
        while not self._queue.empty():
            items.append(self._queue.get())
        return [item for item in items if item is not None]

    def _claim_new(self) -> None:
        """Claim the new partitions. Then ask the group whether this member still owns them.

        If this member was suspended before its claim, the claim may come after that of the next
        owner, and its older rows would win. So the group must confirm the member after the claim.
        """
        partitions: set[int] = set()
        while not self._unclaimed.empty():
            partitions |= self._unclaimed.get()
        if not partitions:
            return
        try:
            with until(lambda: self._ended):
                self._claim_now(partitions)
                self._reports.confirm()
        except UnavailableError as exc:
            if not self._ended:
                self._ended = True
                self._reports.start_over_because(exc)

    def _wanted(self, work: Work) -> Work:
        """The batches that are still to be sent."""
        return [item for item in work if not (self._ended or item[0].abandoned)]

    def _flush(self, work: Work) -> None:
        """1. Send all rows. 2. Wait for the answers. 3. Check each. 4. Report, in order."""
        sent = [(worker, batch, self._send(batch)) for worker, batch in self._wanted(work)]
        while not self._writer.flush(0.5):
            if self._ended:
                return
        for worker, batch, answers in sent:
            try:
                offsets = self._check(batch, answers)
            except DeliveryError as exc:
                if self._ended:
                    return  # the writer was closed before it sent them
                if isinstance(exc.__cause__, self._writer.IN_DOUBT):
                    self._ended = True
                    self._reports.start_over_because(exc)
                    return
                self.owner.fail(exc)
                worker.abandon()
            else:
                position = reach(worker.task.store.position, offsets) if offsets else None
                self._reports.note_safe(worker, batch, position, committed=False)

    def _send(self, batch: Batch) -> Answers:
        return self._writer.send_rows(batch.partition, batch.rows.items())

    def _check(self, batch: Batch, answers: Answers) -> list[int]:
        """The offsets of these rows; raises DeliveryError for the first that failed."""
        offsets = []
        for key, result in zip(batch.rows, answers.results, strict=True):
            if isinstance(result, Exception):
                where = {"topic": self._topic, "partition": batch.partition, "key": decode_key(key)}
                raise undelivered("a row of the table", result, **where)
            offsets.append(result)
        return offsets


def _abandon(work: Work) -> None:
    for worker, _ in work:
        worker.abandon()


class TransactionalFlusher(Flusher):
    """Sends all batches that wait in one transaction, with their input offsets.

    After an error the transaction may be committed or not, and the partitions are started over.
    The coordinator refuses the offsets of a member that was replaced, and so its transaction.
    """

    _began, _took = 0.0, 1.0  # when the last transaction began, and its seconds

    def _gather(self) -> Work:
        work = super()._gather()
        # Over a slow link a moment longer: a batch that misses this transaction waits for the next.
        moment = min(_WINDOW, self._took / 20)
        time.sleep(max(moment, self._began + _WINDOW - time.monotonic()))
        return work + self._waiting()

    def _flush(self, work: Work) -> None:
        """1. Begin. 2. Send all rows. 3. Add the offsets. 4. Check each answer. 5. Commit."""
        # The metadata first: `_wanted` then leaves out the batches of partitions that were lost in
        # between, and the metadata fit all that remain.
        group_metadata = self._reports.group_metadata
        work = self._wanted(work)
        if not work:
            return
        self._began = time.monotonic()
        offsets = {
            TopicPartition(topic, batch.partition): offset
            for _, batch in work
            for topic, offset in batch.offsets.items()
        }
        try:
            self._writer.begin(batch.partition for _, batch in work if batch.rows)
            sent = [self._send(batch) for _, batch in work]
            self._writer.add_offsets(offsets, group_metadata)
            while not self._writer.flush(0.5):
                if self._ended:
                    return
                if time.monotonic() > self._began + 1.5 * self._writer.transaction_timeout:
                    # By now the coordinator has ended the transaction.
                    raise UnavailableError("the rows of a transaction got no answer")
            offsets_of_rows = [
                self._check(batch, answers) for (_, batch), answers in zip(work, sent, strict=True)
            ]
            self._writer.commit()
            self._took = time.monotonic() - self._began
        except Exception as exc:
            self._ended = True
            if isinstance(exc.__cause__, self._writer.REFUSED):
                raise  # no retry would change it
            self._reports.start_over_because(exc)
            return
        for (worker, batch), found in zip(work, offsets_of_rows, strict=True):
            # Between the rows lie only the markers of transactions, for nobody else wrote. So the
            # position may skip what lies there.
            position = found[-1] + 1 if found else None
            self._reports.note_safe(worker, batch, position, committed=True)
