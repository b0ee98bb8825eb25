"""Counts the messages of an emitter: those on their way, and what became of the others."""

from __future__ import annotations

import threading
from typing import Any

from clicklib.client.answers import Answers
from clicklib.client.faults import undelivered
from clicklib.errors import DeliveryError, KafkaError
from clicklib.keys import decode_key

__all__ = ["Deliveries", "Load"]


class Deliveries:
    """Counts messages, and has room for `buffer` that have no answer yet.

    Any thread may call it. It doesn't refer to the emitter, which must go when nobody needs it.
    """

    def __init__(self, topic: str, buffer: int) -> None:
        self._topic, self._buffer = topic, buffer
        self._lock = threading.Lock()
        self._room = threading.Condition(self._lock)
        self._open = self._acknowledged = self._failed = 0
        self.error: KafkaError | None = None

    def admit(self, count: int = 1, patience: float | None = 0.0) -> bool:
        """Count new messages, if there is room for them within `patience` seconds (None: ever)."""
        with self._lock:
            if self._open + count > self._buffer and not self._room.wait_for(
                lambda: self._open + count <= self._buffer, patience
            ):
                return False
            self._open += count
        return True

    def give_back(self, count: int) -> None:
        """Messages that were counted are not sent after all."""
        with self._lock:
            self._open -= count
            self._room.notify_all()

    def note(self, answers: Answers) -> None:
        """Count answers, and keep the first error of all."""
        for failure in self.count(answers)[:1]:
            self.fail(failure)

    def count(self, answers: Answers) -> list[DeliveryError]:
        """Count answers. Replace each error by a DeliveryError. Return the DeliveryErrors."""
        failures: list[DeliveryError] = []
        if not isinstance(answers.results, range):  # a range has no errors
            answers.results = [
                self.undelivered(key, answers.partition, result)
                if isinstance(result, Exception)
                else result
                for key, result in zip(answers.keys, answers.results, strict=True)
            ]
            failures = [each for each in answers.results if isinstance(each, DeliveryError)]
        with self._lock:
            self._open -= len(answers.results)
            self._acknowledged += len(answers.results) - len(failures)
            self._failed += len(failures)
            self._room.notify_all()
        return failures

    def fail(self, error: KafkaError) -> None:
        """Keep the first error."""
        with self._lock:
            self.error = self.error or error

    def totals(self) -> tuple[int, int, int]:
        """The messages that were taken, those acknowledged, and those that failed."""
        with self._lock:
            done, failed = self._acknowledged, self._failed
            return self._open + done + failed, done, failed

    def undelivered(self, key: bytes, partition: int, error: Exception) -> DeliveryError:
        """The error for a message that Kafka did not take."""
        where = {"topic": self._topic, "partition": partition, "key": decode_key(key)}
        return undelivered("the message", error, **where)


class Load:
    """Messages that are emitted together: how many were sent and answered, and which failed.

    Their errors are not those of the emitter: who emitted them is told at the end.
    """

    def __init__(self, deliveries: Deliveries) -> None:
        self._deliveries, self._lock = deliveries, threading.Lock()
        self.sent = self.answered = 0
        self.failures: list[DeliveryError] = []

    def note(self, answers: Answers) -> None:
        failures = self._deliveries.count(answers)
        with self._lock:  # the emitter's thread notes those that are too large
            self.failures += failures
            self.answered += len(answers.results)

    def check(self) -> None:
        """Raise one error for all messages that failed."""
        if self.failures:
            first = self.failures[0]
            where: Any = {"topic": first.topic, "partition": first.partition, "key": first.key}
            what = f"{len(self.failures)} of {self.sent} messages, the first because of"
            raise undelivered(what, first.__cause__ or first, **where) from first
