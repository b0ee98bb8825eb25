"""The dashboard: all widgets in one layout."""

from __future__ import annotations

from typing import Any

import ipywidgets

from clicklib.emitter import Emitter
from clicklib.given import check
from clicklib.view import View
from clicklib.widgets.click_pad import ClickPad
from clicklib.widgets.counts import CountsPlot
from clicklib.widgets.flow import FlowMap
from clicklib.widgets.group_watch import Processors, group_watch
from clicklib.widgets.history import HistoryPlot
from clicklib.widgets.ledger import Ledger
from clicklib.widgets.log import LogView
from clicklib.widgets.part import Part
from clicklib.widgets.partitions import PartitionMap
from clicklib.widgets.rows import Rows
from clicklib.widgets.table import TableView

__all__ = ["Dashboard"]

_current: Dashboard | None = None


class Dashboard(Part, ipywidgets.VBox):
    """Pad, ledger, counts, partitions, flow, table, logs and history in one layout.

    `processor` is one processor, a list of them, or None. With None the dashboard shows the group
    of the view's table, whose members may run anywhere. A kernel has one dashboard: a new one
    closes the old one.
    """

    def __init__(
        self,
        emitter: Emitter,
        processor: Processors = None,
        view: View | None = None,
        *,
        users: int = 10,
    ) -> None:
        global _current
        check(emitter=emitter, processor=processor, view__none=view, users=users)
        if view is None:
            raise TypeError("a Dashboard needs a view: Dashboard(emitter, processor, view)")
        if _current is not None:
            _current.close()
        _current = self
        rows, watch = Rows(view), group_watch(processor, view=view)
        self.pad = ClickPad(emitter, users)
        self.flow = FlowMap(emitter, processor, view, watch=watch)
        self.counts = CountsPlot(view, rows=rows)
        self.partitions = PartitionMap(processor, watch=watch)
        self.ledger = Ledger(emitter, processor, view, watch=watch)
        self.table = TableView(view, rows=rows)
        self.clicks_log = LogView(view.cluster, emitter.topic)
        self.table_log = LogView(view.cluster, view.table)
        self.history = HistoryPlot(view, height=250, draw=False, rows=rows, watch=watch)
        self._pages: list[Any] = [self.table, self.clicks_log, self.table_log, self.history]
        self._tabs = ipywidgets.Tab(
            self._pages, titles=["Table", "Log of clicks", "Log of table", "History"]
        )
        self._tabs.observe(lambda _: self._turned(), "selected_index")
        self._turned()
        columns = [
            _column(self.pad, self.partitions, self.ledger),
            _column(self.counts, self._tabs),
        ]
        layout = ipywidgets.Layout(flex_flow="row wrap", width="100%")
        super().__init__([self.flow, ipywidgets.Box(columns, layout=layout)])
        self.add_class("clicklib-dashboard")
        self.belong()

    def _turned(self) -> None:
        """Let the pages of closed tabs rest, except the history, which goes on to remember."""
        for index, page in enumerate(self._pages[:-1]):
            page.resting = index != (self._tabs.selected_index or 0)
        if self._tabs.selected_index == len(self._pages) - 1:
            self.history.draw()


def _column(*parts: Any) -> Any:
    """A column of widgets. Two columns are side by side if the page is wide enough for both."""
    layout = ipywidgets.Layout(flex="1 1 320px", min_width="0")
    return ipywidgets.VBox(parts, layout=layout)
