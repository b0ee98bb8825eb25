"""The bars of a table: the clicks of each user."""

from __future__ import annotations

from typing import Any

from clicklib.given import check
from clicklib.view import View
from clicklib.widgets.picture import Picture, asset
from clicklib.widgets.rows import Count, Rows, clicks_of, counted
from clicklib.widgets.text import natural, readable

__all__ = ["CountsPlot"]


class CountsPlot(Picture):
    """A live bar for each user's clicks, and the total. `counts.js` draws the bars.

    If there are more than `limit` users, those with the most clicks get a bar, and the others are
    added up.
    """

    _esm = asset("counts.js")

    def __init__(
        self, view: View, *, limit: int = 10, count: Count = clicks_of, rows: Rows | None = None
    ) -> None:
        check(view=view, limit=limit, count=count)
        self.view, self._limit, self._count = view, limit, count
        self._rows = rows or Rows(view)
        super().__init__()

    def look(self) -> dict[str, Any]:
        counts = counted(self._rows.read(), self._count)
        total, shown = sum(counts.values()), sorted(counts, key=natural)
        if len(counts) > self._limit:
            shown = sorted(shown, key=lambda key: -counts[key])[: self._limit - 1]
        others = total - sum(counts[key] for key in shown)
        return {
            "bars": [[readable(key, 40), counts[key]] for key in shown],
            "others": [len(counts) - len(shown), others],
            "total": total,
            "users": len(counts),
            "state": self.view.state.value,
            "error": str(self.view.error or ""),
        }
