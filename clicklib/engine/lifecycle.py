"""The life of a processor or a view: it starts, runs on threads, stops, and may fail.

`service` passes the calls of users on to it; its own threads call it directly.
"""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Callable
from typing import Any

from clicklib.client.limit import until
from clicklib.client.process import ThisProcess
from clicklib.engine.state import AT_REST, ENDED, Signal, State
from clicklib.errors import ClicklibError, InternalError, TopicError, UnavailableError, UsageError

__all__ = ["Lifecycle", "OwnedThread"]

logger = logging.getLogger("clicklib")

_GRACE = 10.0  # seconds in which the threads must end after an error


class OwnedThread(threading.Thread):
    """A daemon thread that has an `owner`, so that `stop` never waits for the calling thread."""

    def __init__(self, owner: Lifecycle, name: str, target: Callable[[], None]) -> None:
        super().__init__(target=target, name=name, daemon=True)
        self.owner = owner


class Lifecycle:
    """Runs `main` on a thread of its own, from `start` until `main` returns or raises.

    `main` must end soon once `stopping` is true. Any thread may call any method, any number of
    times. After it has stopped or failed, it can be started again.
    """

    def __init__(self, name: str, main: Callable[[], None]) -> None:
        self.name = name
        self.error: BaseException | None = None
        self._main = main
        self._signal = Signal()
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self._end_by = math.inf  # deadline for its threads to end
        self._process = ThisProcess()  # the one that started it
        self.service: Callable[[], Any] = lambda: self
        """Returns the service, or None when it was collected. Then the threads end."""

    @property
    def state(self) -> State:
        return self._signal.state

    # For `service`: begin, wait, end.

    def start(self) -> None:
        """Begin in the background. Raises UsageError when it is running already."""
        if self.state not in AT_REST:
            self.check_process()
        with self._lock:
            if self._thread is not None and self.state not in AT_REST:
                raise UsageError(f"{self.name} is {self.state} already: stop it first")
            self._signal.set(State.STARTING)
            self.error = None
            self._end_by, self._process = math.inf, ThisProcess()
            self._stopping.clear()
            thread = self._thread = OwnedThread(self, self.name, self._run)
            try:
                thread.start()
            except BaseException:  # Ctrl-C, or the system has no more threads
                self._stopping.set()  # a thread that began all the same would be nobody's
                if thread.ident is None:
                    self._signal.set(State.STOPPED)
                    self._thread = None
                raise

    def stop(self, timeout: float) -> bool:
        """Ask it to end, wait at most `timeout` seconds, and return whether it has ended.

        Called on one of its own threads, it only asks and returns False at once.
        """
        if self.state not in AT_REST:
            self.check_process()
        with self._lock:
            thread = self._thread
            if thread is None:
                return True
            self._end(timeout)
            if thread.is_alive() and self.state not in (*ENDED, State.STOPPING):
                self._signal.set(State.STOPPING)
        if self._is_own_thread():
            return False
        thread.join(timeout)
        return not thread.is_alive()

    def wait(self, timeout: float | None) -> bool:
        """Block until it has ended, at most `timeout` seconds; return whether it has.

        Raises the error that ended it.
        """
        self._check_started()
        deadline = None if timeout is None else time.monotonic() + timeout
        # In short waits, so that Ctrl-C reaches a main thread that waits for ever (on Windows).
        while deadline is None or time.monotonic() < deadline:
            left = 0.5 if deadline is None else max(0.0, min(0.5, deadline - time.monotonic()))
            if self._signal.wait(*ENDED, timeout=left):
                break
        if self.error is not None:
            raise self.error
        return self.state in ENDED

    def wait_running(self, timeout: float) -> None:
        """Block until it is running.

        Raises the error that ended it, or UnavailableError when `timeout` seconds pass before.
        """
        self._check_started()
        state = self._signal.wait(State.RUNNING, *ENDED, timeout=timeout)
        if self.error is not None:
            raise self.error
        if state is None:
            raise UnavailableError(f"{self.name} is still {self.state} after {timeout:g} s")
        if state is not State.RUNNING:
            raise UsageError(f"{self.name} is {state}")

    def _check_started(self) -> None:
        if self.state is State.IDLE:
            raise UsageError(f"{self.name} was never started")
        if self.state not in ENDED:
            self.check_process()
            if self._is_own_thread():
                raise UsageError(f"{self.name} cannot wait for itself in a callback")

    def check_process(self) -> None:
        """Raises UsageError in a forked process, which has none of its threads."""
        self._process.check(self.name)

    def _is_own_thread(self) -> bool:
        return getattr(threading.current_thread(), "owner", None) is self

    # For its threads.

    def _run(self) -> None:
        try:
            with until(lambda: self.stopping):
                self._main()
        except BaseException as exc:  # SystemExit too: a callback may call sys.exit()
            # A start that `stop` interrupts has not failed.
            if not (self.stopping and isinstance(exc, UnavailableError | TopicError)):
                self.fail(exc)
        with self._lock:
            self._signal.set(State.STOPPED if self.error is None else State.FAILED)

    @property
    def stopping(self) -> bool:
        """Whether `stop` or `fail` has been called since the start, or its service is gone."""
        return self._stopping.is_set() or self.service() is None

    def wait_stopping(self, seconds: float) -> bool:
        """Wait until `stopping` is true, at most `seconds`; return whether it is."""
        return self._stopping.wait(seconds)

    def wait_for_broker(self, error: Exception) -> None:
        """Wait a moment before the next attempt to reach the broker."""
        logger.debug("%s waits for the broker: %s", self.name, error)
        self.wait_stopping(0.1)

    def time_left(self) -> float:
        """The seconds that are left for its threads to end."""
        return max(0.0, self._end_by - time.monotonic())

    def _end(self, timeout: float) -> None:
        """Ask it to end within `timeout` seconds, or by an earlier deadline that is set."""
        self._end_by = min(self._end_by, time.monotonic() + timeout)
        self._stopping.set()

    def move(self, state: State) -> None:
        """Become `state`, unless `stopping` is true."""
        with self._lock:
            if not self._stopping.is_set():
                self._signal.set(state)

    def fail(self, error: BaseException) -> None:
        """End because of `error`. The first error counts; later ones are added to it as notes."""
        if not isinstance(error, ClicklibError):
            cause, error = error, InternalError(f"{self.name} met an unexpected error: {error!r}")
            error.__cause__ = cause
        with self._lock:
            self._end(_GRACE)
            if self.error is not None:
                if error is not self.error:
                    self.error.add_note(f"then: {error}")
                return
            self.error = error
        logger.error("%s stopped: %s", self.name, error)
