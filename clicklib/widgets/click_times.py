"""One click, timed: a press, and how long each step of its way took."""

from __future__ import annotations

import secrets
import statistics
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from itertools import count
from typing import Any

from clicklib.client.cluster import Brokers, Cluster
from clicklib.client.topics import TopicManager
from clicklib.codec import Codec, Json, String
from clicklib.emitter import Emitter
from clicklib.errors import UnavailableError, UsageError
from clicklib.given import check
from clicklib.graph import Input, Persist, define_group, group_table
from clicklib.processor import Processor
from clicklib.view import View
from clicklib.widgets.errands import Errands
from clicklib.widgets.picture import Picture, asset

__all__ = ["ClickTimes", "median", "stretches"]

GUARANTEES = ("at_least_once", "exactly_once")
LINGERS = (0, 5, 50)  # milliseconds
# Each stretch: its name, the marks at its begin and end, and what it holds. The clients of Kafka do
# not tell more: a `+` joins what cannot be told apart.
STRETCHES = (
    ("taken up", "pressed", "encoding", "waits for the thread that emits"),
    ("encoded", "encoding", "encoded", "by the codec of the stream"),
    ("handed over", "encoded", "emitted", "put into a batch of the client"),
    ("acknowledged", "emitted", "acknowledged", "linger + sent + stored + answered"),
    ("fetched", "emitted", "fetched", "linger + sent + stored + read"),
    ("decoded", "fetched", "decoded", "by the codec of the stream"),
    ("callback", "decoded", "handled", "reads and changes the row"),
    ("row stored", "handled", "stored", "row sent + acknowledged + stored here"),
    ("seen", "handled", "seen", "row sent + stored + read by the view"),
    ("drawn", "seen", "drawn", "waits for the painter + drawn + told"),
)
_KERNEL = {mark for _, *ends, _ in STRETCHES for mark in ends} - {"drawn"}

Marks = dict[str, float]


def stretches(marks: Marks, others: list[Marks]) -> list[dict[str, Any]]:
    """The stretches of a click: begin and milliseconds, and the median of the other clicks.

    What has no mark is None.
    """
    return [
        {
            "name": name,
            "begin": _lasted(marks, "pressed", begin),
            "ms": _lasted(marks, begin, end),
            "median": median([_lasted(each, begin, end) for each in others]),
            "what": what,
        }
        for name, begin, end, what in STRETCHES
    ]


def median(found: list[float | None]) -> float | None:
    """The median of what is known."""
    known = [each for each in found if each is not None]
    return round(statistics.median(known), 3) if known else None


def _lasted(marks: Marks, begin: str, end: str) -> float | None:
    known = begin in marks and end in marks
    return round(1000 * (marks[end] - marks[begin]), 3) if known else None


class _Noting:
    """A codec that notes when it begins and ends with a message."""

    def __init__(self, codec: Codec, note: Callable[..., None]) -> None:
        self._codec, self._note = codec, note

    def encode(self, value: Any) -> bytes:
        self._note(value, "encoding")
        data = self._codec.encode(value)
        self._note(value, "encoded")
        return data

    def decode(self, data: bytes) -> Any:
        begin = time.monotonic()
        value = self._codec.decode(data)
        self._note(value, "decoded")
        self._note(value, "fetched", begin)
        return value


