"""Callbacks: functions of a user that clicklib calls and does not await.

An async function or a generator function does nothing when it is called. It only returns an object
that would do the work. So such a callback is refused, as early as it can be known.
"""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Awaitable, Generator
from functools import lru_cache, partial
from typing import Any

from clicklib.errors import CallbackError

__all__ = ["deferred", "is_unfinished", "unfinished"]

_WHY = "clicklib does not await what a call returns, so it would do nothing: write a plain function"


def deferred(function: Any) -> str:
    """What is wrong with a function that a call does not run; empty for a plain one."""
    while isinstance(function, partial):
        function = function.func
    if not inspect.isroutine(function) and not isinstance(function, type):
        function = type(function).__call__
    if inspect.iscoroutinefunction(function):
        return f"is an async function, and {_WHY}"
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        return f"is a generator function, and {_WHY}"
    return ""


@lru_cache(maxsize=256)
def is_unfinished(kind: type) -> bool:
    """Whether an object of this kind stands for work that is still to be done."""
    return issubclass(kind, Awaitable | Generator | AsyncIterator)


def unfinished(returned: Any, what: str, **where: Any) -> CallbackError | None:
    """The error for a callback that returned an object whose work nobody will do; else None."""
    if not is_unfinished(type(returned)):
        return None
    if inspect.iscoroutine(returned) or inspect.isgenerator(returned):
        returned.close()  # else Python would warn that it was never awaited
    return CallbackError(
        f"{what} returned a {type(returned).__name__}, whose work is not done: clicklib does not "
        "await what a callback returns. Write a plain function",
        **where,
    )
