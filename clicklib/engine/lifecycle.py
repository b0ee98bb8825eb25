"""What a processor and a view have in common: they start, run in threads, stop, and may fail."""

from __future__ import annotations

import atexit
import html
import logging
import math
import threading
import time
import weakref
from collections.abc import Callable
from typing import Any, Self, TypeVar

from clicklib.engine.state import Signal, State
from clicklib.errors import ClicklibError, InternalError, UnavailableError, UsageError

__all__ = ["OwnedThread", "Service", "closed_at_exit", "keep_trying"]

T = TypeVar("T")

logger = logging.getLogger("clicklib")

_ENDED = (State.STOPPED, State.FAILED)


def keep_trying(
    timeout: float, step: Callable[[], T], stopping: Callable[[], bool] = lambda: False
) -> T:
    """What `step` returns, which is tried again after UnavailableError: for `timeout` seconds,
    unless `stopping` says that nobody wants it any more.

    A connection that was made may break before anything was asked through it.
    """
    deadline = time.monotonic() + timeout
    while True:
        try:
            return step()
        except UnavailableError:
            if stopping() or time.monotonic() > deadline:
                raise
            time.sleep(0.1)


class OwnedThread(threading.Thread):
    """A daemon thread that knows whose it is, so that `stop` never waits for its own caller."""

    def __init__(self, owner: Service, name: str, target: Callable[[], None]) -> None:
        super().__init__(target=target, name=name, daemon=True)
        self.owner = owner


class Service:
    """Something that runs on a thread of its own from `start` to `stop`.

    All methods may be called from any thread, any number of times. It can be started again after
    it stopped or failed.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self._signal = Signal()
        self._error: BaseException | None = None
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self._end_by = math.inf  # when its threads have to have ended

    def _main(self) -> None:
        """Do the work until `_stopping` is set; raise what stopped it."""
        raise NotImplementedError

    @property
    def state(self) -> State:
        return self._signal.state

    @property
    def error(self) -> BaseException | None:
        """The error that stopped it, or None."""
        return self._error

    def start(self) -> Self:
        """Begin in the background and return at once.

        Raises UsageError when it is running already.
        """
        with self._lock:
            if self._thread is not None and self._signal.state not in (State.IDLE, *_ENDED):
                raise UsageError(f"{self.name} is {self.state} already: stop it first")
            self._signal.set(State.STARTING)
            self._error = None
            self._end_by = math.inf
            self._stopping.clear()
            self._thread = OwnedThread(self, self.name, self._thread_main)
            self._thread.start()
        closed_at_exit(self, self.stop)
        return self

    def stop(self, timeout: float = 10.0) -> bool:
        """End cleanly: finish what is in hand, flush, commit, free everything.

        Waits at most `timeout` seconds, and says whether it has ended. On one of its own threads
        it only asks and returns at once.
        """
        with self._lock:
            thread = self._thread
            if thread is None:
                return True
            self._end(timeout)
            if thread.is_alive() and self.state not in (*_ENDED, State.STOPPING):
                self._signal.set(State.STOPPING)
        if getattr(threading.current_thread(), "owner", None) is self:
            return False
        thread.join(timeout)
        return not thread.is_alive()

    def run(self) -> None:
        """Start, and block until it stops; raises the error that stopped it."""
        self.start()
        try:
            self.wait()
        except KeyboardInterrupt:
            self.stop()
            raise

    def wait(self, timeout: float | None = None) -> bool:
        """Block until it has ended, at most `timeout` seconds; says whether it has.

        Raises the error that stopped it.
        """
        if self.state is State.IDLE:
            raise UsageError(f"{self.name} was never started")
        deadline = None if timeout is None else time.monotonic() + timeout
        # In slices, so that Ctrl-C reaches a main thread that waits without end (Windows).
        while deadline is None or time.monotonic() < deadline:
            left = 0.5 if deadline is None else max(0.0, min(0.5, deadline - time.monotonic()))
            if self._signal.wait(*_ENDED, timeout=left):
                break
        if self._error is not None:
            raise self._error
        return self.state in _ENDED

    def wait_running(self, timeout: float = 30.0) -> Self:
        """Block until it is running; returns itself.

        Raises the error that stopped it, or UnavailableError when `timeout` seconds pass before.
        """
        if self.state is State.IDLE:
            raise UsageError(f"{self.name} was never started")
        state = self._signal.wait(State.RUNNING, *_ENDED, timeout=timeout)
        if self._error is not None:
            raise self._error
        if state is None:
            raise UnavailableError(f"{self.name} is still {self.state} after {timeout:g} s")
        if state is not State.RUNNING:
            raise UsageError(f"{self.name} is {state}")
        return self

    def _thread_main(self) -> None:
        try:
            self._main()
        except BaseException as exc:  # SystemExit too: a callback may call sys.exit()
            self.fail(exc)
        with self._lock:
            self._signal.set(State.STOPPED if self._error is None else State.FAILED)

    @property
    def stopping(self) -> bool:
        """Whether it is to end."""
        return self._stopping.is_set()

    def wait_stopping(self, seconds: float) -> bool:
        """Wait until it is to end, at most `seconds`; says whether it is."""
        return self._stopping.wait(seconds)

    def keep_trying(self, timeout: float, step: Callable[[], T]) -> T:
        """The same, given up as soon as it is to end."""
        return keep_trying(timeout, step, self._stopping.is_set)

    def time_left(self) -> float:
        """Seconds that its threads still have to end in."""
        return max(0.0, self._end_by - time.monotonic())

    def _end(self, timeout: float) -> None:
        """Let it end within `timeout` seconds, or sooner if so asked before."""
        self._end_by = min(self._end_by, time.monotonic() + timeout)
        self._stopping.set()

    def move(self, state: State) -> None:
        """Become `state`, unless it is about to end."""
        with self._lock:
            if not self._stopping.is_set():
                self._signal.set(state)

    def fail(self, error: BaseException) -> None:
        """Stop because of `error`. The first one counts; later ones become notes on it."""
        if not isinstance(error, ClicklibError):
            cause, error = error, InternalError(f"{self.name} met an unexpected error: {error!r}")
            error.__cause__ = cause
        with self._lock:
            self._end(10.0)
            if self._error is not None:
                if error is not self._error:
                    self._error.add_note(f"then: {error}")
                return
            self._error = error
        logger.error("%s stopped: %s", self.name, error)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.stop()

    def _facts(self) -> dict[str, Any]:
        """What the notebook shows of it."""
        return {"state": self.state, "error": self._error}

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name}: {self.state}>"

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><th style='text-align:left'>{html.escape(name)}</th>"
            f"<td style='text-align:left'>{html.escape(str(value))}</td></tr>"
            for name, value in self._facts().items()
            if value is not None
        )
        return f"<table><caption>{html.escape(self.name)}</caption>{rows}</table>"


_open: weakref.WeakKeyDictionary[Any, Any] = weakref.WeakKeyDictionary()


def closed_at_exit(thing: Any, close: Any) -> None:
    """Call the bound method `close` of `thing` when the program ends, if `thing` is still there."""
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
