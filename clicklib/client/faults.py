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

_CODE = re.compile(r"\[Error (?P<code>-?\d+)\] \w+(?P<bare>$)?")

# What Kafka's clients only name.
_SAYS = {
    kafka.errors.UnknownError.errno: "the broker failed, and only its log says why. If it refuses "
    "a group or a transaction, it often cannot write the record into __consumer_offsets or "
    "__transaction_state: look at the settings of these topics, such as max.message.bytes",
    kafka.errors.InvalidTransactionTimeoutError.errno: "the cluster allows shorter transactions "
    "only: raise the broker's transaction.max.timeout.ms",
    kafka.errors.GroupMaxSizeReachedError.errno: "the group has as many members as the cluster "
    "allows: stop one of them, or raise the broker's group.max.size",
}


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
    """The broker's own words if kafka-python shows the whole request and the whole answer.

    A code without words is put into words.
    """
    found = _ANSWER.search(str(error))
    if found is None:
        return f"{error}{_meaning(str(error))}"
    words = found["message"]
    return type(error).__name__ if words is None else words.replace("\\'", "'")


def _meaning(text: str) -> str:
    """The meaning of Kafka's error code in a text, if the text does not give it."""
    found = _CODE.search(text)
    if found is None:
        return ""
    code = int(found["code"])
    plain = kafka.errors.for_code(code).description if found["bare"] is not None else ""
    words = _SAYS.get(code, plain)
    return f": {words}" if words else ""
