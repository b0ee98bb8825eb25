"""One deadline for all steps of a call."""

from __future__ import annotations

import math
import time
from types import SimpleNamespace
from typing import Any

import pytest

from clicklib.client.limit import allowed, gives_up, time_left, until, within
from clicklib.client.retry import aside, keep_trying
from clicklib.client.writer import Writer
from clicklib.errors import UnavailableError


def test_without_a_limit_a_step_may_take_what_it_is_given() -> None:
    assert (time_left(), time_left(7.0), allowed()) == (math.inf, 7.0, math.inf)


def test_the_earliest_end_counts() -> None:
    with within(10):
        with within(60):
            assert time_left() <= allowed() == 10
        with within(1):
            assert time_left() <= allowed() == 1
        assert 9 < time_left() <= allowed() == 10
        assert time_left(3) == 3
    assert allowed() == math.inf


def test_it_holds_for_a_step_aside_and_for_one_that_is_tried_again() -> None:
    def step() -> None:
        raise UnavailableError(f"of {allowed():g} s")

    begun = time.monotonic()
    with within(0.2), pytest.raises(UnavailableError, match=r"of 0\.2 s"):
        aside(lambda: keep_trying(step, 60, pause=0.01)).result()
    assert time.monotonic() - begun < 5


def test_a_wait_is_over_when_nobody_waits_any_more() -> None:
    wanted, inner = [1, 2], [1]
    with until(lambda: not wanted), within(9):
        over = gives_up()
        with until(lambda: not inner):
            assert time_left() > 8
            inner.clear()
            assert time_left() == 0
        assert time_left() > 8
        wanted.clear()
        assert time_left() == 0
        assert aside(time_left).result() == 0
    assert over()
    assert time_left() == math.inf


class Batches:
    """Kafka-python's accumulator, with ten batches that are answered one after the other."""

    def __init__(self) -> None:
        batch = SimpleNamespace(produce_future=self)
        self._incomplete = SimpleNamespace(all=lambda: [batch] * 10)
        self._flushes_in_progress = SimpleNamespace(decrement=lambda: None)
        self.waited = 0.0

    def begin_flush(self) -> None: ...

    def wakeup(self) -> None: ...

    def wait(self, timeout: float) -> bool:
        pause = min(timeout, 0.05)
        time.sleep(pause)
        self.waited += pause
        return timeout >= 0.05


@pytest.mark.parametrize(("timeout", "all_came"), [(0.2, False), (60.0, True), (None, True)])
def test_a_flush_has_one_limit_for_all_batches(timeout: float | None, all_came: bool) -> None:
    batches = Batches()
    writer: Any = object.__new__(Writer)
    writer._producer = SimpleNamespace(_accumulator=batches, _sender=batches)
    assert writer.flush(timeout) is all_came
    assert batches.waited <= (0.2 if timeout == 0.2 else 0.51)
