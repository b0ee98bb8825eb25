"""Widgets for notebooks: they emit clicks, and they draw what Kafka does with the clicks.

    ClickPad(emitter, users=10)        buttons and automatic clicks; the numbers sent and failed
    ClickTimes(cluster, "name")        a button, and how long each step of a click's way took
    CountsPlot(view)                   a bar for each user's clicks, and the total
    TableView(view)                    the table; a press on a key shows hash, partition and offset
    PartitionMap(processor)            the owners of all partitions over time, and the lag
    PartitionMap(cluster, "my-group")  the same for a group whose members run elsewhere
    LogView(cluster, "user-clicks")    the newest records of each partition, holes, tombstones
    ClusterMap(cluster, "user-clicks") which broker has which copy, and which of them leads
    FlowMap(emitter, processor, view)  emitter → topic → processor → table → view, with rates
    Ledger(emitter, processor, view)   all clicks: sent, counted, lost, counted twice
    HistoryPlot(view, processor)       plotly: clicks over time above, owners of partitions below
    Dashboard(emitter, processor, view, users=10)   all of these in one layout

A cell shows a widget if the widget is its last expression. From then on the widget is live. It may
also be put into an `ipywidgets.HBox` or `VBox`.

- `processor` is one processor of this kernel or a list of them. It may be None if a view is given:
  then the widget shows the group that writes the view's table.
- Processors, views and emitters may be in any state: not started yet, failed, stopped, started
  again. After a view is stopped, its last counts are still shown.
- CountsPlot, TableView, HistoryPlot and Ledger take `count=`, a function from a row's value to a
  number. Without it the number is the value itself, else its attribute or field `clicks` or
  `Clicks`, else the first number in the value.
- A program can use a ClickPad as well: `click("user-3")`, `click_everyone()`, `start(rate)` and
  `stop()`. `stats()` has `sent`, `acknowledged`, `failed` and the last `error`. A click's message
  is the time as text; the function `message=` makes another one.
- The `data` of a picture is a plain dict with all that the picture shows. A picture is drawn at
  most four times a second. `paint()` draws it now.
- `close()` ends a widget, its threads and the widgets in it. A second call does nothing. In
  JupyterLab, a cell that runs again closes the widgets of its last run. A kernel has one
  Dashboard and one HistoryPlot: a new one closes the old one.
- A picture rests when no browser shows it any more.
- No call blocks. The buttons and all other callbacks of the browser return at once; the work is
  done on threads of clicklib.

The modules behind the widgets:

    picture      the base class: Python makes `data`, and a script such as `counts.js` draws it
    painter      the thread that draws all pictures
    part         a widget that belongs to a cell and is closed with it
    rows         the rows of a view's table
    books        the rules of the ledger; `audit` reads for it what Kafka has
    errands      a thread that does what buttons ask for
    watch        looks at Kafka on a thread; `group_watch` does so for a group and its owners
    colours      the letters and colours of members; beside it `text` and `rate`
"""

from clicklib.errors import needing

with needing("clicklib.widgets"):
    from clicklib.widgets.click_pad import ClickPad, PadStats
    from clicklib.widgets.click_times import ClickTimes
    from clicklib.widgets.cluster_map import ClusterMap
    from clicklib.widgets.counts import CountsPlot
    from clicklib.widgets.dashboard import Dashboard
    from clicklib.widgets.flow import FlowMap
    from clicklib.widgets.history import HistoryPlot
    from clicklib.widgets.ledger import Ledger
    from clicklib.widgets.log import LogView
    from clicklib.widgets.partitions import PartitionMap
    from clicklib.widgets.table import TableView

__all__ = [
    "ClickPad",
    "ClickTimes",
    "ClusterMap",
    "CountsPlot",
    "Dashboard",
    "FlowMap",
    "HistoryPlot",
    "Ledger",
    "LogView",
    "PadStats",
    "PartitionMap",
    "TableView",
]
