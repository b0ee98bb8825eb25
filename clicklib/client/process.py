"""The process that made an object. A fork copies the object, but not the threads that serve it."""

from __future__ import annotations

import os

from clicklib.errors import UsageError

__all__ = ["ThisProcess"]


_forks = 0  # between the first process and this one; to ask for the process's number takes 0.2 µs


def _count() -> None:
    global _forks
    _forks += 1


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_count)


class ThisProcess:
    """The process in which it was made."""

    def __init__(self) -> None:
        self._forks = _forks

    def is_this(self) -> bool:
        """Whether it is the process that runs this."""
        return self._forks == _forks

    def check(self, what: str) -> None:
        """Raises UsageError in any other process: there `what` would wait for ever."""
        if not self.is_this():
            raise UsageError(
                f"{what} was made before a fork, and works only in the process that made it: make "
                "another one here"
            )
