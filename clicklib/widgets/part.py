"""A part of a cell's output: a widget that is closed when its cell runs again."""

from __future__ import annotations

import threading
import weakref
from typing import Any

import ipywidgets

__all__ = ["Part", "rest_all"]

# The widgets that the last run of each cell made, by the cell's id: (id of the run, widgets).
_cells: dict[str, tuple[str, list[Part]]] = {}
_cells_lock = threading.Lock()
_parts: weakref.WeakSet[Part] = weakref.WeakSet()


def rest_all(kind: type[Part]) -> None:
    """Let all widgets of a kind rest: they stay on the page as they are, and their threads end."""
    for part in list(_parts):
        if isinstance(part, kind) and not part.closed:
            part.rest()


class Part:
    """A widget that belongs to the cell that made it. When it ends, all widgets in it end.

    It is mixed into a class of ipywidgets.
    """

    closed = True  # until it is whole

    def belong(self) -> None:
        """Close the widgets of the cell's last run. A subclass calls it when its widget is made."""
        self.closed = False
        _parts.add(self)
        cell, run = _this_cell()
        if not cell:
            return
        with _cells_lock:
            last, parts = _cells.get(cell, ("", []))
            kept = [part for part in parts if not part.closed] if last == run else []
            _cells[cell] = (run, [*kept, self])
        for part in parts if last != run else ():
            part.close()

    def rest(self) -> None:
        """End what this widget does, and leave it on the page."""

    def end(self) -> None:
        """Stop the threads of this widget. `close` calls it once."""

    def close(self) -> None:
        """End this widget and all widgets in it; a second call does nothing."""
        if self.closed:
            return
        self.closed = True
        self.end()
        for widget in _family(self):
            ipywidgets.Widget.close(widget) if widget is self else widget.close()


def _this_cell() -> tuple[str, str]:
    """The ids of the running cell and of this run; both are empty if they are not known."""
    from IPython import get_ipython

    try:
        parent = get_ipython().kernel.get_parent()
        return parent["metadata"]["cellId"], parent["header"]["msg_id"]
    except (AttributeError, KeyError, TypeError, LookupError):
        return "", ""


def _family(root: Any) -> list[Any]:
    """The widget and all in it, also the layouts and styles, which ipywidgets does not close."""
    found: dict[int, Any] = {}
    left = [root]
    while left:
        widget = left.pop()
        if id(widget) in found or widget.comm is None:
            continue
        found[id(widget)] = widget
        for name in widget.keys:
            value = getattr(widget, name, None)
            values = value if isinstance(value, list | tuple) else (value,)
            left += [each for each in values if isinstance(each, ipywidgets.Widget)]
    return list(reversed(found.values()))
