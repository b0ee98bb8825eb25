"""What all widgets share: the thread that draws them, the cell they belong to, their end."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any

import anywidget
import ipywidgets
import traitlets

__all__ = ["Part", "Picture", "asset", "painter"]

_PERIOD = 0.25  # seconds between two pictures: four a second look alive and cost little


class _Painter:
    """Draws all pictures of the kernel on one thread, which lives while there are any."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._pictures: list[Picture] = []
        self._awake = threading.Event()
        self._thread: threading.Thread | None = None

    def add(self, picture: Picture) -> None:
        with self._lock:
            if picture not in self._pictures:
                self._pictures.append(picture)
            if self._thread is None:
                self._thread = threading.Thread(
                    target=self._run, name="clicklib painter", daemon=True
                )
                self._thread.start()
        self._awake.set()

    def remove(self, picture: Picture) -> None:
        with self._lock:
            if picture in self._pictures:
                self._pictures.remove(picture)
        self._awake.set()

    def _run(self) -> None:
        while True:
            self._awake.clear()
            with self._lock:
                pictures = list(self._pictures)
                if not pictures:
                    self._thread = None
                    return
            for picture in pictures:
                picture.paint_if_due()
            self._awake.wait(_PERIOD)


painter = _Painter()

# The widgets that each cell made when it ran last, by the cell's id: (id of the run, widgets).
_cells: dict[str, tuple[str, list[Part]]] = {}
_cells_lock = threading.Lock()


def _this_cell() -> tuple[str, str]:
    """The id of the cell that runs, and of this run; empty where there is none or it is unknown."""
    from IPython import get_ipython

    try:
        parent = get_ipython().kernel.get_parent()
        return parent["metadata"]["cellId"], parent["header"]["msg_id"]
    except (AttributeError, KeyError, TypeError, LookupError):
        return "", ""


class Part:
    """A widget that belongs to the cell that made it, and takes all below it along when it closes.

    Mixed into an ipywidgets class.
    """

    closed = False

    def belong(self) -> None:
        """Close what the last run of the same cell made; to be called once this is made."""
        cell, run = _this_cell()
        if not cell:
            return
        with _cells_lock:
            last, parts = _cells.get(cell, ("", []))
            kept = [part for part in parts if not part.closed] if last == run else []
            _cells[cell] = (run, [*kept, self])
        for part in parts if last != run else ():
            part.close()

    def end(self) -> None:
        """Stop the threads of this widget; called once."""

    def close(self) -> None:
        """Stop, and remove this widget and all below it from the page; repeatable."""
        if self.closed:
            return
        self.closed = True
        self.end()
        for widget in _family(self):
            ipywidgets.Widget.close(widget) if widget is self else widget.close()


def _family(root: Any) -> list[Any]:
    """The widget and all below it: children, and also layouts and styles, which nothing closes."""
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


def asset(name: str) -> str:
    """A JavaScript or CSS file of this package; scripts with what they share in front."""
    here = Path(__file__).parent
    names = ["common.js", name] if name.endswith(".js") else [name]
    return "\n".join((here / each).read_text("utf-8") for each in names)


class Picture(Part, anywidget.AnyWidget):
    """A picture that the browser draws from `data`; subclasses say in `look` what that is.

    `data` is sent when it differs from what was sent before, and not otherwise.
    """

    _css = asset("style.css")
    data = traitlets.Dict().tag(sync=True)
    period = _PERIOD

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._due = 0.0
        self._seen_by: set[str] = set()
        self._painting = threading.Lock()
        self.resting = False
        self.on_msg(self._heard)
        self.belong()
        self.paint()
        painter.add(self)

    def look(self) -> dict[str, Any]:
        """What to draw now. On the painter's thread: it must not block."""
        raise NotImplementedError

    def told(self, message: dict[str, Any]) -> None:
        """The browser said something. It may only be noted here."""

    def paint(self) -> None:
        """Draw now."""
        with self._painting:
            try:
                data = self.look()
            except Exception as exc:
                data = {**self.data, "error": f"{type(exc).__name__}: {exc}"}
            if not self.closed:
                self.data = data

    def paint_if_due(self) -> None:
        """Draw, unless it was drawn a moment ago or nobody sees it."""
        now = time.monotonic()
        if not self.resting and now >= self._due:
            self._due = now + self.period - 0.05
            self.paint()

    def end(self) -> None:
        painter.remove(self)

    def shown_again(self) -> None:
        """A browser begins to show it."""

    def _heard(self, _: Any, message: Any, buffers: Any) -> None:
        if "shown" in message:
            self._seen_by.add(message["shown"])
            self.shown_again()
            if not self.closed:
                painter.add(self)
        elif "hidden" in message:
            self._seen_by.discard(message["hidden"])
            if not self._seen_by:
                painter.remove(self)
        else:
            self.told(message)
            self._due = 0.0
