"""The errors that clicklib raises.

    ClicklibError
    ├── UsageError           the program uses clicklib in a wrong way
    ├── DataError            a message that a codec or a callback rejects
    │   ├── CodecError
    │   └── CallbackError
    ├── StoreError           the local copy of a table cannot be read or written
    ├── KafkaError           a fault of the broker, a topic or the group
    │   ├── TopicError       a topic is missing or differs from what is wanted
    │   ├── DeliveryError    Kafka did not acknowledge a record
    │   ├── UnavailableError no broker answers
    │   └── LocalBrokerError the Kafka on this machine cannot start or stop
    └── InternalError        an exception that clicklib did not expect: please report it

Each error has the attributes `topic`, `partition`, `offset` and `key`; those that are known also
stand in its message. `run()` and `wait()` raise the first error that stopped a processor or view,
and `emit` that of its emitter. `__cause__` is its cause, and later errors are attached as notes.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

__all__ = [
    "CallbackError",
    "ClicklibError",
    "CodecError",
    "DataError",
    "DeliveryError",
    "InternalError",
    "KafkaError",
    "LocalBrokerError",
    "OUT_OF_FILES",
    "StoreError",
    "TopicError",
    "UnavailableError",
    "UsageError",
    "is_out_of_files",
    "needing",
    "text_of",
]


class ClicklibError(Exception):
    """The base class of all errors of clicklib. Only its subclasses are raised."""

    def __init__(
        self,
        message: str,
        *,
        topic: str | None = None,
        partition: int | None = None,
        offset: int | None = None,
        key: str | None = None,
    ) -> None:
        self.topic, self.partition, self.offset, self.key = topic, partition, offset, key
        where = [
            f"{name} {value!r}" if name == "key" else f"{name} {value}"
            for name, value in (
                ("topic", topic),
                ("partition", partition),
                ("offset", offset),
                ("key", key if key is None else _shorten(key)),
            )
            if value is not None
        ]
        super().__init__(f"{message} ({', '.join(where)})" if where else message)


def _shorten(key: str, limit: int = 80) -> str:
    return key if len(key) <= limit else key[:limit] + "…"


class UsageError(ClicklibError):
    """The program uses clicklib in a wrong way: a wrong argument, a call at a wrong time."""


class DataError(ClicklibError):
    """A message cannot be handled. It stays uncommitted and comes again after a restart."""


class CodecError(DataError):
    """A codec could not encode a value or decode bytes."""


class CallbackError(DataError):
    """The callback raised, called `ctx.fail`, swallowed an error of its context, or did no work."""


class StoreError(ClicklibError):
    """A local store cannot be read or written: a full disk, a damaged file."""


class KafkaError(ClicklibError):
    """A fault of the broker, a topic or the group."""


class TopicError(KafkaError):
    """A topic is missing, or its partitions or configuration differ from what is wanted."""


class DeliveryError(KafkaError):
    """Kafka did not acknowledge a record within the delivery timeout, or refused it."""


class UnavailableError(KafkaError):
    """No broker answers at the given addresses within the time allowed."""


class LocalBrokerError(KafkaError):
    """The Kafka on this machine could not be fetched, started or stopped."""


class InternalError(ClicklibError):
    """An exception that clicklib did not expect: a bug in clicklib. `__cause__` has it."""


OUT_OF_FILES = (
    "this program may not open more files: raise the limit (`ulimit -n`), or stop processors, "
    "views and emitters that are not needed (a processor of ten partitions takes about 35 files)"
)
"""The way out of an error for which `is_out_of_files` is true."""


def is_out_of_files(error: BaseException) -> bool:
    """Whether the program has met the limit of open files; libraries tell it as a text only."""
    return "Too many open files" in str(error)


def text_of(value: Any, to: Callable[[Any], str] = str) -> str:
    """The text of any object.

    If the object's own method fails, it is the type's name. So the first error stays visible.
    """
    try:
        return to(value)
    except Exception:
        return f"<{type(value).__name__}>"


@contextmanager
def needing(part: str) -> Iterator[None]:
    """Wraps imports: if a package is missing, the error says that `part` needs it.

    Raises ModuleNotFoundError with the command that installs the package.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package in ("", "clicklib") or package in sys.stdlib_module_names:
            raise
        raise ModuleNotFoundError(
            f"{part} needs the package {package}: pip install {package}", name=error.name
        ) from None
