"""One partition of a table: its rows in a store, and its recovery from the table's topic."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Protocol

from clicklib.codec import Codec, cannot_decode
from clicklib.errors import CallbackError
from clicklib.given import unfinished
from clicklib.keys import decode_key

__all__ = [
    "Rows",
    "Snapshot",
    "Storage",
    "Table",
    "Updated",
    "decode_row",
    "progress",
    "reach",
    "starting_point",
    "update_caller",
]

Rows = Mapping[bytes, bytes | None]
"""Values by key, both encoded. None removes a row."""

Updated = Callable[[int, Rows], None]
"""Called with a partition and the rows that were stored for it."""


class Snapshot(Protocol):
    """Quick reads for one thread.

    The first read fixes the moment. All reads until `release` show the store at that moment.
    """

    def get(self, key: bytes, /) -> bytes | None: ...

    def release(self) -> None: ...


class Storage(Protocol):
    """One partition of a table. Any thread may read; one thread writes."""

    @property
    def position(self) -> int | None:
        """The offset of the first record that is not in the store; None for a new store."""

    def get(self, key: bytes, /) -> bytes | None: ...

    def items(self, prefix: bytes = b"") -> Iterator[tuple[bytes, bytes]]:
        """The rows whose key begins with `prefix`, sorted by key."""

    def __len__(self) -> int: ...

    def snapshot(self) -> Snapshot: ...

    def write(self, rows: Rows, position: int) -> None:
        """Set rows and position, both or neither. None as a value removes a row."""

    def evict(self, key: bytes) -> None:
        """Remove a row from this store; the topic keeps it."""

    def clear(self) -> None:
        """Remove all rows and the position."""

    def close(self) -> None: ...


def starting_point(position: int | None, begin: int, end: int) -> tuple[int, bool]:
    """The offset to read from, and whether the store is kept. The topic holds [begin, end).

    If `position` is beyond `end`, the topic was truncated or made anew. If it is before `begin`,
    the store may have missed tombstones. In both cases the store is rebuilt.
    """
    if position is None:
        return begin, True
    if begin <= position <= end:
        return position, True
    return begin, False


def reach(position: int | None, offsets: Sequence[int]) -> int:
    """The new position of a store at `position`, with this program's rows at `offsets` added.

    The position moves past these rows if no offset is missing. Otherwise it stays: the missing one
    may be of another program's row, and the next recovery must read it.
    """
    begin, end = position or 0, offsets[-1] + 1
    return end if offsets[0] == begin and end - begin == len(offsets) else begin


class Table:
    """The rows of one partition in a store, and the position of the store in the topic.

    A table is recovered when its position has reached `end`, the end offset of the topic when the
    recovery began. It does not wait for a record: control records and the holes that compaction
    leaves have offsets too.
    """

    def __init__(self, partition: int, store: Storage, begin: int, end: int) -> None:
        self.partition = partition
        self.store = store
        self.end = end
        self.start, fits = starting_point(store.position, begin, end)
        self.dropped = not fits
        if self.dropped:
            store.clear()
        self.position = self.start
        if self.recovered and store.position is None:
            store.write({}, self.position)  # an empty table needs no recovery

    @property
    def recovered(self) -> bool:
        return self.position >= self.end

    def apply(self, records: Sequence[Any], position: int) -> Rows:
        """Write `records` and the new `position` to the store; return the rows.

        If a key occurs more than once, its last value counts. A null value removes the key.
        """
        rows = {record.key: record.value for record in records}
        rows.pop(None, None)  # a processor writes only records with a key
        self.store.write(rows, position)
        self.position = position
        return rows


def progress(tables: Iterable[Table]) -> tuple[int, int]:
    """Two numbers for the recovery of `tables`: offsets read so far, and offsets to read in all."""
    spans = [(table.start, table.position, table.end) for table in list(tables)]
    return (
        sum(max(0, min(position, end) - start) for start, position, end in spans),
        sum(max(0, end - start) for start, _, end in spans),
    )


def decode_row(codec: Codec, topic: str, partition: int, key: bytes, data: bytes) -> Any:
    """The decoded value of a row. Raises CodecError with its topic, partition and key."""
    try:
        return codec.decode(data)
    except Exception as exc:
        where = {"topic": topic, "partition": partition, "key": decode_key(key)}
        raise cannot_decode("the table's codec", data, exc, **where) from exc


def update_caller(
    on_update: Callable[[str, Any], None] | None, codec: Codec, topic: str
) -> Updated | None:
    """Make a function that calls `on_update` for each row; None without `on_update`.

    It raises CodecError, and CallbackError if `on_update` raises or did no work.
    """
    if on_update is None:
        return None

    def update(partition: int, rows: Rows) -> None:
        for raw, data in rows.items():
            key = decode_key(raw)
            value = None if data is None else decode_row(codec, topic, partition, raw, data)
            where: dict[str, Any] = {"topic": topic, "partition": partition, "key": key}
            try:
                returned = on_update(key, value)
            except BaseException as exc:
                raise CallbackError(f"on_update raised {exc!r}", **where) from exc
            if error := unfinished(returned, "on_update", **where):
                raise error

    return update
