"""Stand-ins for emitters and watches, and short ways to make groups, views and rows."""

from __future__ import annotations

import threading
import time
from concurrent.futures import Future
from types import SimpleNamespace
from typing import Any

from clicklib import View, clicks
from clicklib.client.groups import Group, GroupMember, Progress
from clicklib.emitter import EmitterStats

NOWHERE = "127.0.0.1:1"


class FakeEmitter:
    """Takes clicks. It keeps its promises at once, or the test keeps them by hand."""

    topic, error, closed = "clicks", None, False

    def __init__(self, keep: bool = True) -> None:
        self.keys: list[str] = []
        self.promises: list[Future[Any]] = []
        self.keep = keep
        self.refuses: Exception | None = None
        self.gate = threading.Event()
        self.gate.set()

    def stats(self) -> EmitterStats:
        return EmitterStats(len(self.keys), sum(p.done() for p in self.promises), 0)

    def emit(self, key: str, msg: Any) -> Future[Any]:
        self.gate.wait()
        if self.refuses:
            raise self.refuses
        promise: Future[Any] = Future()
        self.keys.append(key)
        self.promises.append(promise)
        if self.keep:
            promise.set_result((0, 0))
        return promise


class FakeWatch:
    """A watch over the group that the test sets."""

    group, topics, error = "g", ("clicks",), ""

    def __init__(self, seen: Group | None = None) -> None:
        self.seen = seen
        self.letters = {"m1": "A", "m2": "B"}

    def latest(self) -> Group | None:
        return self.seen

    def rest(self) -> None: ...

    def strips(self) -> dict[int, list[tuple[str, float, float | None]]]:
        return {0: [("A", time.monotonic() - 500, time.monotonic() - 400), ("B", 5e9, None)]}

    def colours(self) -> dict[str, tuple[str, str]]:
        return {"A": ("#000", "#fff"), "B": ("#fff", "#000")}


def group(*members: GroupMember, state: str = "Stable", lag: int = 0) -> Group:
    return Group("g", state, members, (Progress("clicks", 0, 0, lag, 0),))


def member(name: str, *partitions: int) -> GroupMember:
    return GroupMember(name, "client", "host", tuple(("clicks", p) for p in partitions))


def view() -> View:
    return View(NOWHERE, "g-table", clicks.UserCodec(), storage="memory")


def rows(found: dict[str, Any]) -> Any:
    return SimpleNamespace(read=lambda: found)


def names() -> list[str]:
    return sorted(t.name for t in threading.enumerate() if t.name.startswith("clicklib"))
