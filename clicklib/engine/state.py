"""The states of a processor or a view, and which state may follow which.

idle → starting → recovering ⇄ running → stopping → stopped
and also recovering ⇄ reconnecting and running ⇄ reconnecting, while no broker answers

From starting, recovering, running and reconnecting, `stop` leads to `stopping`. From these and
from stopping, an error leads to `failed`. A stopped or failed one can be started again.
"""

from __future__ import annotations

import threading
from enum import StrEnum

from clicklib.errors import UsageError

__all__ = ["AT_REST", "ENDED", "TRANSITIONS", "Signal", "State"]


class State(StrEnum):
    """A state. Its value is its name in lower case."""

    IDLE = "idle"
    STARTING = "starting"
    RECOVERING = "recovering"
    RUNNING = "running"
    RECONNECTING = "reconnecting"
    STOPPING = "stopping"
    STOPPED = "stopped"
    FAILED = "failed"


ENDED = (State.STOPPED, State.FAILED)
AT_REST = (State.IDLE, *ENDED)

_ENDS = frozenset({State.STOPPING, *ENDED})

TRANSITIONS: dict[State, frozenset[State]] = {
    State.IDLE: frozenset({State.STARTING, State.STOPPED}),
    State.STARTING: frozenset({State.RECOVERING, State.RUNNING}) | _ENDS,
    State.RECOVERING: frozenset({State.RUNNING, State.RECONNECTING}) | _ENDS,
    State.RUNNING: frozenset({State.RECOVERING, State.RECONNECTING}) | _ENDS,
    State.RECONNECTING: frozenset({State.RECOVERING, State.RUNNING}) | _ENDS,
    State.STOPPING: frozenset({State.STOPPED, State.FAILED}),
    State.STOPPED: frozenset({State.STARTING}),
    State.FAILED: frozenset({State.STARTING}),
}


class Signal:
    """A state. Any thread may set it or wait for it."""

    def __init__(self) -> None:
        self._state = State.IDLE
        self._changed = threading.Condition()

    @property
    def state(self) -> State:
        return self._state

    def set(self, state: State) -> None:
        """Move to `state`; nothing changes if that is the present state.

        Raises UsageError for a move that TRANSITIONS doesn't list, and keeps the present state.
        """
        with self._changed:
            if state is self._state:
                return
            if state not in TRANSITIONS[self._state]:
                raise UsageError(f"cannot become {state} while {self._state}")
            self._state = state
            self._changed.notify_all()

    def wait(self, *states: State, timeout: float | None = None) -> State | None:
        """Block until it is in one of `states`; None when `timeout` seconds pass before."""
        with self._changed:
            reached = self._changed.wait_for(lambda: self._state in states, timeout)
            return self._state if reached else None
