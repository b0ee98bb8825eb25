"""The history of clicks and owners, in a plot that the reader can zoom."""

from __future__ import annotations

import html
import math
import threading
import time
from collections import deque
from typing import Any

import ipywidgets

from clicklib.errors import needing
from clicklib.given import check
from clicklib.view import View
from clicklib.widgets.colours import PALETTE, colour
from clicklib.widgets.group_watch import GroupWatch, Processors, group_watch
from clicklib.widgets.part import Part
from clicklib.widgets.picture import Picture, asset
from clicklib.widgets.rows import Count, Rows, clicks_of, counted
from clicklib.widgets.text import natural, readable

__all__ = ["HistoryPlot"]

_LINES = 10
_SECONDS = 600  # of history, with one sample a second
_DRAWN = 5.0  # seconds that a browser takes to draw a plot at most, so that it may have samples
_DASHES = ("solid", "dash")

_current: HistoryPlot | None = None


class HistoryPlot(Part, ipywidgets.VBox):
    """Above the clicks of each user over time, below the owners of each partition.

    It takes a sample each second and remembers ten minutes. With `draw=False` it draws nothing
    until `draw()` is called. A kernel has one HistoryPlot: a new one closes the old one, because
    plotly loads 5 MB and costs the browser ten times as much as the other widgets.
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
        check(view=view, processor=processor, height=height, count=count, draw=draw)
        if _current is not None:
            _current.close()
        _current = self
        self._height = height
        self.figure: Any = None  # the plotly FigureWidget, once it is made
        self.draws_at = math.inf  # when a browser has drawn it, or should have
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
        """Load plotly and begin to draw. Returns at once."""
        if self._thread is None and not self.closed:
            self._thread = threading.Thread(target=self._make, name="clicklib plotly", daemon=True)
            self._thread.start()

    def _make(self) -> None:
        try:
            figure = _figure(self._height)
        except Exception as exc:
            self.picture.problem = f"plotly cannot draw: {exc!r}"
            return
        if self.closed:
            figure.close()
            return
        self.figure, self.draws_at = figure, time.monotonic() + _DRAWN
        figure.observe(self._note_drawn, "_js2py_traceDeltas")
        self.children = (self.picture, figure)

    def _note_drawn(self, change: Any) -> None:
        """A browser has drawn the plot for the first time: earlier samples are errors there."""
        self.draws_at = 0.0

    def end(self) -> None:
        if self.figure is not None:
            self.figure.close()


class _Recorder(Picture):
    """Takes a sample each second and gives all samples to the plot."""

    _esm = asset("status.js")
    period = 1.0
    _watch: GroupWatch

    def __init__(self, plot: HistoryPlot, rows: Rows, watch: GroupWatch, count: Count) -> None:
        self._plot, self._rows, self._watch, self._count = plot, rows, watch, count
        self._begin = time.monotonic()
        self._samples: deque[tuple[float, dict[str, float]]] = deque(maxlen=_SECONDS)
        self.problem = ""
        super().__init__()

    def look(self) -> dict[str, Any]:
        counts = counted(self._rows.read(), self._count)
        top = sorted(sorted(counts, key=natural), key=lambda key: -counts[key])[: 2 * _LINES]
        self._samples.append((time.monotonic() - self._begin, {key: counts[key] for key in top}))
        self._watch.latest()
        if time.monotonic() > self._plot.draws_at:
            self._draw(self._plot.figure, sorted(top[:_LINES], key=natural))
        text = "" if self._plot.figure is not None else "The plot is being made."
        return {"text": text, "error": self.problem or self._watch.error}

    def _draw(self, figure: Any, users: list[str]) -> None:
        """Send all changes to the browser in one message."""
        times = [time for time, _ in self._samples]
        bars = self._owners(self._begin + times[0])
        with figure.batch_update():
            for index, line in enumerate(figure.data[:-1]):
                user = users[index] if index < len(users) else None
                line.visible = user is not None
                if user is not None:
                    line.name = html.escape(readable(user, 20))  # plotly takes names for HTML
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
    """Two plots with one time axis: lines for users, bars for owners."""
    with needing("HistoryPlot"):
        import plotly.graph_objects as go
        from plotly.subplots import make_subplots

    panes = make_subplots(
        rows=2, cols=1, shared_xaxes=True, row_heights=[0.55, 0.45], vertical_spacing=0.06
    )
    for index in range(_LINES):
        line = {
            "color": colour(index)[0],
            "dash": _DASHES[index // len(PALETTE)],
        }
        panes.add_trace(go.Scatter(mode="lines", line=line, visible=False), row=1, col=1)
    panes.add_trace(
        go.Bar(
            orientation="h",
            textposition="inside",
            insidetextanchor="middle",
            constraintext="none",
            textangle=0,
            textfont={"size": 10 if height > 320 else 8},  # letters must fit into the bars
            width=0.9,
            showlegend=False,
            hovertemplate="partition %{y}: %{text}<extra></extra>",
        ),
        row=2,
        col=1,
    )
    figure = go.FigureWidget(panes)
    _style(figure, height)
    return figure


def _style(figure: Any, height: int) -> None:
    """Set size, axes and colours. The background is transparent, so it fits both themes."""
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
        uirevision="kept",  # the reader's zoom stays when new samples come
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
