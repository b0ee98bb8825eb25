"""Closes the objects that are still open: when the program ends, or when somebody asks for it."""

from __future__ import annotations

import atexit
import os
import threading
import time
import weakref
from typing import Any

__all__ = ["close_all", "closed_at_exit"]

_open: weakref.WeakKeyDictionary[Any, Any] = weakref.WeakKeyDictionary()


def closed_at_exit(thing: Any, close: Any) -> None:
    """Call the bound method `close` of `thing` when the program ends, if `thing` still exists."""
    _open[thing] = weakref.WeakMethod(close)


if hasattr(os, "register_at_fork"):
    # A forked process has copies, but none of the threads that serve them.
    os.register_at_fork(after_in_child=_open.clear)


def close_all(timeout: float) -> None:
    """Close them all side by side; returns about `timeout` seconds later at most."""
    deadline = time.monotonic() + timeout + 1
    methods = list(_open.values())
    _open.clear()
    closing = [
        threading.Thread(target=close, args=(timeout,), daemon=True)
        for close in (method() for method in methods)
        if close is not None
    ]
    for thread in closing:
        thread.start()
    for thread in closing:
        thread.join(max(0.0, deadline - time.monotonic()))


atexit.register(close_all, 5.0)
