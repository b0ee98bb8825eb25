"""The table of a view, row by row."""

from __future__ import annotations

from typing import Any

import msgspec

from clicklib.client.logs import LogRecord, Logs
from clicklib.keys import encode_key, fnv1a
from clicklib.view import View
from clicklib.widgets.painter import Picture, asset
from clicklib.widgets.sources import Count, Rows, Watch, clicks_of, natural, readable

__all__ = ["TableView"]


class TableView(Picture):
    """The table of a view, which follows. A press on a key tells where it lies in Kafka.

    Shows `limit` rows, the first by key, or those with the most clicks after a press on that
    heading.
    """

    _esm = asset("table.js")

    def __init__(
        self, view: View, *, limit: int = 100, count: Count = clicks_of, rows: Rows | None = None
    ) -> None:
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
        """Show where `key` lies; None shows nothing."""
        self.selected = key
        self._watch.hurry()

    def told(self, message: dict[str, Any]) -> None:
        if "select" in message:
            self.select(self._keys.get(message["select"]))
        elif "sort" in message:
            self._by_count = message["sort"] == "count"

    def end(self) -> None:
        super().end()
        self._watch.rest()

    def look(self) -> dict[str, Any]:
        rows = self._rows.read()
        keys = sorted(rows, key=natural)
        if self._by_count:
            keys.sort(key=lambda key: -self._count(rows[key]))
        self._keys = {readable(key): key for key in keys[: self._limit]}
        return {
            "table": self.view.table,
            "rows": [
                [shown, self._count(rows[key]), _text(rows[key])]
                for shown, key in self._keys.items()
            ],
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
    try:
        return readable(msgspec.json.encode(value).decode(), 120)
    except (TypeError, ValueError):
        return readable(repr(value), 120)
