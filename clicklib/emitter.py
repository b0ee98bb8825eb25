"""The emitter: puts messages into a stream, and says when Kafka has them."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sized
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial
from itertools import islice
from math import inf
from typing import TYPE_CHECKING, Any, Self

from clicklib.client.closing import closed_with
from clicklib.client.cluster import Brokers, Cluster
from clicklib.client.deliveries import Deliveries, Load
from clicklib.client.limit import within
from clicklib.client.outgoing import Row, headers_as_bytes
from clicklib.client.process import ThisProcess
from clicklib.client.progress_bar import Bar
from clicklib.client.retry import aside, keep_trying
from clicklib.client.writer import Writer
from clicklib.codec import Codec, cannot_encode, not_bytes
from clicklib.engine.at_exit import closed_at_exit
from clicklib.errors import ClicklibError, KafkaError, UnavailableError, UsageError, text_of
from clicklib.given import check
from clicklib.keys import encode_key, hashed

if TYPE_CHECKING:
    import pandas as pd

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
    stay unacknowledged before its future fails. Messages to one partition within `linger` seconds
    go out in one batch, and are answered together.

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
        self.topic, self.codec, self.closed = topic, codec, False
        self._headers = dict(headers or {})
        self._encoded_headers = headers_as_bytes(self._headers)
        # One half of the buffer is filled while Kafka answers the other half.
        self._chunk = max(1, min(buffer // 2, 20_000))
        self._deliveries = Deliveries(topic, buffer)
        self._patience = delivery_timeout
        cluster = Cluster.of(brokers)
        with within(connect_timeout):
            self._writer = keep_trying(
                lambda: Writer(
                    cluster,
                    topic,
                    connect_timeout=connect_timeout,
                    linger=linger,
                    delivery_timeout=delivery_timeout,
                    on_change=self._deliveries.fail,
                    on_answers=self._deliveries.note,
                    missing="the stream is not there: create it with TopicManager.ensure_stream",
                ),
                connect_timeout,
            )
        self._process = ThisProcess()
        self._dropped = closed_with(self, partial(self._writer.close, 5.0))
        closed_at_exit(self, self.close)

    def emit(
        self, key: str, msg: Any, headers: Mapping[str, bytes] | None = None
    ) -> Future[Acknowledged]:
        """Send `msg` under `key`; the future gives partition and offset once Kafka has it.

        Waits while the buffer is full, at most `delivery_timeout`, and then raises
        UnavailableError. A message of None is sent as a tombstone, without the codec. Raises
        CodecError for a message that the codec cannot encode, DeliveryError for one that is too
        large to send, UsageError for a wrong key or header and after `close`. If Kafka does not
        take the message, its future fails with DeliveryError; every later `emit` and the end of the
        `with` block raise this error, so that it is noticed. Once the stream has grown or is gone,
        every `emit` and the end of the `with` block raise TopicError.
        """
        return self._emit(key, msg, headers, inf)

    def _emit(
        self, key: str, msg: Any, headers: Mapping[str, bytes] | None, patience: float
    ) -> Future[Acknowledged]:
        """`emit`, which waits at most `patience` seconds."""
        raw, number = self._hashed(key)
        if headers is not None:
            self._check_headers(key, headers)
        self._process.check("this emitter")
        data = self._encode(key, msg)
        partition = number % self._writer.partitions
        if not self._deliveries.admit():
            self._wait_for_room(key, max(0.0, min(patience, self._patience)))
        try:
            self._check_open(key)
            encoded = self._encoded_headers
            if headers is not None:
                encoded = headers_as_bytes({**self._headers, **headers})
            return self._writer.append(partition, raw, data, encoded)
        except BaseException as exc:
            self._deliveries.give_back(1)
            if isinstance(exc, ClicklibError) or not isinstance(exc, Exception):
                raise
            raise self._deliveries.undelivered(raw, partition, exc) from exc

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
        encode_key(key, self.topic)
        self._check_headers(key, headers)
        self._check_may_wait("emit_sync")
        begun = time.monotonic()
        try:
            promise = self._emit(key, msg, headers, inf if timeout is None else timeout)
            return promise.result(timeout and max(0.0, begun + timeout - time.monotonic()))
        except (TimeoutError, UnavailableError):
            if timeout is None:
                raise
            raise TimeoutError(
                f"Kafka has not acknowledged the message within {timeout:g} s (topic "
                f"{self.topic}, key {key!r})"
            ) from None

    def emit_many(self, pairs: Iterable[tuple[str, Any]]) -> int:
        """Send messages, each after its key, and return their number when Kafka has all of them.

        It is quicker than `emit` in a loop, and shows a progress bar after a second, in a terminal
        or a notebook. A wrong message raises what `emit` raises, and an error of a generator is
        raised as it is. Both come after Kafka has taken the messages before. DeliveryError says how
        many messages Kafka did not take, and the key of the first. A call in a future's callback
        raises UsageError.
        """
        check(pairs=pairs)
        self._check_may_wait("emit_many")
        load, rest = Load(self._deliveries), iter(pairs)
        with Bar("message", len(pairs) if isinstance(pairs, Sized) else None) as bar:
            wrong: Exception | None = None
            try:
                while not load.failures and self._send(islice(rest, self._chunk), load):
                    bar.show(load.answered)
            except Exception as exc:  # also one of a generator that makes the pairs
                wrong = exc
            while load.answered < load.sent:
                self._writer.flush(0.2)
                bar.show(load.answered)
        load.check()
        if wrong is not None:
            wrong.add_note(f"{load.sent} messages were sent before it")
            raise wrong
        return load.sent

    def _send(self, chunk: Iterable[tuple[str, Any]], load: Load) -> int:
        """Send messages, no more than the buffer holds, and return their number.

        Those before a wrong one are sent too.
        """
        self._check_open(None)
        encode, partitions = self.codec.encode, self._writer.partitions
        rows: list[list[Row]] = [[] for _ in range(partitions)]
        try:
            for pair in chunk:
                try:  # the steps of `emit`, without a call for each
                    key, msg = pair if type(pair) is tuple else _pair(pair)
                    raw, number = hashed(key)
                    data = None if msg is None else encode(msg)
                    if not isinstance(data, bytes) and msg is not None:
                        raise not_bytes(data)
                except Exception as exc:
                    raise self._wrong(pair, exc) from exc
                rows[number % partitions].append((raw, data))
        finally:
            # On a thread, which Ctrl-C cannot interrupt: a message that was counted but not sent
            # would never be answered, and a wait for all answers would never end.
            count = aside(partial(self._hand_over, rows, load)).result()
        return count

    def _hand_over(self, rows: list[list[Row]], load: Load) -> int:
        count = sum(map(len, rows))
        self._deliveries.admit(count, patience=None)
        load.sent += count
        for partition, each in enumerate(rows):
            if each:
                self._writer.send_rows(partition, each, self._encoded_headers, load.note)
        return count

    def _wrong(self, pair: Any, exc: Exception) -> ClicklibError:
        """The error for a pair that cannot be sent because of `exc`."""
        try:
            key, msg = _pair(pair)
        except (TypeError, ValueError):
            wrong = f"pairs are of a key and a message, not {text_of(pair, repr):.60}"
            return UsageError(wrong, topic=self.topic)
        self._hashed(key)
        return self._cannot_encode(key, msg, exc)

    def emit_frame(
        self, frame: pd.DataFrame, key: str, value: str | list[str] | None = None
    ) -> int:
        """`emit_many` for the rows of a DataFrame.

        `key` names the column with the keys, or the index. `value` names the column with the
        messages. If it is a list of names, each message is a dict of these columns; without it,
        of all columns but the key. A gap in the frame is None, and a message of None a tombstone.
        """
        check(frame=frame, key=key)
        if key == frame.index.name:
            frame = frame.reset_index(allow_duplicates=True)
        columns = list(frame.columns)
        if value is None:
            value = [name for name in columns if name != key]
        for name in (key, *(value if isinstance(value, list) else [value])):
            if columns.count(name) != 1:
                known = ", ".join(map(str, columns))
                fault = f"{name!r} twice:" if name in columns else f"no column {name!r}, only"
                raise UsageError(f"the frame has {fault} {known}")
        messages = frame[value].astype(object)
        messages = messages.where(messages.notna(), None)
        rows = messages.to_dict("records") if isinstance(value, list) else messages.tolist()
        return self.emit_many(list(zip(frame[key].tolist(), rows, strict=True)))

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

    def _check_headers(self, key: str, headers: Mapping[str, bytes] | None) -> None:
        if headers is not None:
            check({"topic": self.topic, "key": key}, headers=headers)

    def _check_open(self, key: str | None) -> None:
        """Raise the error of an emitter that takes no more messages."""
        if self.closed:
            raise UsageError("the emitter is closed", topic=self.topic, key=key)
        if self._deliveries.error is not None:
            raise self._deliveries.error

    def _hashed(self, key: str) -> tuple[bytes, int]:
        try:
            return hashed(key)
        except (TypeError, UnicodeEncodeError):
            encode_key(key, self.topic)  # this says what is wrong
            raise

    def _encode(self, key: str, msg: Any) -> bytes | None:
        try:
            if msg is None:
                return None
            data = self.codec.encode(msg)
            if not isinstance(data, bytes):  # as `codec.encode`, without its call
                raise not_bytes(data)
            return data
        except Exception as exc:
            raise self._cannot_encode(key, msg, exc) from exc

    def _cannot_encode(self, key: str, msg: Any, exc: Exception) -> ClicklibError:
        where = {"topic": self.topic, "key": key}
        return cannot_encode("the codec of the stream", msg, exc, **where)

    def _wait_for_room(self, key: str, patience: float) -> None:
        """Wait for room in the buffer. It comes: each message gets an answer or times out."""
        if self._writer.answers_here():
            raise UsageError(
                "the buffer is full, and a future's callback runs on the thread that empties it: "
                "emit from another thread",
                topic=self.topic,
                key=key,
            )
        if not self._deliveries.admit(patience=patience):
            raise UnavailableError(
                f"no room in the buffer within {patience:g} s: Kafka acknowledged no message",
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

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, *exc: object) -> None:
        self.close()
        if kind is None and self.error is not None:
            raise self.error

    @property
    def error(self) -> KafkaError | None:
        """The error of the first message that Kafka did not take, or of a topic that changed."""
        return self._deliveries.error

    def stats(self) -> EmitterStats:
        """The messages that `emit` took, and how many of them were acknowledged or failed.

        A message is counted before its future is done. `error` of the emitter is the first failure.
        """
        return EmitterStats(*self._deliveries.totals())

    def __repr__(self) -> str:
        return f"<Emitter {self.topic}{' closed' if self.closed else ''}>"


def _pair(given: Any) -> tuple[Any, Any]:
    """A key and its message. Raises TypeError or ValueError if that is not what was given."""
    if isinstance(given, str | dict | set | frozenset):  # two letters, or the names of two fields
        raise TypeError
    key, msg = given
    return key, msg
