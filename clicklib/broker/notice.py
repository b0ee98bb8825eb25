"""The notice of a keeper: who it is, and how far it has come with its broker."""

from __future__ import annotations

from dataclasses import dataclass

import psutil

from clicklib.broker.answer import count_nodes
from clicklib.broker.guard import is_alive

__all__ = ["Notice", "Pid"]


@dataclass(frozen=True)
class Pid:
    """The id of a process, and its time of birth: a later process may get the same id."""

    pid: int
    born: float

    @classmethod
    def of(cls, pid: int) -> Pid:
        """That of a living process."""
        return cls(pid, psutil.Process(pid).create_time())

    def process(self) -> psutil.Process | None:
        """The process, or None if it has ended (a zombie has)."""
        try:
            process = psutil.Process(self.pid)
            # Times of birth are reckoned from the clock, which may be set in between.
            same = abs(process.create_time() - self.born) < 2
            return process if same and is_alive(process) else None
        except psutil.Error:
            return None


@dataclass(frozen=True)
class Notice:
    """A keeper's last word; `state` is starting, ready, stopping or failed."""

    state: str
    token: str
    keeper: Pid
    cluster: str = ""
    addresses: tuple[str, ...] = ()
    java: tuple[int, ...] = ()
    error: str = ""

    def is_kept(self) -> bool:
        """Whether a living keeper holds a broker for those who register."""
        return self.state in ("starting", "ready") and self.keeper.process() is not None

    def answers(self) -> bool:
        """Whether the first node lets clients in."""
        return any(count_nodes(address, self.cluster) for address in self.addresses[:1])
