"""The methods that processor and view have in common for their users: start, stop, wait."""

from __future__ import annotations

import html
import weakref
from collections.abc import Callable
from typing import Any, Self

from clicklib.engine.at_exit import closed_at_exit
from clicklib.engine.lifecycle import Lifecycle
from clicklib.engine.state import State
from clicklib.given import check

__all__ = ["Service"]


class Service:
    """Something that runs on threads of its own from `start` to `stop`.

    Any thread may call any method, any number of times. A service that has stopped or failed can
    be started again. `with` starts it if it does not run yet, and stops it at the end. If the
    service has failed, `with` raises its error.

    A view that nothing refers to any more ends by itself; a processor works on. Both work only in
    the process that started them.
    """

    def __init__(self, name: str) -> None:
        prepare = weakref.WeakMethod(self._prepare)
        self._life = Lifecycle(name, lambda: _work(prepare))
        self._life.service = weakref.ref(self)

    def _prepare(self) -> Callable[[], None]:
        """The work as a function. If it does not refer to the service, that can be collected."""
        return self._main

    def _main(self) -> None:
        """Do the work until `_life.stopping` is true; raise the error that ends it."""
        raise NotImplementedError

    @property
    def state(self) -> State:
        return self._life.state

    @property
    def error(self) -> BaseException | None:
        """The error that stopped it, or None."""
        return self._life.error

    def start(self) -> Self:
        """Begin in the background and return at once.

        Raises UsageError when it is running already.
        """
        closed_at_exit(self, self.stop)
        self._life.start()
        return self

    def stop(self, timeout: float = 10.0) -> bool:
        """End cleanly: finish the current work, flush, commit, free everything.

        Waits at most `timeout` seconds, and returns whether it has ended. Called on one of its own
        threads, it only asks for the end and returns False at once.
        """
        check(timeout__wait=timeout)
        return self._life.stop(timeout)

    def run(self) -> None:
        """Start, and block until it stops; raises the error that stopped it."""
        self.start()
        try:
            self.wait()
        except KeyboardInterrupt:
            self.stop()
            raise

    def wait(self, timeout: float | None = None) -> bool:
        """Block until it has ended, at most `timeout` seconds; returns whether it has.

        Raises the error that stopped it.
        """
        check(timeout__ever=timeout)
        return self._life.wait(timeout)

    def wait_running(self, timeout: float = 30.0) -> Self:
        """Block until it is running; returns itself.

        Raises the error that stopped it, or UnavailableError when `timeout` seconds pass before.
        """
        check(timeout__or_none=timeout)
        self._life.wait_running(timeout)
        return self

    def __enter__(self) -> Self:
        if self.state is State.FAILED and self.error is not None:
            raise self.error
        return self.start() if self.state in (State.IDLE, State.STOPPED) else self

    def __exit__(self, *exc: object) -> None:
        self.stop()

    def _facts(self) -> dict[str, Any]:
        """The names and values that a notebook shows."""
        return {"state": self.state, "error": self.error}

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._life.name}: {self.state}>"

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><th style='text-align:left'>{html.escape(name)}</th>"
            f"<td style='text-align:left'>{html.escape(str(value))}</td></tr>"
            for name, value in self._facts().items()
            if value is not None
        )
        return f"<table><caption>{html.escape(self._life.name)}</caption>{rows}</table>"


def _work(prepare: Callable[[], Callable[[], Callable[[], None]] | None]) -> None:
    """Do the work of a service, without a reference to the service from here."""
    prepared = prepare()
    work = prepared() if prepared is not None else None
    del prepared
    if work is not None:
        work()
