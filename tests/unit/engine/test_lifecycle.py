"""A service starts, stops and fails: many times, from any thread, and never for long."""

from __future__ import annotations

import math
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from clicklib.engine.lifecycle import Lifecycle, OwnedThread
from clicklib.engine.service import Service
from clicklib.engine.state import State
from clicklib.errors import (
    DataError,
    InternalError,
    TopicError,
    UnavailableError,
    UsageError,
)
from tests.waiting import wait_until


class Clock(Service):
    """Runs until it is stopped, or until `then` is called and returns or raises."""

    def __init__(
        self, then: Callable[[Clock], Any] = lambda clock: clock.life.wait_stopping(60)
    ) -> None:
        super().__init__("clock")
        self.then = then
        self.closed = 0

    @property
    def life(self) -> Lifecycle:
        return self._life

    def _main(self) -> None:
        try:
            self.life.move(State.RUNNING)
            self.then(self)
        finally:
            self.closed += 1


def broken(error: BaseException) -> Clock:
    def then(clock: Clock) -> None:
        raise error

    return Clock(then)


@pytest.fixture
def clock() -> Iterator[Clock]:
    clock = Clock()
    yield clock
    assert clock.stop()


def test_a_new_service_is_idle(clock: Clock) -> None:
    assert (clock.state, clock.error) == (State.IDLE, None)


def test_it_runs_on_a_daemon_thread_with_its_name(clock: Clock) -> None:
    assert clock.start() is clock
    assert clock.wait_running(5) is clock
    (thread,) = [t for t in threading.enumerate() if t.name == "clock"]
    assert thread.daemon
    assert isinstance(thread, OwnedThread)
    assert thread.owner is clock.life


def test_it_cannot_be_started_twice(clock: Clock) -> None:
    clock.start().wait_running(5)
    with pytest.raises(UsageError, match="is running already: stop it first"):
        clock.start()
    assert clock.state is State.RUNNING


def test_it_can_be_stopped_again_and_before_it_started(clock: Clock) -> None:
    assert clock.stop()
    assert clock.state is State.IDLE
    clock.start()
    assert clock.stop()
    assert clock.stop()
    assert (clock.state, clock.closed) == (State.STOPPED, 1)


def test_it_starts_and_stops_many_times(clock: Clock) -> None:
    for number in range(20):
        clock.start().wait_running(5)
        assert clock.stop()
        assert (clock.state, clock.closed) == (State.STOPPED, number + 1)


def test_it_can_be_stopped_before_it_runs(clock: Clock) -> None:
    for _ in range(50):
        clock.start()
        assert clock.stop(5)
        assert clock.state is State.STOPPED


