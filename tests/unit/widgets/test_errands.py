"""Errands: in order, on another thread, with the last error kept and a last deed at the end."""

from __future__ import annotations

import threading

from clicklib.errors import UsageError
from clicklib.widgets.errands import Errands
from tests.waiting import wait_until


def test_they_are_done_in_order_and_one_after_the_other() -> None:
    done: list[str] = []
    errands = Errands("clicklib test", lambda: None)
    for each in "abc":
        errands.do(lambda each=each: done.append(f"{each} {threading.current_thread().name}"))
    wait_until("all are done", lambda: len(done) == 3)
    assert done == [f"{each} clicklib test" for each in "abc"]
    errands.end()


def test_an_error_is_told_until_the_next_success() -> None:
    def fail(error: Exception) -> None:
        raise error

    errands = Errands("clicklib test", lambda: None)
    errands.do(lambda: fail(UsageError("not so")))
    wait_until("it is told", lambda: errands.error == "not so")
    errands.do(lambda: fail(ValueError("odd")))
    wait_until("it is told", lambda: errands.error == "ValueError('odd')")
    errands.do(lambda: None)
    wait_until("it is forgotten", lambda: not errands.error)
    errands.end()


def test_the_end_leaves_out_what_waits_and_does_the_last_deed_once() -> None:
    done: list[str] = []
    begun, gate = threading.Event(), threading.Event()
    errands = Errands("clicklib test", lambda: done.append("last"))
    errands.do(lambda: (begun.set(), gate.wait(10)))
    errands.do(lambda: done.append("left out"))
    assert begun.wait(10)
    errands.end()
    errands.end()
    errands.do(lambda: done.append("late"))
    gate.set()
    wait_until("its thread has ended", lambda: not alive())
    assert done == ["last"]


def alive() -> list[str]:
    return [each.name for each in threading.enumerate() if each.name == "clicklib test"]
