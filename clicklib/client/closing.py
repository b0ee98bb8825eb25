"""The end of a `with` block, and of what nobody uses any more."""

from __future__ import annotations

import _thread
import threading
import weakref
from collections.abc import Callable
from typing import Any, Generic, Protocol, Self, TypeVar

from clicklib.client.process import ThisProcess
from clicklib.errors import UsageError

__all__ = ["Closing", "Holding", "closed_with"]


class Closing:
    """Has something to close, such as a connection, and closes it at the end of a `with` block."""

    def close(self) -> None:
        """Free the connection; repeatable."""
        raise NotImplementedError

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


class _Client(Protocol):
    def close(self) -> None: ...


C = TypeVar("C", bound=_Client)


class Holding(Closing, Generic[C]):
    """Holds a client, and closes it at its own end, also when nothing refers to it any more.

    It works only in the process that made it.
    """

    def __init__(self, client: C) -> None:
        self._held, self._process = client, ThisProcess()
        self._dropped = closed_with(self, client.close)

    @property
    def _client(self) -> C:
        """Raises UsageError after `close`, and in a forked process."""
        name = f"this {type(self).__name__}"
        self._process.check(name)
        if not self._dropped.alive:
            raise UsageError(f"{name} is closed: make another one")
        return self._held

    def close(self) -> None:
        """Free the connection; repeatable."""
        self._process.check(f"this {type(self).__name__}")
        if self._dropped.detach():
            self._held.close()


def closed_with(thing: Any, close: Callable[[], None]) -> weakref.finalize:
    """Call `close` soon after `thing` is gone, in this process. It must not refer to `thing`."""
    dropped = weakref.finalize(thing, _close_soon, close, ThisProcess())
    dropped.atexit = False
    return dropped


def _close_soon(close: Callable[[], None], process: ThisProcess) -> None:
    """Close the client of an object that is gone.

    The collector may call this at any moment, on any thread, perhaps within a lock of `threading`
    or on the client's own thread. So it only begins a bare thread, for which no lock is needed,
    and that one begins a thread of `threading`, which may take locks.
    """

    def begin() -> None:
        threading.Thread(target=close, daemon=True).start()

    if process.is_this():
        _thread.start_new_thread(begin, ())