def test_many_threads_may_stop_it(clock: Clock) -> None:
    clock.start().wait_running(5)
    answers: list[bool] = []
    threads = [threading.Thread(target=lambda: answers.append(clock.stop(5))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(5)
    assert answers == [True] * 8


@pytest.mark.parametrize("begun", [False, True], ids=["with Clock()", "with Clock().start()"])
def test_a_block_begins_started_and_ends_stopped(begun: bool) -> None:
    clock = Clock()
    for number in range(3):
        with clock.start() if begun else clock as entered:
            assert entered is clock
            clock.wait_running(5)
            with pytest.raises(UsageError, match="already"):
                clock.start()
        assert (clock.state, clock.closed) == (State.STOPPED, number + 1)


def test_a_block_tells_of_what_has_failed_before_and_does_not_start_it_again() -> None:
    clock = broken(DataError("bad click"))
    with pytest.raises(DataError):
        clock.run()
    with pytest.raises(DataError, match="bad click"), clock:
        pass
    assert (clock.state, clock.closed) == (State.FAILED, 1)


@pytest.mark.parametrize("kind", [UnavailableError, TopicError])
def test_a_start_that_was_called_off_has_not_failed(kind: type[Exception]) -> None:
    def then(clock: Clock) -> None:
        clock.life.wait_stopping(10)
        raise kind("no broker answers")

    clock = Clock(then).start()
    assert clock.stop(5)
    assert (clock.state, clock.error) == (State.STOPPED, None)
    assert clock.wait(0)


def test_a_user_sees_what_a_user_may_call_and_nothing_of_the_machinery() -> None:
    shown = {name for name in dir(Service("clock")) if not name.startswith("_")}
    assert shown == {"error", "run", "start", "state", "stop", "wait", "wait_running"}


def test_stop_waits_no_longer_than_it_was_told() -> None:
    gate = threading.Event()
    clock = Clock(lambda clock: gate.wait(10)).start().wait_running(5)
    assert not clock.stop(0.01)
    assert clock.state is State.STOPPING
    gate.set()
    assert clock.stop(5)
    assert clock.state is State.STOPPED


def test_on_its_own_thread_stop_only_asks() -> None:
    answers: list[bool] = []
    clock = Clock(lambda clock: answers.append(clock.stop())).start()
    assert clock.wait(5)
    assert answers == [False]
    assert clock.stop(5)
    assert clock.state is State.STOPPED


def test_once_it_is_stopping_it_moves_nowhere_but_to_its_end() -> None:
    gate = threading.Event()

    def then(clock: Clock) -> None:
        gate.wait(10)
        clock.life.move(State.RECOVERING)

    clock = Clock(then).start().wait_running(5)
    clock.stop(0.01)
    gate.set()
    assert clock.stop(5)
    assert clock.state is State.STOPPED


def test_it_says_that_it_is_to_end_and_how_long_it_may_take() -> None:
    gate = threading.Event()
    clock = Clock(lambda clock: gate.wait(10)).start().wait_running(5)
    assert (clock.life.name, clock.life.stopping, clock.life.time_left()) == (
        "clock",
        False,
        math.inf,
    )
    assert not clock.life.wait_stopping(0.01)
    clock.stop(0)
    assert (clock.life.stopping, clock.life.wait_stopping(0), clock.life.time_left()) == (
        True,
        True,
        0,
    )
    gate.set()
    assert clock.stop(5)
    clock.then = lambda clock: clock.life.wait_stopping(60)
    clock.start().wait_running(5)
    assert (clock.life.stopping, clock.life.time_left()) == (False, math.inf)
    assert clock.stop(5)


def test_who_asks_later_for_an_earlier_end_gets_it_and_nobody_a_later_one() -> None:
    left: list[float] = []

    def then(clock: Clock) -> None:
        for timeout in (60, 30, 40):
            clock.stop(timeout)  # on its own thread: it only asks
            left.append(clock.life.time_left())
        clock.life.fail(DataError("bad click"))
        left.append(clock.life.time_left())

    clock = Clock(then).start()
    with pytest.raises(DataError):
        clock.wait(5)
    assert [round(seconds) for seconds in left] == [60, 30, 30, 10]
    assert clock.stop(5)


# Waiting.


def test_waiting_says_whether_it_has_ended(clock: Clock) -> None:
    clock.start().wait_running(5)
    assert not clock.wait(0)
    assert not clock.wait(0.01)
    clock.stop()
    assert clock.wait(0)
    assert clock.wait()


def test_waiting_for_what_was_never_started_is_a_mistake(clock: Clock) -> None:
    with pytest.raises(UsageError, match="never started"):
        clock.wait(0)


def test_running_blocks_until_it_ends() -> None:
    clock = Clock(lambda clock: None)
    clock.run()
    assert (clock.state, clock.closed) == (State.STOPPED, 1)
    assert clock.stop()


def test_a_service_that_does_not_get_to_run_is_unavailable() -> None:
    class Slow(Clock):
        def _main(self) -> None:
            self.life.wait_stopping(60)

    with Slow().start() as slow, pytest.raises(UnavailableError, match="still starting after"):
        slow.wait_running(0.01)


def test_a_service_that_stopped_will_not_run(clock: Clock) -> None:
    clock.start().stop()
    with pytest.raises(UsageError, match="is stopped"):
        clock.wait_running(5)


# Errors.


def test_the_error_that_stopped_it_comes_out_everywhere() -> None:
    error = DataError("bad click", topic="clicks")
    clock = broken(error)
    for ask in (clock.run, clock.wait, clock.wait_running):
        with pytest.raises(DataError) as raised:
            ask()
        assert raised.value is error
    assert (clock.state, clock.error) == (State.FAILED, error)
    assert clock.stop()


def test_a_foreign_error_becomes_one_of_clicklib() -> None:
    clock = broken(ZeroDivisionError("oops"))
    with pytest.raises(InternalError, match="unexpected error: ZeroDivisionError") as raised:
        clock.run()
    assert isinstance(raised.value.__cause__, ZeroDivisionError)
    assert clock.stop()


def test_the_first_error_counts_and_later_ones_are_noted_on_it() -> None:
    first = DataError("first")

    def then(clock: Clock) -> None:
        clock.life.fail(first)
        clock.life.fail(DataError("second"))
        clock.life.fail(first)
        raise OSError("third")

    clock = Clock(then)
    with pytest.raises(DataError) as raised:
        clock.run()
    assert raised.value is first
    assert len(first.__notes__) == 2
    assert "second" in first.__notes__[0]
    assert "third" in first.__notes__[1]
    assert clock.stop()


def test_an_error_on_another_thread_of_it_ends_it(clock: Clock) -> None:
    clock.start().wait_running(5)
    clock.life.fail(DataError("bad click"))
    with pytest.raises(DataError):
        clock.wait(5)
    clock.stop()
    assert (clock.state, clock.closed) == (State.FAILED, 1)


def test_a_service_that_failed_starts_anew_without_its_error() -> None:
    clock = broken(DataError("bad click"))
    with pytest.raises(DataError):
        clock.run()
    clock.stop()
    clock.then = lambda clock: clock.life.wait_stopping(60)
    with clock.start():
        clock.wait_running(5)
        assert clock.error is None


def test_a_callback_that_exits_on_its_thread_ends_it() -> None:
    clock = broken(SystemExit(3)).start()
    with pytest.raises(InternalError):
        clock.wait(5)


# What a notebook shows, and the end of the program.


def test_it_shows_its_state_and_its_error_as_text_not_as_markup() -> None:
    clock = broken(DataError("<script>", key="<img>"))
    with pytest.raises(DataError):
        clock.run()
    assert repr(clock) == "<Clock clock: failed>"
    assert "failed" in clock._repr_html_()
    assert "&lt;script&gt;" in clock._repr_html_()
    assert "<script>" not in clock._repr_html_()
    assert "<img>" not in clock._repr_html_()
    assert clock.stop()


def test_a_service_without_an_error_shows_none() -> None:
    assert "error" not in Clock()._repr_html_()


@pytest.mark.parametrize("begins", [False, True], ids=["no thread", "a thread"])
@pytest.mark.parametrize("error", [KeyboardInterrupt(), RuntimeError("can't start new thread")])
def test_a_start_that_is_interrupted_leaves_nothing_that_runs(
    clock: Clock, monkeypatch: pytest.MonkeyPatch, begins: bool, error: BaseException
) -> None:
    start = OwnedThread.start

    def interrupted(thread: OwnedThread) -> None:
        if begins:
            start(thread)
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(OwnedThread, "start", interrupted)
        with pytest.raises(type(error)):
            clock.start()
    wait_until("it has ended by itself", lambda: clock.state == "stopped")
    assert clock.stop()
    assert clock.start().wait_running().state == "running"


def test_what_is_running_when_the_program_ends_is_stopped() -> None:
    code = """
from clicklib.engine.service import Service
class Clock(Service):
    def _main(self):
        self._life.wait_stopping(60)
        print("closed", flush=True)
clock = Clock("clock").start()
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=True
    )
    assert done.stdout == "closed\n"
