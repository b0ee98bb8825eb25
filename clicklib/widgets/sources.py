"""Where the pictures' figures come from: snapshots that are taken without blocking the painter."""

from __future__ import annotations

import itertools
import re
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, Generic, Protocol, TypeVar
from weakref import WeakValueDictionary

import msgspec

from clicklib.client.cluster import Brokers, Cluster
from clicklib.client.groups import Group, Groups
from clicklib.engine.state import State
from clicklib.errors import ClicklibError, UsageError
from clicklib.processor import Processor
from clicklib.view import View

__all__ = [
    "COLOURS",
    "Count",
    "GroupWatch",
    "Processors",
    "Rate",
    "Rows",
    "Watch",
    "as_list",
    "clicks_of",
    "group_watch",
    "letter",
    "natural",
    "readable",
]

# Okabe and Ito's colours, which the colour-blind can tell apart, and black or white to write on
# each; their vermilion is kept for what failed.
COLOURS = [
    ("#0072B2", "#fff"),
    ("#E69F00", "#000"),
    ("#009E73", "#000"),
    ("#CC79A7", "#000"),
    ("#56B4E9", "#000"),
    ("#F0E442", "#000"),
]

Count = Callable[[Any], float]
Processors = Processor | Sequence[Processor] | None

_LEASE = 3.0  # seconds that a watch goes on after it was asked last
_WINDOW = 600.0  # seconds of ownership that are remembered
_SHARE = 20  # a table is read at most for one part in so many of the time


def clicks_of(value: Any) -> float:
    """The number in a row's value: itself, its `clicks` or `Clicks`, or the first number in it."""
    if isinstance(value, int | float):
        return value
    fields = msgspec.to_builtins(value)
    if isinstance(fields, dict):
        for each in (fields.get("clicks"), fields.get("Clicks"), *fields.values()):
            if isinstance(each, int | float):
                return each
    return 0


def readable(text: str, limit: int = 200) -> str:
    """`text` as a browser can show it: what was not UTF-8 becomes the sign for that."""
    if len(text) > limit:
        text = text[:limit] + "…"
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


@lru_cache(maxsize=1 << 14)
def natural(key: str) -> tuple[str, ...]:
    """To sort by: user-2 before user-10."""
    return tuple(part.zfill(20) if part.isdigit() else part for part in re.split(r"(\d+)", key))


def letter(index: int) -> str:
    """A, B, …, Z, AA, AB, …"""
    text = ""
    while index >= 0:
        text, index = chr(ord("A") + index % 26) + text, index // 26 - 1
    return text


def as_list(processors: Processors) -> list[Processor]:
    """None, one or several as a list."""
    if processors is None:
        return []
    return [processors] if isinstance(processors, Processor) else list(processors)


class Rate:
    """How much a counter grows a second, over the last `span` seconds."""

    def __init__(self, span: float = 2.0) -> None:
        self._span = span
        self._seen: deque[tuple[float, float]] = deque()

    def of(self, count: float) -> float:
        """The rate, now that the counter stands at `count`."""
        now = time.monotonic()
        if self._seen and count < self._seen[-1][1]:
            self._seen.clear()  # what is counted was started again
        self._seen.append((now, count))
        while len(self._seen) > 2 and self._seen[1][0] < now - self._span:
            self._seen.popleft()
        then, less = self._seen[0]
        return (count - less) / (now - then) if now > then else 0.0


class Rows:
    """The rows of a view, read again only when there is something new."""

    def __init__(self, view: View) -> None:
        self.view = view
        self.rows: dict[str, Any] = {}
        self._version: Any = None
        self._next = 0.0

    def read(self) -> dict[str, Any]:
        """The rows by key; those of the last time while the view is stopped or starts."""
        if time.monotonic() < self._next or self.view.state not in (
            State.RECOVERING,
            State.RUNNING,
            State.RECONNECTING,
        ):
            return self.rows
        begin = time.thread_time()  # a wait for a busy machine costs nobody anything
        try:
            version = (self.view.state, self.view.stats().records_in)
            if version != self._version:
                self.rows = dict(self.view.items(stale=True))
                self._version = version
        except UsageError:
            pass  # it stopped, or opens its stores, this very moment
        self._next = time.monotonic() + _SHARE * (time.thread_time() - begin)
        return self.rows


class _Client(Protocol):
    def close(self) -> None: ...


C = TypeVar("C", bound=_Client)
T = TypeVar("T")


