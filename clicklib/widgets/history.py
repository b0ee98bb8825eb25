"""Clicks and owners over time, to zoom into."""

from __future__ import annotations

import html
import threading
import time
from collections import deque
from typing import Any

import ipywidgets

from clicklib.packages import needing
from clicklib.view import View
from clicklib.widgets.painter import Part, Picture, asset
from clicklib.widgets.sources import (
    COLOURS,
    Count,
    GroupWatch,
    Processors,
    Rows,
    clicks_of,
    group_watch,
    natural,
    readable,
)

__all__ = ["HistoryPlot"]

_LINES = 10
_SECONDS = 600  # that are remembered, a sample each
_DASHES = ("solid", "dash")

_current: HistoryPlot | None = None


class HistoryPlot(Part, ipywidgets.VBox):
    """Clicks of each user over time above, the owner of each partition below, once a second.

    It remembers ten minutes. plotly costs ten times as much in the browser as the other widgets
    and 5 MB to load, so there is one a kernel: a new one closes the one before. With
    `draw=False` it only remembers, until `draw()` is called.
    """

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
        if _current is not None:
            _current.close()
        _current = self
        self._height = height
        self._figure: Any = None
        self._thread: threading.Thread | None = None
        self.picture = _Recorder(
            self, rows or Rows(view), watch or group_watch(processor, view=view), count
        )
        super().__init__([self.picture])
        self.add_class("clicklib-history")
        self.belong()
        if draw:
            self.draw()

    def draw(self) -> None:
        """Load plotly and begin to draw; returns at once."""
        if self._thread is None and not self.closed:
            self._thread = threading.Thread(target=self._make, name="clicklib plotly", daemon=True)
            self._thread.start()

    @property
    def figure(self) -> Any:
        """The plotly FigureWidget, or None until it is made."""
        return self._figure

    def _make(self) -> None:
        try:
            figure = _figure(self._height)
        except Exception as exc:
            self.picture.problem = f"plotly cannot draw: {exc!r}"
            return
        if self.closed:
            _close(figure)
            return
        self._figure = figure
        self.children = (self.picture, figure)

    def end(self) -> None:
        if self._figure is not None:
            _close(self._figure)


def _close(figure: Any) -> None:
    figure.close()


class _Recorder(Picture):
    """Notes once a second what the plot shows, and gives it to the plot."""

    _esm = asset("status.js")
    period = 1.0

    def __init__(self, plot: HistoryPlot, rows: Rows, watch: GroupWatch, count: Count) -> None:
        self._plot, self._rows, self._watch, self._count = plot, rows, watch, count
        self._begin = time.monotonic()
        self._samples: deque[tuple[float, dict[str, float]]] = deque(maxlen=_SECONDS)
        self.problem = ""
        super().__init__()

    def look(self) -> dict[str, Any]:
        counts = {key: self._count(value) for key, value in self._rows.read().items()}
        top = sorted(sorted(counts, key=natural), key=lambda key: -counts[key])[: 2 * _LINES]
        self._samples.append((time.monotonic() - self._begin, {key: counts[key] for key in top}))
        self._watch.latest()
        if self._plot.figure is not None:
            self._draw(self._plot.figure, sorted(top[:_LINES], key=natural))
        text = "" if self._plot.figure is not None else "The plot is being made."
        return {"text": text, "error": self.problem or self._watch.error}

    def _draw(self, figure: Any, users: list[str]) -> None:
        """All changes in one message."""
        times = [time for time, _ in self._samples]
        bars = self._owners(self._begin + times[0])
        with figure.batch_update():
            for index, line in enumerate(figure.data[:-1]):
                user = users[index] if index < len(users) else None
                line.visible = user is not None
                if user is not None:
                    line.name = html.escape(readable(user, 20))  # plotly reads markup
                    line.x = times
                    line.y = [counts.get(user) for _, counts in self._samples]
            last = figure.data[-1]
            for name, values in bars.items():
                if name == "color":
                    last.marker.color = [paper for paper, _ in values]
                    last.textfont.color = [ink for _, ink in values]
                else:
                    last[name] = values

    def _owners(self, since: float) -> dict[str, list[Any]]:
        colours, now = self._watch.colours(), time.monotonic()
        parts = [
            (partition, owner, max(start, since), end or now)
            for partition, strip in self._watch.strips().items()
            for owner, start, end in strip
            if owner and (end or now) > since
        ]
        return {
            "base": [start - self._begin for _, _, start, _ in parts],
            "x": [end - start for _, _, start, end in parts],
            "y": [partition for partition, _, _, _ in parts],
            "text": [owner for _, owner, _, _ in parts],
            "color": [colours[owner] for _, owner, _, _ in parts],
        }


def _figure(height: int) -> Any:
    """Two panes over one axis of time: lines for users, bars for owners."""
    with needing("HistoryPlot"):
        import plotly.graph_objects as go
        from plotly.subplots import make_subplots

    panes = make_subplots(
        rows=2, cols=1, shared_xaxes=True, row_heights=[0.55, 0.45], vertical_spacing=0.06
    )
    for index in range(_LINES):
        line = {
            "color": COLOURS[index % len(COLOURS)][0],
            "dash": _DASHES[index // len(COLOURS)],
        }
        panes.add_trace(go.Scatter(mode="lines", line=line, visible=False), row=1, col=1)
    panes.add_trace(
        go.Bar(
            orientation="h",
            textposition="inside",
            insidetextanchor="middle",
            constraintext="none",
            textangle=0,
            textfont={"size": 10 if height > 320 else 8},  # no higher than the bars
            width=0.9,
            showlegend=False,
            hovertemplate="partition %{y}: %{text}<extra></extra>",
        ),
        row=2,
        col=1,
    )
    figure = go.FigureWidget(panes)
    clear = "rgba(0,0,0,0)"
    axis = {"gridcolor": "rgba(128,128,128,0.3)", "zeroline": False}
    figure.update_layout(
        autosize=True,
        height=height,
        margin={"l": 45, "r": 10, "t": 10, "b": 35},
        paper_bgcolor=clear,
        plot_bgcolor=clear,
        font={"color": "#787878", "size": 11},
        bargap=0,
        uirevision="kept",  # a zoom survives the next second
    )
    figure.update_xaxes(**axis)
    figure.update_xaxes(title_text="seconds", title_standoff=0, row=2, col=1)
    figure.update_yaxes(title_text="clicks", rangemode="tozero", row=1, col=1, **axis)
    figure.update_yaxes(
        title_text="partition",
        autorange="reversed",
        dtick=1 if height > 320 else 3,
        row=2,
        col=1,
        **axis,
    )
    return figure
