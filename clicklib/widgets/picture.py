"""A picture: Python puts into `data` what to draw, and a script in the browser draws it."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any

import anywidget
import traitlets

from clicklib.widgets.errands import Errands
from clicklib.widgets.part import Part
from clicklib.widgets.repaint import PERIOD, painter
from clicklib.widgets.watch import Watch

__all__ = ["Picture", "asset"]


_HERE = Path(__file__).parent


def asset(name: str, folder: Path = _HERE) -> str:
    """The text of a JavaScript or CSS file in `folder`; a script begins with `common.js`."""
    files = [_HERE / "common.js", folder / name] if name.endswith(".js") else [folder / name]
    return "\n".join(each.read_text("utf-8") for each in files)


class Picture(Part, anywidget.AnyWidget):
    """The base class of all pictures. A subclass returns in `look` what its script draws.

    That becomes `data`, which is sent to the browser only if it changed. A picture may have a
    watch, which rests when the picture ends, and errands, which end when the picture rests or ends.
    """

    _css = asset("style.css")
    data = traitlets.Dict().tag(sync=True)
    period = PERIOD
    _watch: Watch[Any, Any] | None = None
    _errands: Errands | None = None

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._due = 0.0
        self._seen_by: set[str] = set()
        self._plain: dict[str, Any] = {}
        self._painting = threading.Lock()
        self.resting = False
        self.on_msg(self._heard)
        self.belong()
        self.paint()
        painter.add(self)

    def look(self) -> dict[str, Any]:
        """Return what to draw now. The painter's thread calls it: it must not block."""
        raise NotImplementedError

    def told(self, message: dict[str, Any]) -> None:
        """Note a message of the browser. The kernel's main thread calls it: it must not block."""

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
        """Draw, unless the picture was drawn a moment ago or rests."""
        now = time.monotonic()
        if not self.resting and now >= self._due:
            self._due = now + self.period - 0.05
            self.paint()

    def rest(self) -> None:
        self.paint()
        self.resting = True
        painter.remove(self)
        if self._errands is not None:
            self._errands.end()

    def end(self) -> None:
        painter.remove(self)
        if self._watch is not None:
            self._watch.rest()
        if self._errands is not None:
            self._errands.end()

    def _timed(self, plain: dict[str, Any]) -> dict[str, Any]:
        """`plain`, and the time of its last change as `now`: the browser sets its clock by it."""
        if plain == self._plain:
            return self.data
        self._plain = plain
        return {**plain, "now": time.monotonic()}

    def _heard(self, _: Any, message: Any, buffers: Any) -> None:
        if "shown" in message:
            self._seen_by.add(message["shown"])
            self._plain = {}  # this browser needs a new `now`
            if not self.closed:
                painter.add(self)
        elif "hidden" in message:
            self._seen_by.discard(message["hidden"])
            if not self._seen_by:
                painter.remove(self)
        else:
            self.told(message)
            self._due = 0.0
