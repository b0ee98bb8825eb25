"""Every move between states: allowed as the table says, or refused without effect."""

from __future__ import annotations

import itertools
import threading

import pytest

from clicklib.engine.state import TRANSITIONS, Signal, State
from clicklib.errors import UsageError

ALLOWED = {
    "idle": "starting stopped",
    "starting": "recovering running stopping stopped failed",
    "recovering": "running reconnecting stopping stopped failed",
    "running": "recovering reconnecting stopping stopped failed",
    "reconnecting": "recovering running stopping stopped failed",
    "stopping": "stopped failed",
    "stopped": "starting",
    "failed": "starting",
}
WAYS = {
    "idle": "",
    "starting": "starting",
    "recovering": "starting recovering",
    "running": "starting running",
    "reconnecting": "starting running reconnecting",
    "stopping": "starting stopping",
    "stopped": "starting stopped",
    "failed": "starting failed",
}
PAIRS = list(itertools.product(ALLOWED, ALLOWED))
ALLOWED_PAIRS = [(a, b) for a, b in PAIRS if b in ALLOWED[a].split()]
REFUSED_PAIRS = [(a, b) for a, b in PAIRS if b not in ALLOWED[a].split() and a != b]


def signal_in(state: str) -> Signal:
    signal = Signal()
    for step in WAYS[state].split():
        signal.set(State(step))
    return signal


def test_the_table_lists_every_state() -> None:
    assert {str(state) for state in State} == set(TRANSITIONS) == set(ALLOWED)


def test_a_signal_begins_idle() -> None:
    assert Signal().state is State.IDLE


@pytest.mark.parametrize(("before", "after"), ALLOWED_PAIRS)
def test_a_move_that_the_table_lists_is_made(before: str, after: str) -> None:
    signal = signal_in(before)
    signal.set(State(after))
    assert signal.state == after


@pytest.mark.parametrize(("before", "after"), REFUSED_PAIRS)
def test_any_other_move_is_refused_and_changes_nothing(before: str, after: str) -> None:
    signal = signal_in(before)
    with pytest.raises(UsageError, match=f"cannot become {after} while {before}"):
        signal.set(State(after))
    assert signal.state == before


@pytest.mark.parametrize("state", ALLOWED)
def test_the_state_that_it_is_in_changes_nothing(state: str) -> None:
    signal = signal_in(state)
    signal.set(State(state))
    assert signal.state == state


def test_waiting_for_a_state_that_is_there_returns_at_once() -> None:
    assert signal_in("running").wait(State.FAILED, State.RUNNING, timeout=0) is State.RUNNING


def test_waiting_ends_with_none_when_the_time_is_over() -> None:
    assert signal_in("running").wait(State.FAILED, timeout=0.01) is None


def test_a_move_wakes_all_who_wait_for_it() -> None:
    signal, seen = Signal(), []
    ready = threading.Barrier(4)

    def waiter() -> None:
        ready.wait(5)
        seen.append(signal.wait(State.RUNNING, timeout=5))

    threads = [threading.Thread(target=waiter) for _ in range(3)]
    for thread in threads:
        thread.start()
    ready.wait(5)
    signal.set(State.STARTING)
    signal.set(State.RUNNING)
    for thread in threads:
        thread.join(5)
    assert seen == [State.RUNNING] * 3
