"""Records as the consumer returns them."""

from __future__ import annotations

from collections.abc import Iterable

from clicklib.client.batches import Record

__all__ = ["Record", "clicks", "record"]


def record(
    key: bytes | None = b"user-3",
    value: bytes | None = b"now",
    offset: int = 0,
    headers: tuple[tuple[str, bytes | None], ...] = (),
    topic: str = "clicks",
) -> Record:
    sizes = (-1 if data is None else len(data) for data in (key, value))
    return Record(topic, 0, offset, 1_700_000_000_000, key, value, headers, *sizes)


def clicks(keys: Iterable[str], first: int = 0) -> list[Record]:
    """One click of each key, at offsets from `first` on."""
    return [record(key.encode(), offset=first + index) for index, key in enumerate(keys)]
