"""The notice of a keeper: its process, and the state of its broker."""

from __future__ import annotations

from dataclasses import dataclass

import psutil

from clicklib.broker.answer import count_nodes
from clicklib.broker.guard import is_alive

__all__ = ["Notice", "Pid"]


@dataclass(frozen=True)
class Pid:
    """The id of a process, and its start time, because a later process may get the same id."""

    pid: int
    born: float

    @classmethod
    def of(cls, pid: int) -> Pid:
        """The Pid of a running process."""
        return cls(pid, psutil.Process(pid).create_time())

    def process(self) -> psutil.Process | None:
        """The process, or None if it has ended (a zombie has)."""
        try:
            process = psutil.Process(self.pid)
            # The system computes start times from the clock, which may be set between two calls.
            same = abs(process.create_time() - self.born) < 2
            return process if same and is_alive(process) else None
        except psutil.Error:
            return None


@dataclass(frozen=True)
class Notice:
    """The last report of a keeper; `state` is starting, ready, stopping or failed.

    `open_at` is the address at which others log in; empty if it is closed to them.
    """

    state: str
    token: str
    keeper: Pid
    cluster: str = ""
    addresses: tuple[str, ...] = ()
    java: tuple[int, ...] = ()
    error: str = ""
    open_at: str = ""

    def is_kept(self) -> bool:
        """Whether the keeper runs, and keeps its broker running for its users."""
        return self.state in ("starting", "ready") and self.keeper.process() is not None

    def answers(self) -> bool:
        """Whether the first node accepts clients."""
        return any(count_nodes(address, self.cluster) for address in self.addresses[:1])
