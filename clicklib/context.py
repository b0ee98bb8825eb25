"""What a callback may do: look at its message, read and change its key's value in the table."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn

from clicklib.codec import Codec, decode_key
from clicklib.errors import CallbackError, ClicklibError, CodecError, UsageError

__all__ = ["Context"]

_MISSING: Any = object()


class _NoMessage:
    """Stands for the message outside of a callback."""

    def __getattr__(self, name: str) -> NoReturn:
        raise UsageError("a context is good only until its callback returns")


_NO_MESSAGE = _NoMessage()

Read = Callable[[bytes], bytes | None]


class Context:
    """Handed to the callback with each message, and good only until it returns.

    It gathers what the callback does and sends nothing. An error that it raises stops the
    processor even if the callback swallows it.
    """

    __slots__ = (
        "_before",
        "_changed",
        "_codec",
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
        self._codec = codec
        self._record: Any = _NO_MESSAGE
        self._changed: Any = None  # the last message that changed a row,
        self._before: Any = None  # and what the row was before

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
        """The message's headers; of a name that stands twice, the last."""
        return dict(self._record.headers)

    def value(self) -> Any:
        """The value of the message's key in the table, or None where it has none.

        Decoded anew at each call: to change the table, call `set_value`.
        """
        key = self._record.key or b""
        data = self.rows[key] if key in self.rows else self.read(key)
        if data is None:
            return None
        try:
            return self._codec.decode(data)
        except Exception as exc:
            raise self._failed(
                CodecError(
                    f"the table's codec cannot decode {data[:60]!r}: {_text(exc)}",
                    **self._where(),
                )
            ) from exc

    def set_value(self, value: Any) -> None:
        """Give the message's key a value in the table; `value()` returns it from now on."""
        try:
            data = self._codec.encode(value)
            if not isinstance(data, bytes):
                raise TypeError(f"encode returned {type(data).__name__}, not bytes")
        except Exception as exc:
            raise self._failed(
                CodecError(
                    f"the table's codec cannot encode {_text(value, repr):.60}: {_text(exc)}",
                    **self._where(),
                )
            ) from exc
        self._set(data)

    def delete(self) -> None:
        """Remove the message's key from the table: a tombstone goes to the table's topic."""
        self._set(None)

    def fail(self, reason: str | BaseException) -> NoReturn:
        """Stop the processor; this message stays uncommitted and comes again at the next start.

        Raises CallbackError.
        """
        error = CallbackError(f"the callback failed: {_text(reason)}", **self._where())
        raise self._failed(error) from (reason if isinstance(reason, BaseException) else None)

    def _set(self, data: bytes | None) -> None:
        record = self._record
        key = record.key or b""
        before = self.rows.get(key, _MISSING)
        if self._changed is not record:
            self._changed, self._before = record, before
        self.size += len(data or b"") - (-len(key) if before is _MISSING else len(before or b""))
        self.rows[key] = data

    def undo(self) -> None:
        """Take back what the message in hand did: it failed, and will come again."""
        if self._changed is self._record:
            key = self._record.key or b""
            if self._before is _MISSING:
                del self.rows[key]
            else:
                self.rows[key] = self._before

    def leave(self) -> None:
        """The callback has returned: what a program keeps of this context is of no use."""
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


def _text(value: Any, to: Callable[[Any], str] = str) -> str:
    """The text of any object; what its own method raises must not hide the error told of."""
    try:
        return to(value)
    except Exception:
        return f"<{type(value).__name__}>"