class Watch(Generic[C, T]):
    """Looks at Kafka every few seconds on a thread of its own, as long as somebody asks."""

    def __init__(
        self, name: str, connect: Callable[[], C], look: Callable[[C], T], every: float
    ) -> None:
        self._name, self._connect, self._look, self._every = name, connect, look, every
        self._lock = threading.Lock()
        self._asked = 0.0
        self._soon = threading.Event()
        self._thread: threading.Thread | None = None
        self._latest: T | None = None
        self.error = ""

    def latest(self) -> T | None:
        """What was seen last; None until there is something. Never blocks."""
        with self._lock:
            self._asked = time.monotonic()
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
                self._thread.start()
            return self._latest

    def hurry(self) -> None:
        """Look again at once."""
        self._soon.set()

    def rest(self) -> None:
        """End the thread soon, unless somebody asks again."""
        with self._lock:
            self._asked = 0.0
        self._soon.set()

    def take(self, seen: T) -> None:
        """Keep what was seen."""
        self._latest = seen

    def _run(self) -> None:
        client: C | None = None
        try:
            while self._wanted():
                try:
                    client = client or self._connect()
                    self.take(self._look(client))
                    self.error = ""
                except Exception as exc:  # whatever it is, it is shown, and tried again
                    self.error = str(exc) if isinstance(exc, ClicklibError) else repr(exc)
                    if client is not None:
                        client.close()
                    client = None
                self._soon.wait(self._every)
                self._soon.clear()
        finally:
            if client is not None:
                client.close()

    def _wanted(self) -> bool:
        with self._lock:
            if time.monotonic() - self._asked < _LEASE:
                return True
            self._thread = None
            return False


class GroupWatch(Watch[Groups, Group]):
    """A group, with a letter for each member and the owners of each partition over time."""

    def __init__(self, cluster: Cluster, group: str, topics: tuple[str, ...]) -> None:
        super().__init__(
            f"clicklib watches {group}",
            lambda: Groups(cluster, timeout=3.0),
            lambda groups: groups.describe(group, topics),
            every=0.5,
        )
        self.group, self.topics = group, topics
        self.letters: dict[str, str] = {}
        self._strips: dict[int, deque[tuple[str, float, float]]] = {}
        self._seen_at = 0.0

    def take(self, seen: Group) -> None:
        with self._lock:
            self._note(seen, time.monotonic())
        super().take(seen)

    def _note(self, seen: Group, now: float) -> None:
        for member in seen.members:
            self.letters.setdefault(member.id, letter(len(self.letters)))
        owners = {place[1]: self.letters[member] for place, member in seen.owners.items()}
        for partition in {each.partition for each in seen.progress}:
            strip = self._strips.setdefault(partition, deque(maxlen=200))
            owner = owners.get(partition, "")
            # It is as if seen all the time, unless nobody looked for a while.
            if strip and strip[-1][2] == self._seen_at and now - self._seen_at < _LEASE:
                last, start, _ = strip.pop()
                strip.append((last, start, now))
                if last != owner:
                    strip.append((owner, now, now))
            else:
                strip.append((owner, now, now))
            while strip[0][2] < now - _WINDOW:
                strip.popleft()
        self._seen_at = now

    def strips(self) -> dict[int, list[tuple[str, float, float | None]]]:
        """For each partition who owned it from when to when; None as the end is now."""
        with self._lock:
            found = {partition: list(strip) for partition, strip in sorted(self._strips.items())}
        strips: dict[int, list[tuple[str, float, float | None]]] = {}
        for partition, (*ended, (owner, start, end)) in found.items():
            now = end == self._seen_at and not self.error
            strips[partition] = [*ended, (owner, start, None if now else end)]
        return strips

    def colours(self) -> dict[str, tuple[str, str]]:
        """The colour of each letter, and the one to write on it."""
        with self._lock:
            return dict(zip(self.letters.values(), itertools.cycle(COLOURS), strict=False))


_watches: WeakValueDictionary[Any, GroupWatch] = WeakValueDictionary()
_watches_lock = threading.Lock()


def group_watch(
    where: Brokers | Processors, group: str | None = None, view: View | None = None
) -> GroupWatch:
    """The watch over the group of some processors, over one by name, or over a view's group.

    Who asks for the same group shares one watch.
    """
    topics: tuple[str, ...] = ()
    processors = [] if isinstance(where, Cluster | str) else as_list(where)  # type: ignore[arg-type]
    if processors and isinstance(processors[0], Processor):
        cluster, graph = processors[0].cluster, processors[0].graph
        group, topics = graph.group, tuple(graph.topics)
    elif view is not None:
        cluster, group = view.cluster, group or view.table.removesuffix("-table")
    elif where and group:
        cluster = Cluster.of(where)  # type: ignore[arg-type]
    else:
        raise UsageError("name a processor, or the brokers and a group, or a view")
    key = (cluster.addresses, group, topics)
    with _watches_lock:
        watch = _watches.get(key)
        if watch is None:
            watch = _watches[key] = GroupWatch(cluster, group, topics)
        return watch
