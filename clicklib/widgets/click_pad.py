"""Buttons that emit clicks."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from itertools import cycle
from queue import Empty, Full, Queue
from typing import Any

import ipywidgets

from clicklib.emitter import Emitter
from clicklib.widgets.painter import Part, Picture, asset

__all__ = ["ClickPad", "PadStats"]

_BUTTONS = 50  # more users than that get no buttons; automatic clicks are for all of them
_FASTEST = 200  # automatic clicks a second


def _now() -> str:
    return datetime.now(UTC).isoformat()


@dataclass(frozen=True)
class PadStats:
    """What became of the clicks of a pad."""

    sent: int = 0
    acknowledged: int = 0
    failed: int = 0
    error: str = ""


class ClickPad(Part, ipywidgets.VBox):
    """A button for each of `users`, one for all of them, and automatic clicks.

    A press only leaves a note; one thread emits, so that the kernel goes on while Kafka is slow
    or away. Automatic clicks go to each user in turn, and stop at an error. `message()` makes
    what is sent, by default the time.
    """

    def __init__(
        self, emitter: Emitter, users: int = 10, *, message: Callable[[], Any] = _now
    ) -> None:
        self.emitter = emitter
        self._message = message
        self._users = [f"user-{i}" for i in range(users)]
        self._notes: Queue[list[str] | None] = Queue(maxsize=10_000)
        self._lock = threading.Lock()
        self._sent = self._acknowledged = self._failed = 0
        self._error = ""
        self._automatic = threading.Event()
        buttons = [
            self._button(user, partial(self._pressed, user)) for user in self._users[:_BUTTONS]
        ]
        everyone = self._button("Click everyone", lambda _: self.click_everyone(), "8.5em")
        self._slider = ipywidgets.IntSlider(
            value=10,
            max=_FASTEST,
            description="clicks/s",
            continuous_update=False,
            layout=ipywidgets.Layout(width="auto", flex="1 1 12em", min_width="12em"),
            style={"description_width": "auto"},
        )
        self._toggle = self._button("Start", lambda _: self._toggled(), "5.5em")
        self.picture = _Tally(self)
        wrap = {"flex_flow": "row wrap", "align_items": "center"}
        super().__init__(
            [
                ipywidgets.Box(buttons, layout=ipywidgets.Layout(**wrap)),
                ipywidgets.Box(
                    [everyone, self._slider, self._toggle], layout=ipywidgets.Layout(**wrap)
                ),
                self.picture,
            ]
        )
        self.belong()
        self._thread = threading.Thread(target=self._run, name="clicklib pad", daemon=True)
        self._thread.start()

    def click(self, user: str) -> None:
        """Emit a click of `user`, soon."""
        self._note([user])

    def click_everyone(self) -> None:
        """Emit a click of each user, soon."""
        self._note(self._users)

    def start(self, rate: int | None = None) -> None:
        """Begin automatic clicks: `rate` a second, or as many as the slider says."""
        if rate is not None:
            self._slider.value = rate
        self._automatic.set()

    def stop(self) -> None:
        """End automatic clicks."""
        self._automatic.clear()

    @property
    def automatic(self) -> bool:
        """Whether automatic clicks are under way."""
        return self._automatic.is_set()

    def stats(self) -> PadStats:
        """A snapshot of what became of the clicks."""
        with self._lock:
            return PadStats(self._sent, self._acknowledged, self._failed, self._error)

    def end(self) -> None:
        self._automatic.clear()
        with contextlib.suppress(Full):  # then the thread sees `closed` before its next note
            self._notes.put_nowait(None)

    @staticmethod
    def _button(text: str, pressed: Callable[[Any], None], width: str = "5.2em") -> Any:
        button = ipywidgets.Button(
            description=text, layout=ipywidgets.Layout(width="auto", min_width=width)
        )
        button.on_click(pressed)
        return button

    def _pressed(self, user: str, _: Any) -> None:
        self.click(user)

    def _toggled(self) -> None:
        self.stop() if self.automatic else self.start()

    def _note(self, users: list[str]) -> None:
        try:
            self._notes.put_nowait(users)
        except Full:
            self._refused(len(users), "too many clicks wait for Kafka")

    def label(self) -> None:
        """Say on the button what it will do; on the painter's thread."""
        wanted = "Stop" if self.automatic else "Start"
        if self._toggle.description != wanted and not self.closed:
            self._toggle.description = wanted

    def _run(self) -> None:
        turns, due = cycle(self._users), time.monotonic()
        while not self.closed:
            rate = self._slider.value if self._automatic.is_set() else 0
            now = time.monotonic()
            due = max(due, now - 0.2)  # what could not be sent in time is left out
            try:
                wait = min(0.1, max(0.0, due - now)) if rate else 0.1
                note = self._notes.get(timeout=wait) if wait else self._notes.get_nowait()
                if note is None:
                    return
                self._emit(note)
            except Empty:
                pass
            if not rate:
                due = time.monotonic()
            while rate and due <= time.monotonic() and not self.closed:
                self._emit(self._turn(turns))
                due += 1 / rate

    @staticmethod
    def _turn(turns: Iterator[str]) -> list[str]:
        return [next(turns)]

    def _emit(self, users: list[str]) -> None:
        for user in users:
            try:
                promise = self.emitter.emit(user, self._message())
            except Exception as exc:
                self._refused(1, str(exc))
                self._automatic.clear()
            else:
                with self._lock:
                    self._sent += 1
                promise.add_done_callback(self._answered)

    def _answered(self, promise: Future[Any]) -> None:
        error = promise.exception()
        if error is not None:
            self._refused(1, str(error))
            self._automatic.clear()
        else:
            with self._lock:
                self._acknowledged += 1

    def _refused(self, clicks: int, why: str) -> None:
        with self._lock:
            self._failed += clicks
            self._error = why


class _Tally(Picture):
    """The counter below the buttons."""

    _esm = asset("status.js")

    def __init__(self, pad: ClickPad) -> None:
        self._pad = pad
        super().__init__()

    def look(self) -> dict[str, Any]:
        self._pad.label()
        stats = self._pad.stats()
        return {
            "text": f"Sent {stats.sent:,} · acknowledged {stats.acknowledged:,} · "
            f"failed {stats.failed:,}",
            "error": stats.error,
        }
