"""Callbacks: functions of a user that clicklib calls and does not await.

An async function or a generator function does nothing when it is called. It only returns an object
that would do the work. So such a callback is refused, as early as it can be known.
"""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Awaitable, Generator
from concurrent.futures import Future
from functools import lru_cache, partial
from typing import Any

from clicklib.errors import CallbackError

__all__ = ["deferred", "is_unfinished", "same_definition", "unfinished"]

_WHY = "clicklib does not await what a call returns, so it would do nothing: write a plain function"


def deferred(function: Any) -> str:
    """What is wrong with a function that a call does not run; empty for a plain one."""
    function = _called(function)
    if inspect.iscoroutinefunction(function):
        return f"is an async function, and {_WHY}"
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        return f"is a generator function, and {_WHY}"
    return ""


def _called(function: Any) -> Any:
    """The function that runs in the end: that of a partial, or the `__call__` of an object."""
    while isinstance(function, partial):
        function = function.func
    if inspect.isroutine(function) or isinstance(function, type):
        return function
    return type(function).__call__


def same_definition(one: Any, other: Any) -> bool:
    """Whether one run of one `def` or lambda made both callbacks, and not two runs of a cell."""
    return _code(one) is _code(other)


def _code(function: Any) -> Any:
    function = _called(function)
    function = getattr(function, "__func__", function)
    return getattr(function, "__code__", function)


@lru_cache(maxsize=256)
def is_unfinished(kind: type) -> bool:
    """Whether an object of this kind stands for work that is still to be done.

    A pool's Future is meant, not a subclass: `lambda ctx, msg: emitter.emit(ctx.key, msg)` is well.
    """
    return kind is Future or issubclass(kind, Awaitable | Generator | AsyncIterator | map | filter)


def unfinished(returned: Any, what: str, **where: Any) -> CallbackError | None:
    """The error for a callback that returned an object whose work nobody will do; else None."""
    kind: Any = type(returned)
    if not is_unfinished(kind):
        return None
    if inspect.iscoroutine(returned) or inspect.isgenerator(returned):
        returned.close()  # else Python would warn that it was never awaited
    return CallbackError(
        f"{what} returned a {kind.__name__}, whose work is not done: clicklib does not "
        "await what a callback returns. Write a plain function",
        **where,
    )
