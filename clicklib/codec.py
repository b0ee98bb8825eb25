"""A codec turns a value into the bytes of a Kafka record, and the bytes into a value again."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from operator import attrgetter
from typing import Any, Protocol

import msgspec

from clicklib.errors import CodecError, UsageError, text_of

__all__ = [
    "Bytes",
    "Codec",
    "Int64",
    "Json",
    "String",
    "cannot_decode",
    "cannot_encode",
    "encode",
    "fields_of",
    "not_bytes",
]


class Codec(Protocol):
    """Any object with these two methods is a codec. An error in one becomes a CodecError."""

    def encode(self, value: Any, /) -> bytes: ...

    def decode(self, data: bytes, /) -> Any: ...


class Bytes:
    """Bytes, not changed in either direction."""

    def encode(self, value: bytes, /) -> bytes:
        if not isinstance(value, bytes):
            raise TypeError(f"expected bytes, got {type(value).__name__}")
        return value

    def decode(self, data: bytes, /) -> bytes:
        return data


class String:
    """Text as UTF-8."""

    # These are the built-in methods: a Python function around them would double the cost.
    encode = staticmethod(str.encode)
    decode = staticmethod(bytes.decode)


class Int64:
    """A signed 64-bit whole number as decimal digits, as Goka's `codec.Int64` writes it."""

    _DIGITS = re.compile(rb"[+-]?[0-9]{1,19}")

    def encode(self, value: int, /) -> bytes:
        if not isinstance(value, int) or isinstance(value, bool):
            raise TypeError(f"expected an int, got {type(value).__name__}")
        self._check(value)
        return b"%d" % value

    def decode(self, data: bytes, /) -> int:
        if not self._DIGITS.fullmatch(data):
            raise ValueError(f"not a decimal number: {data[:40]!r}")
        value = int(data)
        self._check(value)
        return value

    @staticmethod
    def _check(value: int) -> None:
        if not -(1 << 63) <= value < 1 << 63:
            raise ValueError(f"{value} does not fit into 64 bits")


class Json:
    """JSON, with or without a type.

    With a type (a `msgspec.Struct`, a dataclass, `dict[str, int]`, …) each decoded message is
    checked against that type, so a wrong codec fails at the first message.

    `encode` raises ValueError for a value that would be read back as another one. Without a type
    these are tuples, sets, bytes, times, decimals, objects, keys that are not text, and numbers
    that are not finite. A type keeps what it names: `Json(dict[int, Decimal])`.
    """

    def __init__(self, type: Any = Any) -> None:
        try:
            self.decode = msgspec.json.Decoder(type).decode
        except TypeError as exc:
            raise UsageError(f"Json cannot be of type {text_of(type, repr):.60}: {exc}") from exc
        self.encode = _faithful(self.decode, type)


def _faithful(decode: Callable[[bytes], Any], kind: Any) -> Callable[[Any], bytes]:
    """An `encode` for JSON that reads what it wrote, and compares. That takes four times as long.

    A Struct of one whole number, such as the User of the clicks, is not read: JSON keeps it if its
    class and that of its number are the right ones.
    """
    write, number = msgspec.json.Encoder().encode, _only_number(kind)

    def encode(value: Any, /) -> bytes:
        data = write(value)
        if number is None or type(value) is not kind or type(number(value)) is not int:
            try:
                back = decode(data)
            except msgspec.DecodeError as exc:
                raise ValueError(f"it could not be read back: {exc}") from exc
            if back != value and (change := _change(value, back)):
                raise ValueError(change)
        return data

    return encode


def _only_number(kind: Any) -> Callable[[Any], Any] | None:
    """Gets the only field of the Struct `kind` if it is a whole number. None for other types."""
    if not isinstance(kind, type) or not issubclass(kind, msgspec.Struct):
        return None
    fields = msgspec.structs.fields(kind)
    if [field.type for field in fields] != [int] or hasattr(kind, "__post_init__"):
        return None
    return attrgetter(fields[0].name)


def _change(value: Any, back: Any, at: str = "") -> str:
    """How `back` differs from `value`; empty if they are the same.

    Objects without an equality of their own are compared field by field, and so are those of a
    class that a notebook's cell has defined again.
    """
    if value == back:
        return ""
    if _name(value) == _name(back):
        parts, others = _parts(value), _parts(back)
        if parts and parts.keys() == others.keys():
            changes = (_change(parts[name], others[name], f"{at}[{name!r}]") for name in parts)
            return next(filter(None, changes), "")
        if _moment_or_text(value) == _moment_or_text(back):
            return ""
    where = f"at {at} " if at else ""
    return f"{where}{text_of(value, repr):.60} would be read back as {text_of(back, repr):.60}"


def _name(value: Any) -> tuple[str, str]:
    return type(value).__module__, type(value).__qualname__


def _parts(value: Any) -> dict[Any, Any]:
    if isinstance(value, list | tuple):
        return dict(enumerate(value))
    return fields_of(value) or {}


def _moment_or_text(value: Any) -> Any:
    """Python calls equal times of two zones unequal in the hour that a change of clocks repeats."""
    if isinstance(value, datetime) and value.tzinfo is not None:
        return value.astimezone(UTC)
    return repr(value)


def fields_of(value: Any) -> dict[Any, Any] | None:
    """The fields of a dict, a Struct or a dataclass as they are; None for any other value.

    The fields of a Struct have the names that they have in JSON.
    """
    kind = type(value)
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, msgspec.Struct):
        config, names = value.__struct_config__, kind.__struct_encode_fields__
        tag = {} if config.tag is None else {config.tag_field: config.tag}
        pairs = zip(names, msgspec.structs.astuple(value), strict=True)
        return tag | {name: each for name, each in pairs if each is not msgspec.UNSET}
    for listed in ("__dataclass_fields__", "__attrs_attrs__"):
        if hasattr(kind, listed):
            names = [getattr(each, "name", each) for each in getattr(kind, listed)]
            return {name: getattr(value, name) for name in names if hasattr(value, name)}
    return None


def encode(codec: Codec, value: Any) -> bytes:
    """The bytes that `codec` makes of `value`. Raises TypeError if they are not bytes."""
    data = codec.encode(value)
    if not isinstance(data, bytes):
        raise not_bytes(data)
    return data


def not_bytes(data: Any) -> TypeError:
    """The error for what a codec returned instead of bytes."""
    return TypeError(f"encode returned {type(data).__name__}, not bytes")


def cannot_encode(whose: str, value: Any, exc: Exception, **where: Any) -> CodecError:
    """The error for a value of which a codec could not make bytes."""
    reason = text_of(exc)
    if reason.startswith("descriptor 'encode' for 'str'"):  # String's own is a built-in method
        reason = f"String takes text, not {type(value).__name__}"
    return CodecError(f"{whose} cannot encode {text_of(value, repr):.60}: {reason}", **where)


def cannot_decode(whose: str, data: bytes, exc: Exception, **where: Any) -> CodecError:
    """The error for bytes that a codec could not read."""
    return CodecError(f"{whose} cannot decode {data[:60]!r}: {text_of(exc)}", **where)
