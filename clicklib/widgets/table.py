"""The table of a view, row by row."""

from __future__ import annotations

from typing import Any

from clicklib.client.logs import LogRecord, Logs
from clicklib.codec import Json, fields_of
from clicklib.errors import text_of
from clicklib.given import check
from clicklib.keys import encode_key, fnv1a
from clicklib.view import View
from clicklib.widgets.picture import Picture, asset
from clicklib.widgets.rows import Count, Rows, clicks_of, counted
from clicklib.widgets.text import natural, readable
from clicklib.widgets.watch import Watch

__all__ = ["TableView"]

_JSON = Json()


class TableView(Picture):
    """The live table of a view. A press on a key shows its hash, partition and last offset.

    The picture has at most `limit` rows, sorted by key. A press on the heading of the clicks sorts
    the rows by clicks instead.
    """

    _esm = asset("table.js")

    def __init__(
        self, view: View, *, limit: int = 100, count: Count = clicks_of, rows: Rows | None = None
    ) -> None:
        check(view=view, limit=limit, count=count)
        self.view, self._limit, self._count = view, limit, count
        self._rows = rows or Rows(view)
        self._by_count = False
        self._keys: dict[str, str] = {}
        self.selected: str | None = None
        self._watch: Watch[Logs, tuple[str, int, LogRecord | None]] = Watch(
            f"clicklib finds keys of {view.table}",
            lambda: Logs(view.cluster, view.table, timeout=3.0),
            self._find,
            every=1.0,
        )
        super().__init__()

    def select(self, key: str | None) -> None:
        """Show hash, partition and last offset of `key`; None shows nothing."""
        self.selected = key
        self._watch.hurry()

    def told(self, message: dict[str, Any]) -> None:
        if "select" in message:
            self.select(self._keys.get(message["select"]))
        elif "sort" in message:
            self._by_count = message["sort"] == "count"

    def look(self) -> dict[str, Any]:
        rows = self._rows.read()
        counts, keys = counted(rows, self._count), sorted(rows, key=natural)
        if self._by_count:
            keys.sort(key=lambda key: -counts[key])
        self._keys = {readable(key): key for key in keys[: self._limit]}
        return {
            "rows": [[shown, counts[key], _text(rows[key])] for shown, key in self._keys.items()],
            "more": len(rows) - len(self._keys),
            "sort": "count" if self._by_count else "key",
            "selected": None if self.selected is None else readable(self.selected),
            "detail": self._detail(),
            "state": self.view.state.value,
            "error": str(self.view.error or ""),
        }

    def _find(self, logs: Logs) -> tuple[str, int, LogRecord | None]:
        key = self.selected or ""
        return key, *logs.last(key)

    def _detail(self) -> str:
        """Key, hash, partition and last offset of the selected key."""
        if self.selected is None:
            return ""
        value = fnv1a(encode_key(self.selected))
        signed = value if value < 1 << 31 else value - (1 << 32)
        found = self._watch.latest()
        if self._watch.error:
            place = self._watch.error
        elif found is None or found[0] != self.selected:
            place = "…"
        else:
            _, partition, record = found
            last = "no record" if record is None else f"last offset {record.offset}"
            place = f"partition {partition}, {last}"
        return f"{readable(self.selected)}: hash {signed}, {place}"


def _text(value: Any) -> str:
    """The value or its fields as JSON if that keeps them, else as Python writes the value."""
    fields = fields_of(value)
    try:
        return readable(_JSON.encode(value if fields is None else fields).decode(), 120)
    except Exception:
        return readable(text_of(value, repr), 120)
