"""A codec turns a value into the bytes of a Kafka record, and the bytes into a value again."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Protocol

import msgspec

from clicklib.errors import CodecError

__all__ = [
    "Bytes",
    "Codec",
    "Int64",
    "Json",
    "String",
    "cannot_decode",
    "cannot_encode",
    "encode",
    "text_of",
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
    """

    def __init__(self, type: Any = Any) -> None:
        self.encode = msgspec.json.Encoder().encode
        self.decode = msgspec.json.Decoder(type).decode


def encode(codec: Codec, value: Any) -> bytes:
    """The bytes that `codec` makes of `value`. Raises TypeError if they are not bytes."""
    data = codec.encode(value)
    if not isinstance(data, bytes):
        raise TypeError(f"encode returned {type(data).__name__}, not bytes")
    return data


def cannot_encode(whose: str, value: Any, exc: Exception, **where: Any) -> CodecError:
    """The error for a value of which a codec could not make bytes."""
    return CodecError(f"{whose} cannot encode {text_of(value, repr):.60}: {text_of(exc)}", **where)


def cannot_decode(whose: str, data: bytes, exc: Exception, **where: Any) -> CodecError:
    """The error for bytes that a codec could not read."""
    return CodecError(f"{whose} cannot decode {data[:60]!r}: {text_of(exc)}", **where)


def text_of(value: Any, to: Callable[[Any], str] = str) -> str:
    """The text of any object. What its own method raises must not hide the error told of."""
    try:
        return to(value)
    except Exception:
        return f"<{type(value).__name__}>"
