"""The flusher of a processor: one thread that sends the rows of all partitions.

It sends batches, waits until Kafka has acknowledged them, and only then reports them as safe. Under
exactly-once a round is one transaction: its rows and the input offsets that they stand for become
visible together or not at all.
"""

from __future__ import annotations

import queue
import time
from collections.abc import Callable
from typing import Any

from clicklib._kafka import GroupReader, Writer
from clicklib._offsets import Place
from clicklib._service import OwnedThread, Service
from clicklib._task import Batch
from clicklib._worker import Worker
from clicklib.codec import decode_key
from clicklib.errors import DeliveryError

__all__ = ["Flusher", "TransactionalFlusher"]

_WINDOW = 0.1  # seconds between the beginnings of two transactions


class Flusher(OwnedThread):
    """Sends batches to the table's topic, and reports those that Kafka has acknowledged."""

    def __init__(
        self,
        owner: Service,
        name: str,
        writer: Writer,
        topic: str,
        safe: Callable[[Worker, Batch, int | None], None],
        failed: Callable[[BaseException], None],
    ) -> None:
        super().__init__(owner, name, self._main)
        self._writer, self._topic = writer, topic
        self._safe, self._failed = safe, failed
        self._queue: queue.SimpleQueue[tuple[Worker, Batch] | None] = queue.SimpleQueue()
        self._ended = False

    def submit(self, worker: Worker, batch: Batch) -> None:
        self._queue.put((worker, batch))

    def end(self) -> None:
        """End now; what isn't acknowledged is given up."""
        self._ended = True
        self._queue.put(None)

    def _main(self) -> None:
        while not self._ended:
            try:
                work = [self._queue.get()]
                self._linger()
                while not self._queue.empty():
                    work.append(self._queue.get())
                self._flush([item for item in work if item is not None])
            except Exception as exc:
                self._failed(exc)

    def _linger(self) -> None:
        """Let more batches come together."""

    def _flush(self, work: list[tuple[Worker, Batch]]) -> None:
        """1. Send all rows. 2. Wait for the answers. 3. Look at each. 4. Report, in order."""
        sent = [(worker, batch, self._send(batch)) for worker, batch in work]
        while not self._writer.flush(0.5):
            if self._ended:
                return
        for worker, batch, futures in sent:
            try:
                position = self._check(batch, futures)
            except DeliveryError as exc:
                self._failed(exc)
                worker.abandon()
            else:
                self._safe(worker, batch, position)

    def _send(self, batch: Batch) -> list[tuple[bytes, Any]]:
        send, topic, partition = self._writer.send, self._topic, batch.partition
        futures = []
        for key, data in batch.rows.items():
            try:
                futures.append((key, send(topic, data, key, None, partition)))
            except Exception as exc:  # refused before it was sent: too large, mostly
                futures.append((key, exc))
                break
        return futures

    def _check(self, batch: Batch, futures: list[tuple[bytes, Any]]) -> int | None:
        """The table's offset after these rows; raises DeliveryError for the first that failed."""
        position = None
        for key, future in futures:
            error = future if isinstance(future, Exception) else future.exception
            if error is not None:
                raise DeliveryError(
                    f"Kafka did not take a row of the table: {error}",
                    topic=self._topic,
                    partition=batch.partition,
                    key=decode_key(key),
                ) from error
            position = future.value.offset + 1
        return position


class TransactionalFlusher(Flusher):
    """Sends each round in a transaction, with the input offsets of its batches.

    What became of a transaction that met an error is not guessed: `doubt` is told, nothing more is
    sent, and the processor starts its partitions over from what Kafka says.
    """

    def __init__(
        self,
        owner: Service,
        name: str,
        writer: Writer,
        topic: str,
        safe: Callable[[Worker, Batch, int | None], None],
        failed: Callable[[BaseException], None],
        inputs: Callable[[], GroupReader],
        doubt: Callable[[BaseException], None],
    ) -> None:
        super().__init__(owner, name, writer, topic, safe, failed)
        self._inputs, self._doubt = inputs, doubt
        self._began = 0.0

    def _linger(self) -> None:
        time.sleep(max(0.0, self._began + _WINDOW - time.monotonic()))

    def _flush(self, work: list[tuple[Worker, Batch]]) -> None:
        """1. Begin. 2. Send all rows. 3. Add the offsets. 4. Look at each answer. 5. Commit."""
        if not work or self._ended:
            return
        self._began = time.monotonic()
        offsets = {
            Place(topic, batch.partition): offset
            for _, batch in work
            for topic, offset in batch.offsets.items()
        }
        try:
            self._writer.begin()
            sent = [(worker, batch, self._send(batch)) for worker, batch in work]
            self._writer.add_offsets(offsets, self._inputs().membership)
            while not self._writer.flush(0.5):
                if self._ended:
                    return
            positions = [self._check(batch, futures) for _, batch, futures in sent]
            self._writer.commit()
        except Exception as exc:
            self._ended = True
            if isinstance(exc, DeliveryError) and isinstance(exc.__cause__, self._writer.REFUSED):
                self._failed(exc)
            else:
                self._doubt(exc)
            return
        for (worker, batch, _), position in zip(sent, positions, strict=True):
            self._safe(worker, batch, position)
