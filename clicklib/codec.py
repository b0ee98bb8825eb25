"""A codec turns a value into the bytes of a Kafka record, and the bytes into a value again."""

from __future__ import annotations

import re
from typing import Any, Protocol

import msgspec

__all__ = ["Bytes", "Codec", "Int64", "Json", "String", "decode_key", "encode_key"]


class Codec(Protocol):
    """Any object with these two methods is a codec. An error in one becomes a CodecError."""

    def encode(self, value: Any, /) -> bytes: ...

    def decode(self, data: bytes, /) -> Any: ...


def encode_key(key: str) -> bytes:
    """The key as UTF-8. Bytes that `decode_key` could not read as UTF-8 come back unchanged."""
    return key.encode("utf-8", "surrogateescape")


def decode_key(key: bytes | None) -> str:
    """The text of a record's key. A missing key gives the empty text, as in Goka."""
    return key.decode("utf-8", "surrogateescape") if key else ""


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
