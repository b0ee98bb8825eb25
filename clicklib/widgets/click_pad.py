"""The pad: buttons that emit clicks."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from itertools import cycle
from queue import Empty, Full, Queue
from typing import Any

import ipywidgets

from clicklib.emitter import Emitter
from clicklib.given import check
from clicklib.widgets.part import Part
from clicklib.widgets.picture import Picture, asset

__all__ = ["ClickPad", "PadStats"]

_BUTTONS = 50  # only so many users get a button; automatic clicks are for all users
_FASTEST = 200  # automatic clicks a second


def _now() -> str:
    return datetime.now(UTC).isoformat()


@dataclass(frozen=True)
class PadStats:
    """The clicks of a pad, in numbers, and the last error.

    `failed` counts clicks that Kafka did not take, and clicks that could not be sent at all.
    """

    sent: int = 0
    acknowledged: int = 0
    failed: int = 0
    error: str = ""


class ClickPad(Part, ipywidgets.VBox):
    """A button for each of `users`, one for all of them, and automatic clicks.

    A press only puts a click into a queue. The pad's own thread emits it, so the kernel does not
    wait when Kafka is slow or away. Automatic clicks take the users in turn and stop at an error.
    `message()` makes the message of a click; by default it is the time as text.
    """

    def __init__(
        self, emitter: Emitter, users: int = 10, *, message: Callable[[], Any] = _now
    ) -> None:
        check(emitter=emitter, users=users, message=message)
        self.emitter = emitter
        self._message = message
        self._users = [f"user-{i}" for i in range(users)]
        self._waiting: Queue[list[str] | None] = Queue(maxsize=10_000)
        self._stats, self._lock = PadStats(), threading.Lock()
        self._automatic = threading.Event()
        buttons = [self._button(user, partial(self.click, user)) for user in self._users[:_BUTTONS]]
        everyone = self._button("Click everyone", self.click_everyone, "8.5em")
        self._slider = ipywidgets.IntSlider(
            value=10,
            max=_FASTEST,
            description="clicks/s",
            continuous_update=False,
            layout=ipywidgets.Layout(width="auto", flex="1 1 12em", min_width="12em"),
            style={"description_width": "auto"},
        )
        self._toggle = self._button("Start", self._toggled, "5.5em")
        self.picture = _Figures(self)
        self._buttons = [*buttons, everyone, self._toggle]
        rows = [self._row(buttons), self._row([everyone, self._slider, self._toggle])]
        super().__init__([*rows, self.picture])
        self.add_class("clicklib-pad")
        self.belong()
        self._thread = threading.Thread(target=self._run, name="clicklib pad", daemon=True)
        self._thread.start()

    def click(self, user: str) -> None:
        """Emit a click of `user`, soon."""
        self._enqueue([user])

    def click_everyone(self) -> None:
        """Emit a click of each user, soon."""
        self._enqueue(self._users)

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
        """A snapshot of the pad's figures."""
        return self._stats

    def rest(self) -> None:
        for button in self._buttons:
            button.disabled = True
        self.end()

    def end(self) -> None:
        self._automatic.clear()
        with contextlib.suppress(Full):  # a full queue wakes the thread as well
            self._waiting.put_nowait(None)

    @staticmethod
    def _button(text: str, pressed: Callable[[], None], width: str = "5.2em") -> Any:
        button = ipywidgets.Button(
            description=text, layout=ipywidgets.Layout(width="auto", min_width=width)
        )
        button.on_click(lambda _: pressed())
        return button

    @staticmethod
    def _row(widgets: list[Any]) -> Any:
        layout = ipywidgets.Layout(flex_flow="row wrap", align_items="center")
        return ipywidgets.Box(widgets, layout=layout)

    def _toggled(self) -> None:
        self.stop() if self.automatic else self.start()

    def _enqueue(self, users: list[str]) -> None:
        try:
            self._waiting.put_nowait(users)
        except Full:
            self._note("too many clicks wait for Kafka", failed=len(users))

    def label(self) -> None:
        """Write Start or Stop on the button. The painter's thread calls it."""
        wanted = "Stop" if self.automatic else "Start"
        if self._toggle.description != wanted and not self.closed:
            self._toggle.description = wanted

    def _run(self) -> None:
        turns, due = cycle(self._users), time.monotonic()
        while not self.closed:
            rate = self._slider.value if self._automatic.is_set() else 0
            now = time.monotonic()
            due = max(due, now - 0.2)  # clicks that are late by more are left out
            try:
                wait = min(0.1, max(0.0, due - now)) if rate else 0.1
                users = self._waiting.get(timeout=wait) if wait else self._waiting.get_nowait()
                if users is None:
                    return
                self._emit(users)
            except Empty:
                pass
            if not rate:
                due = time.monotonic()
            while rate and due <= time.monotonic() and not self.closed:
                self._emit([next(turns)])
                due += 1 / rate

    def _emit(self, users: list[str]) -> None:
        for user in users:
            try:
                promise = self.emitter.emit(user, self._message())
            except Exception as exc:
                self._failed(exc)
            else:
                self._note(sent=1)
                promise.add_done_callback(self._answered)

    def _answered(self, promise: Future[Any]) -> None:
        error = promise.exception()
        if error is not None:
            self._failed(error)
        else:
            self._note(acknowledged=1)

    def _failed(self, error: BaseException) -> None:
        self._note(str(error), failed=1)
        self._automatic.clear()

    def _note(self, error: str = "", **clicks: int) -> None:
        """Add clicks to the figures. Any thread may call it."""
        with self._lock:
            sums: dict[str, Any] = {n: getattr(self._stats, n) + more for n, more in clicks.items()}
            self._stats = replace(self._stats, error=error or self._stats.error, **sums)


class _Figures(Picture):
    """The pad's figures, in a line below the buttons."""

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
