"""Closes, when the program ends, the objects that are still open."""

from __future__ import annotations

import atexit
import threading
import weakref
from typing import Any

__all__ = ["closed_at_exit"]

_open: weakref.WeakKeyDictionary[Any, Any] = weakref.WeakKeyDictionary()


def closed_at_exit(thing: Any, close: Any) -> None:
    """Call the bound method `close` of `thing` when the program ends, if `thing` still exists."""
    _open[thing] = weakref.WeakMethod(close)


@atexit.register
def _close_all() -> None:
    closing = [
        threading.Thread(target=close, args=(5.0,), daemon=True)
        for close in (method() for method in list(_open.values()))
        if close is not None
    ]
    for thread in closing:
        thread.start()
    for thread in closing:
        thread.join(6.0)
