"""One click, step by step: a processor under the buttons of a debugger, and what Kafka has."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

from clicklib.client.cluster import Brokers, Cluster
from clicklib.client.topics import TopicManager
from clicklib.codec import Json, String
from clicklib.emitter import Emitter
from clicklib.errors import ClicklibError
from clicklib.given import check
from clicklib.graph import group_table
from clicklib.lessons.stepped import Keeper, Kept, Stepped, Stop
from clicklib.lessons.victim import count
from clicklib.view import View
from clicklib.widgets.errands import Errands
from clicklib.widgets.picture import Picture, asset
from clicklib.widgets.text import readable
from clicklib.widgets.watch import Watch

__all__ = ["StepByStep", "balance", "places", "says"]

USER = "user-3"
# The places that a click comes to, in the order of each guarantee.
ORDER = {
    "at_least_once": ("stream", "memory", "table", "view", "offset"),
    "exactly_once": ("stream", "memory", "table", "offset", "view"),
    "at_most_once": ("stream", "offset", "memory", "table", "view"),
}
_GOT = "The processor has the click at offset {offset}, and has done nothing with it."
_CALLED = "The callback has returned. The new row is in the memory of the processor only."
_CALL = "it calls the callback."
_SEND = "it sends the row, and Kafka acknowledges it."
# Where it stands, and what its next step does.
STOPS = {
    "at_least_once": {
        "in hand": (_GOT, _CALL),
        "gathered": (_CALLED, _SEND),
        "acknowledged": ("Kafka has the row. The offset is not committed.", "it commits."),
    },
    "exactly_once": {
        "in hand": (_GOT, _CALL),
        "gathered": (_CALLED, "it sends row and offset in a transaction, which stays open."),
        "acknowledged": (
            "Kafka has row and offset, in a transaction that is open: nobody can read them.",
            "it commits the transaction.",
        ),
    },
    "at_most_once": {
        "in hand": (_GOT, "it commits the offset."),
        "committed": ("The offset is committed. The callback is not called yet.", _CALL),
        "gathered": (_CALLED, _SEND),
    },
}


def says(guarantee: str, state: str, stop: Stop | None, kept: Kept | None) -> str:
    """What the processor does, and what its next step does."""
    if state == "standing" and stop:
        now, then = STOPS[guarantee][stop["place"]]
        return f"{now.format(**stop)} Next step: {then}"
    if state == "free":
        rests = kept is not None and kept.settled and kept.committed == kept.clicks
        return "The processor waits for a click." if rests else "The processor works."
    if state == "dead":
        return "The processor is dead, and its memory is gone. Start it again."
    return "The processor starts."


def places(
    guarantee: str, state: str, stop: Stop | None, kept: Kept | None, row: Any
) -> list[list[Any]]:
    """For each place its name, what it has, and whether the click of `stop` has come to it.

    None is what is not known. `row` is the one in the view, None if the view does not answer.
    """
    before, after = (stop["before"], stop["after"]) if stop else (None, None)
    found: dict[str, tuple[str | None, bool | None]] = {}

    def passed(offset: int) -> bool | None:
        return offset > stop["offset"] if stop else None

    def contains(clicks: int) -> bool | None:
        known = {_clicks(before): False, _clicks(before) + 1: True}
        return known.get(clicks) if stop else None

    if state == "dead":
        found["memory"] = ("gone", False)
    elif state == "standing":
        found["memory"] = (_number(_clicks(after or before)), after is not None)
    if kept is not None:
        more = ", 1 in an open transaction" if kept.open else ""
        found["stream"] = (_number(kept.clicks), passed(kept.clicks))
        found["table"] = (_number(kept.counted) + more, contains(kept.counted))
        found["offset"] = (f"{kept.committed}{more}", passed(kept.committed))
    if row is not None:
        found["view"] = (_number(_clicks(row)), contains(_clicks(row)))
    return [[name, *found.get(name, (None, None))] for name in ORDER[guarantee]]


def balance(kept: Kept | None, state: str) -> dict[str, int | None]:
    """The clicks in the stream, those counted, lost, and counted twice. None: not known now."""
    if kept is None:
        return dict.fromkeys(("clicks", "counted", "lost", "twice"))
    wrong = kept.counted - kept.clicks
    handled = kept.committed == kept.clicks and kept.settled and not kept.open
    known = handled and state in ("free", "dead")
    return {
        "clicks": kept.clicks,
        "counted": kept.counted,
        "lost": max(0, -wrong) if known else None,
        "twice": max(0, wrong) if known else None,
    }


def _clicks(row: Any) -> int:
    return row.get("Clicks", 0) if row else 0


def _number(clicks: int) -> str:
    return f"{clicks} click{'s' * (clicks != 1)}"


class _Scene:
    """All that belongs to one guarantee: stream, table, view and processor."""

    def __init__(
        self, cluster: Cluster, stream: str, callback: Any, guarantee: str, last: Stepped | None
    ) -> None:
        table = group_table(stream)
        with TopicManager(cluster) as topics:
            topics.ensure_stream(stream, 1)
            topics.ensure_table(table, 1)
        self.emitter = Emitter(cluster, stream, String())
        self.view = View(cluster, table, Json(dict), storage="memory").start()
        self.watch: Watch[Keeper, Kept] = Watch(
            f"clicklib looks at {stream}", partial(Keeper, cluster, stream), Keeper.look, every=0.5
        )
        self._new = partial(Stepped, cluster, stream, stream, callback, guarantee=guarantee)
        self.program = self._new(before=last)
        self.seen: Any = None

    @property
    def state(self) -> str:
        """What the processor does, in a word."""
        if not self.program.running:
            return "dead"
        if self.program.standing:
            return "standing"
        return "free" if self.program.lines("running") else "starting"

    def press(self, button: str) -> None:
        program = self.program
        if button == "click":
            self.emitter.emit_sync(USER, "now", timeout=10)
        elif button == "start" and not program.running:
            self.program = self._new(before=program)
        elif program.running and button in ("step", "run", "kill"):
            getattr(program, button)()

    def close(self) -> None:
        self.watch.rest()
        self.program.kill()
        self.view.stop()
        self.emitter.close()


class StepByStep(Picture):
    """A processor that handles one click at a time, and stands before each of its deeds.

    `press` presses a button: `click` sends a click, `step` lets the processor go on to its next
    stop, `run` lets it go on without stops, `kill` ends it with signal 9, and `start` starts it
    again. `choose` changes the guarantee. Each guarantee has a new stream and group of its own,
    whose names begin with `name`. What each place has is asked from Kafka twice a second; what is
    in its memory, only the processor says. What cannot be known now is None, and drawn as `?`.
    """

    _esm = asset("step_by_step.js")

    def __init__(
        self, brokers: Brokers, name: str, callback: Callable[[Any, Any], None] = count
    ) -> None:
        check(name=name, callback__code=callback)
        self._cluster, self._callback = Cluster.of(brokers), callback
        self._name = f"{name}-{secrets.token_hex(3)}"
        self._errands: Errands = Errands("clicklib steps", self._leave)
        self._left: dict[str, Stepped] = {}  # the last program of each guarantee
        self._scene: _Scene | None = None
        self.choose("at_least_once")
        super().__init__()

    @property
    def program(self) -> Stepped | None:
        """The program of the processor; None before it has begun."""
        return self._scene.program if self._scene else None

    def press(self, button: str) -> None:
        """Do what the button says, soon; nothing if it cannot be done now."""
        self._errands.do(partial(self._press, button))

    def choose(self, guarantee: str) -> None:
        """End this processor, and go on with the stream and the group of a guarantee."""
        check(guarantee__steps=guarantee)
        self.guarantee = guarantee
        self._errands.do(partial(self._open, guarantee))

    def _press(self, button: str) -> None:
        if self._scene is not None:
            self._scene.press(button)

    def _open(self, guarantee: str) -> None:
        self._leave()
        stream = f"{self._name}-{guarantee.replace('_', '-')}"
        left = self._left.get(guarantee)
        self._scene = _Scene(self._cluster, stream, self._callback, guarantee, left)

    def _leave(self) -> None:
        scene, self._scene = self._scene, None
        if scene is not None:
            self._left[scene.program.guarantee] = scene.program
            scene.close()

    def told(self, message: dict[str, Any]) -> None:
        if message.get("choose") in STOPS:
            self.choose(message["choose"])
        elif "press" in message:
            self.press(message["press"])

    def look(self) -> dict[str, Any]:
        scene, guarantee = self._scene, self.guarantee
        if scene is None or scene.program.guarantee != guarantee:
            return {"guarantee": guarantee, "says": "", "places": [], "error": self._errands.error}
        state, stop = scene.state, scene.program.last_stop
        if (state, stop) != scene.seen:
            scene.seen = (state, stop)
            scene.watch.hurry()
        kept, row = None if scene.watch.error else scene.watch.latest(), None
        with suppress(ClicklibError):  # the view is not there yet
            row = scene.view.get(USER) or {}
        failure = scene.program.lines("Error")[-1:] if state == "dead" else []
        return {
            "guarantee": guarantee,
            "state": state,
            "says": says(guarantee, state, stop, kept),
            "hand": _message(stop) if stop and state == "standing" else "",
            "places": places(guarantee, state, stop, kept, row),
            "figures": balance(kept, state),
            "error": self._errands.error or scene.watch.error or readable("".join(failure)),
        }


def _message(stop: Stop) -> str:
    """The message in hand, and its row before and after the callback."""
    before, after = (json.dumps(stop[each]) if stop[each] else None for each in ("before", "after"))
    rows = f"row before: {before or 'none'}, after: {after or '?'}"
    return readable(f"{stop['key']}, offset {stop['offset']}; {rows}")
