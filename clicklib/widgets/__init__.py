"""Widgets that press the buttons and draw what Kafka does, for notebooks.

Each is displayed as the last expression of a cell, follows by itself from then on, and may be
put into an `ipywidgets.HBox` or `VBox`:

    ClickPad(emitter, users=10)        a button for each user, automatic clicks, what became of them
    CountsPlot(view)                   bars of clicks by user, and the total
    TableView(view)                    the table; a press on a key shows its hash, partition, offset
    PartitionMap(processor)            who owns which partition over time, and the lag
    PartitionMap(cluster, "my-group")  the same for a group whose members run elsewhere
    LogView(cluster, "user-clicks")    the newest records of each partition, holes, tombstones
    FlowMap(emitter, processor, view)  emitter → topic → processor → table → view, with rates
    HistoryPlot(view, processor)       plotly: clicks over time above, owners of partitions below
    Dashboard(emitter, processor, view, users=10)   all of these in one layout

- `processor` may be a list of processors of this kernel; or None, where a view is given: then the
  group is told from the view's table. All draw processors, views and emitters in any state: not
  started yet, failed, stopped, started again. A stopped view leaves its last counts standing.
- CountsPlot, TableView and HistoryPlot take `count=`, a function from a row's value to its number.
  The default takes a number as it is, an attribute or field `clicks` or `Clicks`, else the first
  number in the value.
- ClickPad may be driven without a mouse: `click("user-3")`, `click_everyone()`, `start(rate)`,
  `stop()`; `stats()` has `sent`, `acknowledged`, `failed` and the last `error`. It sends the time
  as text; `message=` is a function that makes something else.
- Every picture's `data` is what it shows, as a plain dict, drawn at most four times a second;
  `paint()` draws now.
- `close()` ends a widget, its threads and its children; it may be called twice. To run a cell
  again closes the widgets of its last run (in JupyterLab). There is one Dashboard and one
  HistoryPlot a kernel: a new one closes the one before. While nobody sees a widget it rests.
- No call blocks, and no callback does more than leave a note for a thread.
"""

from clicklib.packages import needing

with needing("clicklib.widgets"):
    from clicklib.widgets.click_pad import ClickPad, PadStats
    from clicklib.widgets.counts import CountsPlot
    from clicklib.widgets.dashboard import Dashboard
    from clicklib.widgets.flow import FlowMap
    from clicklib.widgets.history import HistoryPlot
    from clicklib.widgets.log import LogView
    from clicklib.widgets.partitions import PartitionMap
    from clicklib.widgets.table import TableView

__all__ = [
    "ClickPad",
    "CountsPlot",
    "Dashboard",
    "FlowMap",
    "HistoryPlot",
    "LogView",
    "PadStats",
    "PartitionMap",
    "TableView",
]
