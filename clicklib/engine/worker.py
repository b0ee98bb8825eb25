"""The worker of a partition: a thread of its own.

It drives its task: it takes records from its inbox, and hands a batch of rows to the flusher

- at once if the partition has caught up, so that a click is seen without delay;
- if the partition is behind, when the commit interval has passed or the batch has grown to its
  limit. Of many clicks by one user only the last count is then sent.

The flusher answers when Kafka has the batch. Until then the worker goes on, unless its next batch
is full.
"""

from __future__ import annotations

import queue
import time
from collections.abc import Callable
from typing import Any

from clicklib.engine.lifecycle import Lifecycle, OwnedThread
from clicklib.errors import ClicklibError
from clicklib.graph import Input
from clicklib.table import Updated
from clicklib.task import Batch, Task

__all__ = ["Worker"]

_RECORD_OVERHEAD = 500
"""Bytes to count for a record beside its key and value. 230 were measured; rows take some too."""


class Worker(OwnedThread):
    """Drives the task of one partition, its messages strictly in order."""

    def __init__(
        self,
        owner: Lifecycle,
        task: Task,
        submit: Callable[[Worker, Batch], None],
        updated: Updated | None,
    ) -> None:
        super().__init__(owner, f"{owner.name} partition {task.partition}", self._main)
        self.task = task
        self.last_flush = time.monotonic()
        self._given = self._done = 0  # bytes; each counter has one thread that writes it
        self.behind: set[str] = set()  # the topics that have more records to read
        self.abandoned = False
        self._submit, self._updated = submit, updated
        self._inbox: queue.SimpleQueue[tuple[Input, list[Any], int] | None] = queue.SimpleQueue()
        self._answers: queue.SimpleQueue[int | None] = queue.SimpleQueue()
        self._due = self._stopping = False

    def give(self, edge: Input, records: list[Any]) -> None:
        """Queue records of one topic."""
        size = len(records) * _RECORD_OVERHEAD
        size += sum([r.serialized_key_size + r.serialized_value_size for r in records])
        self._given += size
        self._inbox.put((edge, records, size))

    @property
    def queued(self) -> int:
        """Bytes in the inbox."""
        return self._given - self._done

    def flush(self) -> None:
        """Hand over the gathered rows as soon as the current message is handled."""
        if not self._due:
            self._due = True
            self.last_flush = time.monotonic()
            self._wake()

    def answer(self, position: int | None) -> None:
        """Note that Kafka has the batch under way; the table's next offset is `position`."""
        self._answers.put(position)
        self._wake()

    def finish(self) -> None:
        """End after the current message, once all rows are acknowledged and stored."""
        self._stopping = True
        self._wake()

    def abandon(self) -> None:
        """End after the current message. What is not acknowledged will be handled again later."""
        self.abandoned = True
        self._answers.put(None)
        self.finish()

    def _wake(self) -> None:
        self.task.attention = True
        self._inbox.put(None)

    def _main(self) -> None:
        try:
            try:
                while not self._stopping:
                    item = self._inbox.get()
                    if item is not None:
                        self._process(*item)
                    self._attend()
            except ClicklibError as exc:
                self._report(exc)  # the rows of earlier messages are still flushed
            self._drain()
        except _Abandoned:
            pass
        except BaseException as exc:  # SystemExit too: a callback may call sys.exit()
            if not self.abandoned:
                self.owner.fail(exc)

    def _report(self, exc: BaseException) -> None:
        """Stop the processor; but ignore the error if the partition is abandoned."""
        if self.abandoned:
            raise _Abandoned from exc
        self.owner.fail(exc)

    def _process(self, edge: Input, records: list[Any], size: int) -> None:
        index = 0
        while index < len(records) and not self._stopping:
            index = self.task.process(edge, records, index)
            if index < len(records):
                self._attend()
        self._done += size

    def _attend(self) -> None:
        """Between two messages, store acknowledged rows and hand over a batch that is due."""
        task = self.task
        task.attention = False
        while task.under_way and (task.full or not self._answers.empty()):
            self._acknowledge()
        caught_up = self._inbox.empty() and not self.behind
        if (caught_up or self._due or task.full) and task.pending and not task.under_way:
            self._hand_over()
        elif not task.pending:
            self._due = False

    def _hand_over(self) -> None:
        if self.abandoned:
            raise _Abandoned
        self._due = False
        self.last_flush = time.monotonic()
        batch = self.task.take()
        if batch is not None:
            self._submit(self, batch)

    def _acknowledge(self) -> None:
        position = self._answers.get()
        if self.abandoned:
            raise _Abandoned
        batch = self.task.acknowledged(position)
        if self._updated is not None:
            self._updated(batch.partition, batch.rows)

    def _drain(self) -> None:
        """Finish the batch under way, then hand over and store the gathered rows."""
        if self.task.under_way:
            self._acknowledge()
        if self.task.pending:
            self._hand_over()
            self._acknowledge()


class _Abandoned(Exception):
    """The partition was lost, or its worker took too long to end."""
