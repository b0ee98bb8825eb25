"""Records as kafka-python's consumer returns them, as far as clicklib looks at them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple


class Record(NamedTuple):
    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...] = ()

    @property
    def serialized_key_size(self) -> int:
        return -1 if self.key is None else len(self.key)

    @property
    def serialized_value_size(self) -> int:
        return -1 if self.value is None else len(self.value)


def record(
    key: bytes | None = b"user-3",
    value: bytes | None = b"now",
    offset: int = 0,
    headers: tuple[tuple[str, bytes | None], ...] = (),
    topic: str = "clicks",
) -> Record:
    return Record(topic, 0, offset, 1_700_000_000_000, key, value, headers)


def clicks(keys: Iterable[str], first: int = 0) -> list[Record]:
    """One click of each key, at offsets from `first` on."""
    return [record(key.encode(), offset=first + index) for index, key in enumerate(keys)]
