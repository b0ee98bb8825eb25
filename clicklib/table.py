"""One partition of a table: where to start reading its topic, when it is recovered, its rows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from clicklib.codec import Codec, decode_key
from clicklib.errors import CallbackError, CodecError
from clicklib.stores.storage import Storage

__all__ = ["Table", "decode_row", "progress", "reach", "starting_point", "telling"]


def starting_point(position: int | None, begin: int, end: int) -> tuple[int, bool]:
    """Where to read on, and whether the store may stay, for a topic that holds [begin, end).

    A store that knows more than the topic met a truncated or new topic. One that ends before
    the topic begins may have missed tombstones. Both start over.
    """
    if position is None:
        return begin, True
    if begin <= position <= end:
        return position, True
    return begin, False


def reach(position: int | None, offsets: Sequence[int]) -> int:
    """How far a store that ends at `position` reaches, with its own rows that stand at `offsets`.

    Not beyond a hole, which may hold rows of another program: they are read at the next recovery.
    """
    begin, end = position or 0, offsets[-1] + 1
    return end if offsets[0] == begin and end - begin == len(offsets) else begin


class Table:
    """The rows of one partition in a store, and how far they reach into the topic.

    Recovered means that the position has reached the end offset of the time when the recovery
    began. Positions are compared, never records awaited: control records and the holes that
    compaction leaves have offsets too.
    """

    def __init__(self, partition: int, store: Storage, begin: int, end: int) -> None:
        self.partition = partition
        self.store = store
        self.begin, self.end = begin, end
        self.start, fits = starting_point(store.position, begin, end)
        self.dropped = not fits
        if self.dropped:
            store.clear()
        self.position = self.start
        self._save_empty()

    def _save_empty(self) -> None:
        """An empty table is recovered at once, and known as such."""
        if self.recovered and self.store.position is None:
            self.store.write({}, self.position)

    @property
    def recovered(self) -> bool:
        return self.position >= self.end

    def apply(self, records: Sequence[Any], position: int) -> dict[bytes, bytes | None]:
        """Put `records` into the store, whose position becomes `position`; returns the rows.

        Of a key that stands more than once the last value counts; a null value removes the key.
        """
        rows = {record.key: record.value for record in records}
        rows.pop(None, None)  # only a program that is no table's owner writes without a key
        self.store.write(rows, position)
        self.position = position
        return rows


def progress(tables: Iterable[Table]) -> tuple[int, int]:
    """Offsets read so far, and offsets to read, of these tables' recovery."""
    spans = [(table.start, table.position, table.end) for table in list(tables)]
    return (
        sum(max(0, min(position, end) - start) for start, position, end in spans),
        sum(max(0, end - start) for start, _, end in spans),
    )


def decode_row(codec: Codec, topic: str, partition: int, key: bytes, data: bytes) -> Any:
    """The value of a row; raises CodecError that says where it stands."""
    try:
        return codec.decode(data)
    except Exception as exc:
        raise CodecError(
            f"the table's codec cannot decode {data!r:.60}: {exc}",
            topic=topic,
            partition=partition,
            key=decode_key(key),
        ) from exc


def telling(
    on_update: Callable[[str, Any], None] | None, codec: Codec, topic: str
) -> Callable[[int, Mapping[bytes, bytes | None]], None] | None:
    """What calls `on_update`, if there is one, with key and value of each row of a partition.

    It raises CodecError, and CallbackError for what `on_update` raises.
    """
    if on_update is None:
        return None

    def tell(partition: int, rows: Mapping[bytes, bytes | None]) -> None:
        for raw, data in rows.items():
            key = decode_key(raw)
            value = None if data is None else decode_row(codec, topic, partition, raw, data)
            try:
                on_update(key, value)
            except BaseException as exc:
                raise CallbackError(
                    f"on_update raised {exc!r}", topic=topic, partition=partition, key=key
                ) from exc

    return tell
