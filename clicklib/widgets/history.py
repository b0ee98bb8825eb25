"""The history of clicks and owners, in a plot that the reader can zoom."""

from __future__ import annotations

import html
import time
from collections import deque
from importlib.resources import files
from typing import Any

import traitlets

from clicklib.errors import needing
from clicklib.given import check
from clicklib.view import View
from clicklib.widgets.colours import PALETTE, colour
from clicklib.widgets.group_watch import GroupWatch, Processors, group_watch
from clicklib.widgets.picture import Picture, asset
from clicklib.widgets.rows import Count, Rows, clicks_of, counted
from clicklib.widgets.text import natural, readable

__all__ = ["HistoryPlot"]

_LINES = 10
_SECONDS = 600  # of history, with one sample a second
_DASHES = ("solid", "dash")

_current: HistoryPlot | None = None


class HistoryPlot(Picture):
    """At the top the clicks of each user over time, at the bottom the owners of each partition.

    It takes a sample each second and remembers ten minutes. With `draw=False` it draws nothing
    until `draw()` is called. A kernel has one HistoryPlot: a new one closes the old one, because
    plotly loads 5 MB and costs the browser ten times as much as the other widgets.
    """

    _esm = asset("history.js")
    _plotly = traitlets.Unicode().tag(sync=True)  # the library; empty until it has to draw
    period = 1.0
    _watch: GroupWatch

    def __init__(
        self,
        view: View,
        processor: Processors = None,
        *,
        height: int = 380,
        count: Count = clicks_of,
        draw: bool = True,
        rows: Rows | None = None,
        watch: GroupWatch | None = None,
    ) -> None:
        global _current
        check(view=view, processor=processor, height=height, count=count, draw=draw)
        if _current is not None:
            _current.close()
        _current = self
        self._rows, self._count = rows or Rows(view), count
        self._watch = watch or group_watch(processor, view=view)
        self._height, self._draws = height, draw
        self._begin = time.monotonic()
        self._samples: deque[tuple[float, dict[str, float]]] = deque(maxlen=_SECONDS)
        super().__init__()
        self.add_class("clicklib-history")

    def draw(self) -> None:
        """Load plotly and begin to draw, soon."""
        self._draws = True

    def look(self) -> dict[str, Any]:
        counts = counted(self._rows.read(), self._count)
        top = sorted(sorted(counts, key=natural), key=lambda key: -counts[key])[: 2 * _LINES]
        self._samples.append((time.monotonic() - self._begin, {key: counts[key] for key in top}))
        self._watch.latest()
        if not self._draws:
            return {"error": self._watch.error}
        if not self._plotly:
            self._plotly = _library()
        return {
            "times": [round(time, 2) for time, _ in self._samples],
            "lines": self._lines(sorted(top[:_LINES], key=natural)),
            "owners": self._owners(self._samples[0][0]),
            "colours": self._watch.colours(),
            "height": self._height,
            "error": self._watch.error,
        }

    def _lines(self, users: list[str]) -> list[dict[str, Any]]:
        return [
            {
                "name": html.escape(readable(user, 20)),  # plotly takes names for HTML
                "y": [counts.get(user) for _, counts in self._samples],
                "color": colour(index)[0],
                "dash": _DASHES[index // len(PALETTE)],
            }
            for index, user in enumerate(users)
        ]

    def _owners(self, since: float) -> list[tuple[int, str, float, float]]:
        """Partition, letter, begin and seconds of each owner since that second of the history."""
        now, owners = time.monotonic(), []
        for partition, strip in self._watch.strips().items():
            for owner, start, end in strip:
                begin = max(start - self._begin, since)
                length = (end or now) - self._begin - begin
                if owner and length > 0:
                    owners.append((partition, owner, begin, length))
        return owners


def _library() -> str:
    """The text of plotly.js."""
    with needing("HistoryPlot"):
        return files("plotly").joinpath("package_data", "plotly.min.js").read_text("utf-8")
