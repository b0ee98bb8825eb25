"""A store in memory."""

from __future__ import annotations

from collections.abc import Iterator

from clicklib.table import Rows, Snapshot

__all__ = ["MemoryStorage"]


class MemoryStorage:
    """A store in a dict: the quickest, and lost when the process ends."""

    def __init__(self) -> None:
        self.position: int | None = None
        self._rows: dict[bytes, bytes] = {}
        self.get = self._rows.get

    def items(self, prefix: bytes = b"") -> Iterator[tuple[bytes, bytes]]:
        # list() of a dict is one step, so that a writer on another thread cannot disturb it.
        rows = list(self._rows.items())
        return iter(sorted(row for row in rows if row[0].startswith(prefix)))

    def __len__(self) -> int:
        return len(self._rows)

    def snapshot(self) -> Snapshot:
        return self

    def release(self) -> None:
        pass

    def write(self, rows: Rows, position: int) -> None:
        for key, data in rows.items():
            if data is None:
                self._rows.pop(key, None)
            else:
                self._rows[key] = data
        self.position = position

    def evict(self, key: bytes) -> None:
        self._rows.pop(key, None)

    def clear(self) -> None:
        self._rows.clear()
        self.position = None

    def close(self) -> None:
        pass
