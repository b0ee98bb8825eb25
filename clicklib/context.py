"""The context of a callback: its message, and the value of the message's key in the table."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn

from clicklib.codec import Codec, cannot_decode, cannot_encode, not_bytes
from clicklib.errors import CallbackError, ClicklibError, UsageError, text_of
from clicklib.keys import decode_key

__all__ = ["Context"]

_MISSING: Any = object()


class _NoMessage:
    """The message of a context outside of a callback: any use of it raises UsageError."""

    def __getattr__(self, name: str) -> NoReturn:
        raise UsageError("a context is good only until its callback returns")


_NO_MESSAGE = _NoMessage()

Read = Callable[[bytes], bytes | None]


class Context:
    """The first argument of a callback. It is valid until the callback returns.

    A context gathers the changes of the callback and sends nothing. An error that a method of
    the context raises stops the processor, even if the callback catches that error.
    """

    __slots__ = (
        "_before",
        "_changed",
        "_decode",
        "_encode",
        "_record",
        "error",
        "group",
        "read",
        "rows",
        "size",
    )

    def __init__(self, group: str, codec: Codec, read: Read) -> None:
        self.group = group
        self.read = read
        self.rows: dict[bytes, bytes | None] = {}
        self.size = 0
        self.error: ClicklibError | None = None
        self._encode, self._decode = codec.encode, codec.decode
        self._record: Any = _NO_MESSAGE
        self._changed: Any = None  # the last message that changed a row
        self._before: Any = None  # the data of that row before that message

    @property
    def key(self) -> str:
        """The message's key: in the clicks example, the user."""
        return decode_key(self._record.key)

    @property
    def topic(self) -> str:
        """The topic that the message was read from."""
        return self._record.topic

    @property
    def partition(self) -> int:
        """The message's partition, and so the partition of its key's value in the table."""
        return self._record.partition

    @property
    def offset(self) -> int:
        """The message's offset in its partition."""
        return self._record.offset

    @property
    def timestamp(self) -> int:
        """The message's time in milliseconds since 1970, set by the emitter or the broker."""
        return self._record.timestamp

    @property
    def headers(self) -> dict[str, bytes | None]:
        """The message's headers. If a name occurs twice, the last one counts."""
        return dict(self._record.headers)

    def value(self) -> Any:
        """The value of the message's key in the table, or None if there is none.

        Each call decodes a new object. To change the table, call `set_value`.
        """
        key = self._record.key or b""
        data = self.rows[key] if key in self.rows else self.read(key)
        if data is None:
            return None
        try:
            return self._decode(data)
        except Exception as exc:
            error = cannot_decode("the table's codec", data, exc, **self._where())
            raise self._failed(error) from exc

    def set_value(self, value: Any) -> None:
        """Give the message's key a value in the table; `value()` returns it from now on."""
        if value is _MISSING:
            data = None
        else:
            try:
                data = self._encode(value)
                if not isinstance(data, bytes):  # as `codec.encode`, without its call
                    raise not_bytes(data)
            except Exception as exc:
                error = cannot_encode("the table's codec", value, exc, **self._where())
                raise self._failed(error) from exc
        record, rows = self._record, self.rows
        key = record.key or b""
        before = rows.get(key, _MISSING)
        if self._changed is not record:
            self._changed, self._before = record, before
        if before is _MISSING:
            self.size += len(data or b"") + len(key)
        else:
            self.size += len(data or b"") - len(before or b"")
        rows[key] = data

    def delete(self) -> None:
        """Remove the message's key from the table: the table's topic gets a null, a tombstone."""
        self.set_value(_MISSING)

    def fail(self, reason: str | BaseException) -> NoReturn:
        """Stop the processor; this message stays uncommitted and comes again at the next start.

        Raises CallbackError.
        """
        error = CallbackError(f"the callback failed: {text_of(reason)}", **self._where())
        raise self._failed(error) from (reason if isinstance(reason, BaseException) else None)

    def undo(self) -> None:
        """Undo the changes of the current message: it failed, and Kafka will deliver it again."""
        if self._changed is self._record:
            key = self._record.key or b""
            if self._before is _MISSING:
                del self.rows[key]
            else:
                self.rows[key] = self._before

    def parted(self) -> Context:
        """A context for the next messages, with the changes so far. This one is detached."""
        other = Context.__new__(Context)
        for name in Context.__slots__:
            setattr(other, name, getattr(self, name))
        self.leave()
        return other

    def leave(self) -> None:
        """Detach the message: a program that kept this context gets UsageError from now on."""
        self._record = _NO_MESSAGE

    def _where(self) -> dict[str, Any]:
        record = self._record
        return {
            "topic": record.topic,
            "partition": record.partition,
            "offset": record.offset,
            "key": decode_key(record.key),
        }

    def _failed(self, error: ClicklibError) -> ClicklibError:
        if self.error is None:
            self.error = error
        return error
