"""What is open when the program ends is closed side by side, with one limit for all."""

from __future__ import annotations

import threading
import time

import pytest

from clicklib.engine import at_exit


class Thing:
    def __init__(self, pause: threading.Event) -> None:
        self.closed_within = 0.0
        self._pause = pause

    def close(self, timeout: float) -> None:
        self.closed_within = timeout
        self._pause.wait(30)


def test_things_that_do_not_end_are_waited_for_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(at_exit, "_open", {})
    pause = threading.Event()
    things = [Thing(pause) for _ in range(4)]
    for thing in things:
        at_exit.closed_at_exit(thing, thing.close)
    begun = time.monotonic()
    at_exit.close_all(0.1)
    assert time.monotonic() - begun < 3
    pause.set()
    assert [thing.closed_within for thing in things] == [0.1] * 4
