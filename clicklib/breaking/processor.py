"""A processor that can be broken: a program of its own, with a proxy before each broker."""

from __future__ import annotations

import threading
import time
import weakref
from collections.abc import Callable, Sequence
from contextlib import suppress
from math import inf
from typing import Any, Self

import psutil

from clicklib.breaking.faults import AGAIN, fault
from clicklib.breaking.proxy import HOST, Proxy, proxies
from clicklib.client.cluster import Brokers, Cluster
from clicklib.engine.at_exit import closed_at_exit
from clicklib.given import check, listed
from clicklib.graph import Graph
from clicklib.lessons import Victim, wait_until
from clicklib.lessons.victim import count

__all__ = ["BreakableProcessor"]

_RATE = 4_000.0  # bytes a second of a slow connection
_DELAY = 0.2  # seconds, in each direction
_SLEEP = 1.0  # seconds of a slow callback
_LINKS = ("cut", "freeze", "slow", "delay")


class BreakableProcessor:
    """A processor that counts the clicks of a stream, in a program beside this kernel.

    `callback` changes rows that are dicts with the field `Clicks`; it may use its arguments and
    nothing else of the notebook. `slow_users` are those at whose clicks a slow callback sleeps.
    The other methods harm it until `heal`. It ends with `stop_for_good`, and with the kernel.
    """

    kind = "processor"

    def __init__(
        self,
        brokers: Brokers,
        stream: str,
        group: str,
        callback: Callable[[Any, Any], None] = count,
        *,
        guarantee: str = "at_least_once",
        slow_users: Sequence[str] = ("user-3",),
    ) -> None:
        cluster, slow_users = Cluster.of(brokers), listed(slow_users)
        check(stream=stream, group=group, callback__code=callback, guarantee=guarantee)
        check(slow_users=slow_users)
        local = all(each.startswith(f"{HOST}:") for each in cluster.addresses)
        self._proxies = proxies(cluster) if local and not cluster.security else []
        self._finalizer = weakref.finalize(self, _close_soon, self._proxies)
        self._finalizer.atexit = False
        through = ",".join(each.address for each in self._proxies) or None
        options: Any = {"guarantee": guarantee, "through": through}
        self.program = Victim(cluster, stream, group, callback, **options)
        self.slow_users = slow_users
        self._order = self.program.folder / "slow"
        self._full_since = inf
        self._why: tuple[int, str] = (0, "")
        self._lock = threading.Lock()
        self._closed = False
        closed_at_exit(self, self.stop_for_good)

    @property
    def graph(self) -> Graph:
        """What the processor reads and keeps."""
        return self.program.graph

    @property
    def state(self) -> str:
        """What is known without asking Kafka: the program runs, is suspended, or has ended."""
        program = self.program
        if program.running:
            with suppress(psutil.NoSuchProcess):
                return "is suspended" if program.frozen else "runs"
        if self._why[0] != program.pid:
            said = "".join(program.lines("clicklib.errors.")[-1:]).removeprefix("clicklib.errors.")
            self._why = (program.pid, f": {said[:200]}" if said else "")
        return f"has ended{self._why[1]}"

    def wait_running(self, timeout: float = 60) -> Self:
        """Wait until it has its partitions and their table; returns itself."""
        self.program.wait_running(timeout)
        return self

    def impossible(self, fault: str) -> str:
        """Why this fault cannot be caused now; empty if it can."""
        if (fault == "start") == self.program.running:
            return "It runs." if fault == "start" else "It has ended."
        if fault in _LINKS and not self._proxies:
            return "Only on the local Kafka."
        if fault == "fill_disk" and not hasattr(psutil, "RLIMIT_FSIZE"):
            return "Only on Linux."
        return ""

    @fault("Stop", "stopped", 8, AGAIN)
    def stop(self) -> None:
        """It commits, leaves the group and ends. The others of the group take its partitions; alone
        in the group, its lag grows. No click is counted twice."""
        self.program.stop()

    @fault("Kill -9", "killed", 8, AGAIN)
    def kill(self) -> None:
        """It ends in the middle of its work. A second later the others take its partitions. Under
        at least once some clicks may be counted twice: those that it had not committed."""
        self.program.kill()

    @fault("Suspend", "suspended", 8, "Resume now")
    def suspend(self) -> None:
        """It does nothing, and sends no heartbeat. After a second the others take its partitions.
        When it wakes up, it learns this and joins the group again."""
        psutil.Process(self.program.pid).suspend()

    @fault("Start again", "started")
    def start(self) -> None:
        """A processor that has ended comes back. It goes on where the group has committed."""

    @fault("Cut its connections", "cut off", 8, "Connect now")
    def cut(self) -> None:
        """They are reset, and no new one is let in. After a second the others take its partitions.
        It tries again and again, and comes back by itself."""
        self._link(Proxy.refuse)

    @fault("Freeze its connections", "frozen", 8, "Let all pass now")
    def freeze(self) -> None:
        """They stay open, and nothing passes. After a second the others take its partitions. It
        only notices that no answer comes."""
        self._link(Proxy.freeze)

    @fault("Slow its connections", "on a slow link", 10, "Full speed now")
    def slow(self) -> None:
        """On each of them 4,000 bytes pass in a second. If there are more clicks than that, its lag
        grows until the link is fast again."""
        self._link(lambda proxy: setattr(proxy, "rate", _RATE))

    @fault("Delay its connections", "on a late link", 10, "No delay now")
    def delay(self) -> None:
        """Everything comes 0.2 seconds late, in both directions. Clicks are counted later. None is
        lost, and the processor keeps its partitions."""
        self._link(lambda proxy: setattr(proxy, "delay", _DELAY))

    @fault("Slow its callback", "slow", 10, "Full speed now")
    def slow_callback(self) -> None:
        """The callback sleeps for a second at each click of `slow_users`. The lag grows in the
        partition of these clicks. The other partitions go on."""
        self._order.write_text("\n".join([str(_SLEEP), *self.slow_users]), "utf-8")

    @fault("Fill its disk", "without disk", 20, "Make room now")
    def fill_disk(self) -> None:
        """Its local table cannot be written, so it stops with an error some seconds after the
        next click. Started again, it rebuilds the table from Kafka. No click is lost."""
        self._full_since = time.time() - 0.1
        self._limit_files(0)

    def heal(self) -> None:
        """End all faults, and start the program again if it has ended."""
        with self._lock:
            if not self._closed:
                self._end_faults()
                if self._is_failing():
                    wait_until("it has ended", lambda: not self.program.running)
                if not self.program.running:
                    self.program = self.program.again()

    def stop_for_good(self, timeout: float = 10) -> None:
        """End all faults, the program and its connections; a second call does nothing."""
        check(timeout__wait=timeout)
        with self._lock:
            if not self._closed:
                self._closed = True
                self._end_faults()
                self.program.stop(timeout)
                self._finalizer.detach()
                _close(self._proxies)

    def _link(self, change: Callable[[Proxy], None]) -> None:
        with self._lock:
            for proxy in () if self._closed else self._proxies:
                change(proxy)

    def _end_faults(self) -> None:
        self._order.unlink(missing_ok=True)
        for proxy in self._proxies:
            proxy.heal()
        with suppress(psutil.NoSuchProcess):
            self._limit_files(None)
            psutil.Process(self.program.pid).resume()

    def _is_failing(self) -> bool:
        """Whether a store broke while the disk was full: then the program ends in some seconds."""
        since, self._full_since = self._full_since, inf
        marks = self.program.folder.rglob("damaged")
        return any(each.stat().st_mtime > since for each in marks)

    def _limit_files(self, size: int | None) -> None:
        """Limit the size to which the program may write files; None lifts the limit.

        A write fails then as it does on a full disk, but with the error EFBIG in place of ENOSPC.
        """
        if hasattr(psutil, "RLIMIT_FSIZE") and self.program.running:
            process = psutil.Process(self.program.pid)
            _, hard = process.rlimit(psutil.RLIMIT_FSIZE)
            process.rlimit(psutil.RLIMIT_FSIZE, (hard if size is None else size, hard))


def _close(proxies: Sequence[Proxy]) -> None:
    for proxy in proxies:
        proxy.close()


def _close_soon(proxies: Sequence[Proxy]) -> None:
    """Close them on a thread: the collector may run on any, even on that of a proxy."""
    threading.Thread(target=_close, args=(proxies,), daemon=True).start()
