"""The emitter: puts messages into a stream, and says when Kafka has them."""

from __future__ import annotations

import _thread
import threading
import weakref
from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, Self

from clicklib.client.cluster import Brokers, Cluster
from clicklib.client.faults import told
from clicklib.client.process import ThisProcess
from clicklib.client.retry import keep_trying
from clicklib.client.topics import TopicManager
from clicklib.client.writer import Writer
from clicklib.codec import Codec, cannot_encode, encode
from clicklib.engine.at_exit import closed_at_exit
from clicklib.errors import (
    ClicklibError,
    DeliveryError,
    KafkaError,
    TopicError,
    UsageError,
)
from clicklib.given import check
from clicklib.keys import encode_key, partition_of

__all__ = ["Acknowledged", "Emitter", "EmitterStats"]

Acknowledged = tuple[int, int]
"""The result of a future: the partition and the offset of the record."""


@dataclass(frozen=True)
class EmitterStats:
    """Counts of messages. An emitted one is acknowledged, has failed, or has no answer yet."""

    emitted: int
    acknowledged: int
    failed: int


class Emitter:
    """Sends messages to the stream `topic`, each to the partition of its key.

    When a future succeeds, the record is in the log of every in-sync replica (acks=all,
    idempotent: retried without duplicates). At most `buffer` messages may be unacknowledged;
    `emit` waits while there are so many. `delivery_timeout` (seconds) is how long a message may
    stay unacknowledged before its future fails.

    It closes itself when nothing refers to it any more, and works only in the process that made it.

    Raises UnavailableError when no broker answers within `connect_timeout` seconds, KafkaError when
    it refuses the login, TopicError when the topic is not there.
    """

    def __init__(
        self,
        brokers: Brokers,
        topic: str,
        codec: Codec,
        *,
        headers: Mapping[str, bytes] | None = None,
        buffer: int = 10_000,
        linger: float = 0.005,
        delivery_timeout: float = 120.0,
        connect_timeout: float = 10.0,
    ) -> None:
        check(topic=topic, codec=codec, headers=headers, buffer=buffer, linger=linger)
        check(delivery_timeout=delivery_timeout, connect_timeout=connect_timeout)
        self.topic, self.codec = topic, codec
        self._headers = dict(headers or {})
        self._room = threading.BoundedSemaphore(buffer)
        self.closed = False
        self._error: KafkaError | None = None
        self._changes: list[TopicError] = []  # the writer must not refer to the emitter
        self._counting = threading.Lock()  # any thread emits, the client's counts answers
        self._emitted = self._acknowledged = self._failed = 0
        self._cluster = Cluster.of(brokers)
        keep_trying(lambda: self._find(connect_timeout), connect_timeout)
        self._writer = keep_trying(
            lambda: Writer(
                self._cluster,
                topic,
                connect_timeout=connect_timeout,
                linger=linger,
                delivery_timeout=delivery_timeout,
                on_change=self._changes.append,
            ),
            connect_timeout,
        )
        self._process = ThisProcess()
        self._dropped = weakref.finalize(self, _close_soon, self._writer, self._process)
        self._dropped.atexit = False
        closed_at_exit(self, self.close)

    def _find(self, timeout: float) -> None:
        with TopicManager(self._cluster, timeout) as topics:
            if topics.find(self.topic) is None:
                raise TopicError(
                    "the stream is not there: create it with TopicManager.ensure_stream",
                    topic=self.topic,
                )

    def emit(
        self, key: str, msg: Any, headers: Mapping[str, bytes] | None = None
    ) -> Future[Acknowledged]:
        """Send `msg` under `key`; the future gives partition and offset once Kafka has it.

        Waits while the buffer is full. A message of None is sent as a tombstone, without the
        codec. Raises CodecError for a message that the codec cannot encode, DeliveryError for one
        that is too large to send, UsageError for a wrong key or header and after `close`. If Kafka
        does not take the message, its future fails with DeliveryError; every later `emit` and the
        end of the `with` block raise this error, so that it is noticed. They raise TopicError once
        the stream has grown or is gone.
        """
        raw = self._checked(key, headers)
        self._process.check("this emitter")
        data = self._encode(key, msg)
        extra = self._headers if headers is None else {**self._headers, **headers}
        partition = partition_of(raw, self._writer.partitions)
        self._take_room(key)
        promise: Future[Acknowledged] = Future()
        promise.set_running_or_notify_cancel()
        try:
            if self.closed:
                raise UsageError("the emitter is closed", topic=self.topic, key=key)
            if (error := self.error) is not None:
                raise error
            sent = self._writer.send(self.topic, data, raw, list(extra.items()), partition)
        except BaseException as exc:
            self._room.release()
            if isinstance(exc, ClicklibError) or not isinstance(exc, Exception):
                raise
            raise self._undelivered(key, partition, exc) from exc
        with self._counting:
            self._emitted += 1
        sent.add_callback(self._delivered, promise)
        sent.add_errback(self._refused, promise, key, partition)
        return promise

    def emit_sync(
        self,
        key: str,
        msg: Any,
        headers: Mapping[str, bytes] | None = None,
        timeout: float | None = None,
    ) -> Acknowledged:
        """`emit`, and wait until Kafka has the message, at most `timeout` seconds.

        Raises TimeoutError when they pass before, and UsageError in a future's callback.
        """
        check(timeout__or_none=timeout)
        self._checked(key, headers)
        self._check_may_wait("emit_sync")
        promise = self.emit(key, msg, headers)
        try:
            return promise.result(timeout)
        except TimeoutError:
            raise TimeoutError(
                f"Kafka has not acknowledged the message within {timeout:g} s (topic "
                f"{self.topic}, key {key!r})"
            ) from None

    def flush(self, timeout: float = 10.0) -> bool:
        """Wait at most `timeout` seconds for all answers; return whether all have come.

        Raises UsageError in a future's callback.
        """
        check(timeout__or_none=timeout)
        self._check_may_wait("flush")
        return self._writer.flush(timeout)

    def close(self, timeout: float = 10.0) -> None:
        """Refuse new messages, deliver those that were taken, free everything; repeatable.

        A message that is not delivered within `timeout` seconds is given up: its future fails.
        Raises UsageError in a future's callback.
        """
        check(timeout__or_none=timeout)
        self._check_may_wait("close")
        self.closed = True
        self._dropped.detach()
        self._writer.close(timeout)

    def _checked(self, key: str, headers: Mapping[str, bytes] | None) -> bytes:
        """The key as bytes. Raises UsageError for a wrong key or header."""
        raw = encode_key(key, self.topic)
        if headers is not None:
            check({"topic": self.topic, "key": key}, headers=headers)
        return raw

    def _encode(self, key: str, msg: Any) -> bytes | None:
        try:
            return None if msg is None else encode(self.codec, msg)
        except Exception as exc:
            where = {"topic": self.topic, "key": key}
            raise cannot_encode("the codec of the stream", msg, exc, **where) from exc

    def _take_room(self, key: str) -> None:
        """Wait for room in the buffer. It comes: each message gets an answer or times out."""
        if self._room.acquire(blocking=False):
            return
        if not self._writer.answers_here():
            self._room.acquire()
            return
        raise UsageError(
            "the buffer is full, and a future's callback runs on the thread that empties it: emit "
            "from another thread",
            topic=self.topic,
            key=key,
        )

    def _check_may_wait(self, call: str) -> None:
        self._process.check("this emitter")
        if self._writer.answers_here():
            raise UsageError(
                f"{call} waits for Kafka's answers, and a future's callback runs on the thread "
                f"that takes them: call {call} on another thread",
                topic=self.topic,
            )

    def _delivered(self, promise: Future[Acknowledged], metadata: Any) -> None:
        self._room.release()
        with self._counting:
            self._acknowledged += 1
        promise.set_result((metadata.partition, metadata.offset))

    def _refused(
        self, promise: Future[Acknowledged], key: str, partition: int, error: Exception
    ) -> None:
        self._room.release()
        failure = self._undelivered(key, partition, error)
        failure.__cause__ = error
        with self._counting:
            self._failed += 1
            self._error = self._error or failure
        promise.set_exception(failure)

    def _undelivered(self, key: str, partition: int, error: Exception) -> DeliveryError:
        return DeliveryError(
            f"Kafka did not take the message: {told(error, 'Write on the topic')}",
            topic=self.topic,
            partition=partition,
            key=key,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, *exc: object) -> None:
        self.close()
        if kind is None and self.error is not None:
            raise self.error

    @property
    def error(self) -> KafkaError | None:
        """The error of the first message that Kafka did not take, or of a topic that changed."""
        return self._error or (self._changes[0] if self._changes else None)

    def stats(self) -> EmitterStats:
        """The messages that `emit` took, and how many of them were acknowledged or failed.

        A message is counted before its future is done. `error` is the first failure.
        """
        with self._counting:
            return EmitterStats(self._emitted, self._acknowledged, self._failed)

    def __repr__(self) -> str:
        return f"<Emitter {self.topic}{' closed' if self.closed else ''}>"


def _close_soon(writer: Writer, process: ThisProcess) -> None:
    """Close the writer of an emitter that is gone.

    The collector may call this at any moment, on any thread, perhaps within a lock of `threading`
    or on the writer's own thread. So all that it does is done elsewhere.
    """

    def close() -> None:
        threading.Thread(target=writer.close, args=(5.0,), daemon=True).start()

    if process.is_this():
        _thread.start_new_thread(close, ())
