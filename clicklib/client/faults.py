"""kafka-python's errors, and the errors of clicklib that replace them."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from typing import Any

import kafka.errors

from clicklib.errors import DeliveryError, KafkaError, UnavailableError

__all__ = ["OUT_OF_RANGE", "Denied", "OutOfRange", "told", "translated", "undelivered"]

OUT_OF_RANGE = (
    kafka.errors.OffsetOutOfRangeError,
    kafka.errors.NoOffsetForPartitionError,
    kafka.errors.UnknownTopicOrPartitionError,
    kafka.errors.LogTruncationError,
)

# kafka-python calls the last two permanent, but they pass: the broker restarts, or the topic elects
# a new leader.
_PASSING = (
    kafka.errors.RetriableError,
    kafka.errors.UnknownBrokerIdError,
    kafka.errors.BrokerNotAvailableError,
)


_ANSWER = re.compile(
    r"^.*? failed with response .*?"
    r"(?:error_message=(?P<quote>['\"])(?P<message>.*?)(?P=quote)[,)].*)?$",
    re.DOTALL,
)


class OutOfRange(KafkaError):
    """The next offset lies outside of what the topic holds."""


class Denied(KafkaError):
    """The access control lists (ACLs) of the cluster deny a request to this user."""


def told(error: BaseException, needs: str) -> str:
    """The text of an error; if the cluster's ACLs are the cause, with the permission it `needs`."""
    if isinstance(error, kafka.errors.AuthorizationError):
        return f"the ACLs of the cluster do not allow it, this user needs the permission {needs}"
    return _reason(error)


@contextlib.contextmanager
def translated(what: str, needs: str = "Describe on the topic", **where: Any) -> Iterator[None]:
    """Turn kafka-python's errors in the block into a KafkaError whose text begins with `what`.

    An error that may pass by itself becomes UnavailableError; one of the cluster's ACLs becomes
    Denied, and names the permission that the block `needs`.
    """
    try:
        yield
    except kafka.errors.KafkaError as exc:
        cause = exc.__cause__ if isinstance(exc.__cause__, Exception) else exc
        passes = isinstance(cause, _PASSING) and not isinstance(cause, OUT_OF_RANGE)
        kind = UnavailableError if passes else KafkaError
        kind = Denied if isinstance(cause, kafka.errors.AuthorizationError) else kind
        raise kind(f"{what}: {told(cause, needs)}", **where) from cause


def undelivered(what: str, error: BaseException, **where: Any) -> DeliveryError:
    """The error for a record that Kafka did not take because of `error`."""
    reason = told(error, "Write on the topic")
    failure = DeliveryError(f"Kafka did not take {what}: {reason}", **where)
    failure.__cause__ = error
    return failure


def _reason(error: BaseException) -> str:
    """The broker's own words if kafka-python shows the whole request and the whole answer."""
    found = _ANSWER.search(str(error))
    if found is None:
        return str(error)
    words = found["message"]
    return type(error).__name__ if words is None else words.replace("\\'", "'")