class ClickTimes(Picture):
    """Times one click at a time, by the clock of this kernel: encoded, acknowledged, …, drawn.

    It has a stream, a group and all parts of its own. Their codecs and callbacks note the time, so
    other parts stay as quick as they are. `press(times)` presses the button. `choose` changes the
    guarantee of the processor, and the emitter's linger in milliseconds. The medians are those of
    the last hundred clicks with this choice. How long a press is on its way from the browser to
    the kernel is not known, and in no number. Its topics have names that begin with `name`, and
    are deleted at its end.
    """

    _esm = asset("click_times.js")

    def __init__(self, brokers: Brokers, name: str) -> None:
        check(name=name)
        self._cluster, self._numbers = Cluster.of(brokers), count(1)
        self._stream = f"{name}-{secrets.token_hex(3)}"
        self._noted = threading.Condition()
        self._click, self._marks = "", Marks()  # the click under way
        self._shown: tuple[str, Marks] = ("", {})  # the last one that was seen
        self._past: dict[tuple[str, int], deque[Marks]] = {}
        self._parts = ExitStack()
        self._errands: Errands = Errands("clicklib click times", self._leave)
        self._errands.do(self._begin)
        self.choose(GUARANTEES[0], LINGERS[1])
        super().__init__()

    def press(self, times: int = 1) -> None:
        """Time clicks, one after the other, soon."""
        pressed = time.monotonic()
        self._errands.do(lambda: self._time(pressed))
        for _ in range(times - 1):
            self._errands.do(lambda: self._time(time.monotonic()))

    def choose(self, guarantee: str, linger: int) -> None:
        """Go on with this guarantee, and with an emitter that waits `linger` milliseconds."""
        if guarantee not in GUARANTEES or linger not in LINGERS:
            raise UsageError(f"choose one of {GUARANTEES}, and one of {LINGERS}")
        self.choice = (guarantee, linger)
        self._errands.do(partial(self._open, guarantee, linger))

    def _begin(self) -> None:
        with TopicManager(self._cluster) as topics:
            topics.ensure_stream(self._stream, 1)
            topics.ensure_table(group_table(self._stream), 1)

        def handle(ctx: Any, msg: str) -> None:
            row = ctx.value() or {"Clicks": 0}
            ctx.set_value({"Clicks": row["Clicks"] + 1, "Click": msg})
            self._note(msg, "handled")

        codec: Any = _Noting(String(), self._note)
        self._codec, table = codec, Persist(Json(dict))
        self._graph = define_group(self._stream, Input(self._stream, codec, handle), table)
        self._view = View(
            self._cluster,
            self._graph.table,
            Json(dict),
            storage="memory",
            on_update=lambda _, row: self._note(row["Click"], "seen"),
        ).start()

    def _open(self, guarantee: Any, linger: int) -> None:
        """Replace processor and emitter."""
        self._parts.close()
        self._shown = ("", {})
        processor = Processor(
            self._cluster,
            self._graph,
            guarantee=guarantee,
            start="newest",
            storage="memory",
            on_update=lambda _, row: self._note(row["Click"], "stored"),
        )
        self._parts.enter_context(processor).wait_running()
        self._emitter = Emitter(self._cluster, self._stream, self._codec, linger=linger / 1000)
        self._parts.callback(self._emitter.close)
        self._opened = (guarantee, linger)

    def _note(self, click: str, mark: str, when: float | None = None) -> None:
        """Note that the click under way has come to a mark; that of an earlier one is ignored."""
        when = when or time.monotonic()
        with self._noted:
            if click == self._click:
                self._marks[mark] = when
                self._noted.notify_all()

    def _time(self, pressed: float) -> None:
        """Emit a click, and wait until all parts of this kernel have had it."""
        click = str(next(self._numbers))
        with self._noted:
            self._click, self._marks = click, marks = click, {"pressed": pressed}
        promise = self._emitter.emit("user-3", click)
        self._note(click, "emitted")
        promise.add_done_callback(lambda _: self._note(click, "acknowledged"))
        with self._noted:
            if not self._noted.wait_for(lambda: marks.keys() >= _KERNEL, 10):
                missing = ", ".join(sorted(_KERNEL - marks.keys()))
                raise UnavailableError(f"the click was not seen within 10 s; missing: {missing}")
        self._past.setdefault(self._opened, deque(maxlen=100)).append(marks)
        self._shown = (click, marks)

    def _leave(self) -> None:
        self._parts.close()
        self._view.stop()
        with TopicManager(self._cluster) as topics:
            topics.delete([self._stream, self._graph.table])

    def told(self, message: dict[str, Any]) -> None:
        if "drawn" in message:
            self._note(message["drawn"], "drawn")
        elif "choose" in message:
            self.choose(*message["choose"])
        elif "press" in message:
            self.press(min(100, int(message["press"])))

    def look(self) -> dict[str, Any]:
        click, marks = self._shown
        past = list(self._past.get(self.choice, ()))
        return {
            "choice": self.choice,
            "ready": getattr(self, "_opened", None) == self.choice,
            "click": click,
            "stretches": stretches(marks, past),
            "clicks": len(past),
            "totals": [
                [*choice, len(each), median([_lasted(one, "pressed", "seen") for one in each])]
                for choice, each in list(self._past.items())
            ],
            "error": self._errands.error,
        }
